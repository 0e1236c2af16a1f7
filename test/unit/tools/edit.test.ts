import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTools } from '../../../src/tools/create-tools.ts';
import { FakeSandbox, toolRunner } from '../../support/fake-sandbox.ts';

async function setup(content: string | Uint8Array, mode = 0o644) {
  const sandbox = new FakeSandbox();
  sandbox.file('f', content, mode);
  const runner = toolRunner(sandbox, createTools());
  await runner.run('read', { path: 'f' });
  const edit = (...edits: object[]) => runner.run('edit', { path: 'f', edits });
  return { sandbox, edit, ...runner };
}

describe('edit', () => {
  it('replaces the one place and shows the change with line numbers', async () => {
    const { sandbox, edit } = await setup('a\nb\nc\n');
    const result = await edit({ old_string: 'b', new_string: 'B' });
    expect(result).toMatchObject({ ok: true, wrote: ['f'] });
    expect(result.text).toContain('@@ -1,3 +1,3 @@\n a\n-b\n+B\n c');
    expect(result.diff).toContain('--- a/f\n+++ b/f\n');
    expect(sandbox.text('f')).toBe('a\nB\nc\n');
  });

  it('takes the form for a single edit', async () => {
    const { sandbox, run } = await setup('a\n');
    expect((await run('edit', { path: 'f', old_string: 'a', new_string: 'b' })).ok).toBe(true);
    expect(sandbox.text('f')).toBe('b\n');
  });

  it('refuses both forms at once and half a form', async () => {
    const { run } = await setup('a\n');
    const both = {
      path: 'f',
      edits: [{ old_string: 'a', new_string: 'b' }],
      old_string: 'a',
      new_string: 'b',
    };
    expect((await run('edit', both)).text).toContain('not both');
    expect((await run('edit', { path: 'f', old_string: 'a' })).text).toContain('new_string');
  });

  it('refuses a file that was not read', async () => {
    const { sandbox, run } = await setup('');
    sandbox.file('g', 'a\n');
    expect((await run('edit', { path: 'g', old_string: 'a', new_string: 'b' })).text).toContain('not read');
    expect(sandbox.text('g')).toBe('a\n');
  });

  it('lists the lines of several places, and replaces all when told to', async () => {
    const { sandbox, edit } = await setup('x\ny\nx\n');
    const refused = await edit({ old_string: 'x', new_string: 'z' });
    expect(refused.ok).toBe(false);
    expect(refused.text).toContain('lines 1, 3');
    expect((await edit({ old_string: 'x', new_string: 'z', replace_all: true })).text).toContain(
      '2 replacements',
    );
    expect(sandbox.text('f')).toBe('z\ny\nz\n');
  });

  it('counts places that overlap as several', async () => {
    const { edit } = await setup('aaa\n');
    expect((await edit({ old_string: 'aa', new_string: 'b' })).text).toContain('2 times');
  });

  it('matches all edits against the original and applies them together', async () => {
    const { sandbox, edit } = await setup('one\ntwo\n');
    await edit({ old_string: 'one', new_string: 'two' }, { old_string: 'two', new_string: 'three' });
    expect(sandbox.text('f')).toBe('two\nthree\n');
  });

  it('changes nothing when one of several edits fails or two overlap', async () => {
    const { sandbox, edit } = await setup('one two\n');
    const missing = await edit(
      { old_string: 'one', new_string: '1' },
      { old_string: 'three', new_string: '3' },
    );
    expect(missing.text).toContain('edits[1]: old_string was not found');
    const overlap = await edit(
      { old_string: 'one t', new_string: '1' },
      { old_string: 'two', new_string: '2' },
    );
    expect(overlap.text).toContain('edits[0] and edits[1] overlap');
    expect(sandbox.text('f')).toBe('one two\n');
  });

  it('forgives whitespace at line ends, and says what was replaced', async () => {
    const { sandbox, edit } = await setup('if (a) {  \n  b();\t\n}\n');
    const result = await edit({ old_string: 'if (a) {\n  b();\n}', new_string: 'b();' });
    expect(result.text).toContain('line ends');
    expect(sandbox.text('f')).toBe('b();\n');
  });

  it('forgives typographic quotes, dashes and spaces', async () => {
    const { sandbox, edit } = await setup('say “hi” – now\u00a0please\n');
    const result = await edit({ old_string: 'say "hi" - now please', new_string: 'bye' });
    expect(result.text).toContain('typography');
    expect(sandbox.text('f')).toBe('bye\n');
  });

  it('understands hidden characters as the read tool shows them', async () => {
    const { sandbox, edit } = await setup('a\u200cb \x1b[m\n');
    await edit(
      { old_string: 'a<U+200C>b', new_string: 'c<U+200C>d' },
      { old_string: '\\x1b[m', new_string: '' },
    );
    expect(sandbox.text('f')).toBe('c\u200cd \n');
  });

  it('forgives one uniform shift of indentation, either way, and shifts the new text too', async () => {
    const deeper = await setup('class A {\n    run() {\n        go();\n    }\n}\n');
    await deeper.edit({ old_string: 'run() {\n    go();\n}\n', new_string: 'run() {\n    stop();\n\n}\n' });
    expect(deeper.sandbox.text('f')).toBe('class A {\n    run() {\n        stop();\n\n    }\n}\n');
    const gap = await setup('  a\n\n  b\n');
    await gap.edit({ old_string: 'a\n\nb\n', new_string: 'c\n\nd\n' });
    expect(gap.sandbox.text('f')).toBe('  c\n\n  d\n');
    const shallower = await setup('run() {\n  go();\n}\n');
    await shallower.edit({
      old_string: '    run() {\n      go();\n    }',
      new_string: '    run() {\n      stop();\n    }',
    });
    expect(shallower.sandbox.text('f')).toBe('run() {\n  stop();\n}\n');
  });

  it('forgives nothing else: a shift that is not uniform or a different word is not found', async () => {
    const { sandbox, edit } = await setup('  a {\n      b\n  }\n');
    const shifted = await edit({ old_string: 'a {\n  b\n}', new_string: 'c' });
    expect(shifted.ok).toBe(false);
    expect(shifted.text).toContain('2\t      b');
    expect((await edit({ old_string: 'A {', new_string: 'c' })).ok).toBe(false);
    expect(sandbox.text('f')).toBe('  a {\n      b\n  }\n');
  });

  it('prefers the exact place to a forgiving one', async () => {
    const { sandbox, edit } = await setup('x “a”\nx "a"\n');
    await edit({ old_string: 'x "a"', new_string: 'y' });
    expect(sandbox.text('f')).toBe('x “a”\ny\n');
  });

  it('keeps CRLF, byte order mark, mode and a missing final newline', async () => {
    const { sandbox, edit } = await setup('\ufeffa\r\nb\r\nc', 0o755);
    expect((await edit({ old_string: 'a\nb', new_string: 'a\nX\nb' })).ok).toBe(true);
    expect(sandbox.text('f')).toBe('\ufeffa\r\nX\r\nb\r\nc');
    expect(sandbox.mode('f')).toBe(0o755);
  });

  it('keeps mixed line ends where it changes nothing', async () => {
    const { sandbox, edit } = await setup('a\r\nb\nc\r\nd\r\n');
    await edit({ old_string: 'c\nd\n', new_string: 'C\nD\n' });
    expect(sandbox.text('f')).toBe('a\r\nb\nC\r\nD\r\n');
  });

  it('keeps bytes that are no UTF-8', async () => {
    const { sandbox, edit } = await setup(Buffer.from('caf\xe9\nplain\n', 'latin1'));
    await edit({ old_string: 'plain', new_string: 'PLAIN' });
    expect(sandbox.bytes('f').toString('latin1')).toBe('caf\xe9\nPLAIN\n');
  });

  it('keeps bytes that are no UTF-8 whatever they are', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), fc.uint8Array({ maxLength: 40 }), async (a, b) => {
        const clean = (bytes: Uint8Array) =>
          Buffer.from(bytes.filter((byte) => byte >= 0x20 && byte !== 0x40));
        const before = Buffer.concat([
          clean(a),
          Buffer.from('\n@anchor line with plenty of text in it, so that it is text@\n'),
          clean(b),
        ]);
        const { sandbox, edit } = await setup(before);
        const result = await edit({ old_string: '@anchor line', new_string: '@ANCHOR line' });
        if (!result.ok) expect(result.text).toContain('binary');
        else
          expect(sandbox.bytes('f').toString('latin1')).toBe(
            before.toString('latin1').replace('@anchor', '@ANCHOR'),
          );
      }),
    );
  });

  it('applies to a changed file when the quote is still exactly there once, and says so', async () => {
    const { sandbox, edit } = await setup('a\nb\n');
    sandbox.file('f', 'a\nb\nnew\n');
    expect((await edit({ old_string: 'b', new_string: 'B' })).text).toContain(
      'had changed since it was read',
    );
    expect(sandbox.text('f')).toBe('a\nB\nnew\n');
  });

  it('refuses a changed file when the quote is there no more, or twice, or only nearly', async () => {
    for (const [now, old] of [
      ['x\n', 'b'],
      ['b b\n', 'b'],
      ['“b”\n', '"b"'],
    ] as const) {
      const { sandbox, edit } = await setup('a\nb "b"\n');
      sandbox.file('f', now);
      expect((await edit({ old_string: old, new_string: 'B' })).text).toContain(
        'has changed since it was read',
      );
      expect(sandbox.text('f')).toBe(now);
    }
  });

  it('creates a new file for an empty quote, and only a new one', async () => {
    const { sandbox, run, edit } = await setup('x\n');
    const result = await run('edit', { path: 'new/g', old_string: '', new_string: 'hello\n' });
    expect(result).toMatchObject({ ok: true, wrote: ['new/g'] });
    expect(sandbox.text('new/g')).toBe('hello\n');
    expect((await edit({ old_string: '', new_string: 'y' })).ok).toBe(false);
  });

  it('refuses identical strings and a missing file', async () => {
    const { run, edit } = await setup('x\n');
    expect((await edit({ old_string: 'x', new_string: 'x' })).text).toContain('the same');
    expect((await run('edit', { path: 'ff', old_string: 'x', new_string: 'y' })).text).toContain(
      'Did you mean f?',
    );
  });

  it('shows the nearest region when a quote is nowhere', async () => {
    const lines = Array.from({ length: 50 }, (_, i) => `const value${i} = compute(${i});`);
    const { edit } = await setup(`${lines.join('\n')}\n`);
    const { text } = await edit({ old_string: 'const value30 = computed(30);', new_string: 'x' });
    expect(text).toContain('31\tconst value30 = compute(30);');
  });

  it('points at line numbers that were copied along', async () => {
    const { edit } = await setup('alpha\nbeta\n');
    expect((await edit({ old_string: '2\tbeta', new_string: 'x' })).text).toContain('line numbers');
  });

  it('ends in time on files and quotes that repeat themselves', async () => {
    const many = await setup('a'.repeat(1_000_000));
    expect((await many.edit({ old_string: 'a', new_string: 'b', replace_all: true })).text).toContain('sed');
    const long = 'a'.repeat(400_000);
    expect((await many.edit({ old_string: long, new_string: 'b' })).text).toContain('times');
    const braces = await setup('}\n'.repeat(200_000));
    const quote = '} \n'.repeat(2000);
    expect((await braces.edit({ old_string: `${quote}x`, new_string: 'b' })).text).toContain('not found');
    expect((await braces.edit({ old_string: quote, new_string: 'b' })).text).toContain('1000 times');
    const calls = await setup('call();\n'.repeat(100_000));
    expect(
      (await calls.edit({ old_string: `${'call();\n'.repeat(5000)}x`, new_string: 'b' })).text,
    ).toContain('most similar');
  });
});
