import { describe, expect, it } from 'vitest';
import { createTools } from '../../../src/tools/create-tools.ts';
import { FakeSandbox, toolRunner } from '../../support/fake-sandbox.ts';

function setup(files: Record<string, string | Uint8Array> = {}) {
  const sandbox = new FakeSandbox(files);
  return { sandbox, ...toolRunner(sandbox, createTools()) };
}

const PNG = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(40, 1)]);

describe('read', () => {
  it('numbers lines from one', async () => {
    const { run } = setup({ 'a.txt': 'one\ntwo\n' });
    expect(await run('read', { path: 'a.txt' })).toMatchObject({ ok: true, text: '1\tone\n2\ttwo' });
  });

  it('takes an absolute path and a path with dots that stays inside', async () => {
    const { run } = setup({ 'src/a.txt': 'x\n' });
    expect((await run('read', { path: '/home/user/project/src/a.txt' })).text).toBe('1\tx');
    expect((await run('read', { path: 'src/../src/./a.txt' })).text).toBe('1\tx');
  });

  it('shows 2000 lines and says how to go on', async () => {
    const text = Array.from({ length: 8312 }, (_, i) => `l${i + 1}`).join('\n');
    const { run } = setup({ 'big.txt': text });
    const first = await run('read', { path: 'big.txt' });
    expect(first.text.split('\n')).toHaveLength(2001);
    expect(first.text.endsWith('(lines 1-2000 of 8312; continue with offset=2001)')).toBe(true);
    const last = await run('read', { path: 'big.txt', offset: 8311, limit: 5 });
    expect(last.text).toBe('8311\tl8311\n8312\tl8312\n(lines 8311-8312 of 8312)');
  });

  it('stops at 50 KB and cuts a line at 2000 characters', async () => {
    const { run } = setup({ 'wide.txt': `${'w'.repeat(5000)}\n`.repeat(100) });
    const { text } = await run('read', { path: 'wide.txt' });
    expect(Buffer.byteLength(text)).toBeLessThan(51 * 1024 + 200);
    expect(text).toContain(`1\t${'w'.repeat(2000)} … [3000 more characters]`);
    expect(text).toMatch(/\(lines 1-\d+ of 100; continue with offset=\d+\)$/);
  });

  it('says what an offset past the end should have been', async () => {
    const { run } = setup({ 'a.txt': 'one\ntwo\n' });
    const result = await run('read', { path: 'a.txt', offset: 3 });
    expect(result.ok).toBe(false);
    expect(result.text).toContain('2 lines');
  });

  it('lists a directory with slashes, at most 500 entries', async () => {
    const { sandbox, run } = setup({ 'b.txt': '', 'dir/x': '' });
    expect((await run('read', { path: '.' })).text).toBe('b.txt\ndir/\n(2 entries)');
    for (let i = 0; i < 600; i++) sandbox.file(`many/f${i}`, '');
    const { text } = await run('read', { path: 'many' });
    expect(text.split('\n')).toHaveLength(501);
    expect(text).toContain('first 500');
  });

  it('names the closest names when a file is missing', async () => {
    const { run } = setup({ 'src/config.ts': '', 'src/confirm.ts': '', 'src/zebra.md': '' });
    const { ok, text } = await run('read', { path: 'src/confg.ts' });
    expect(ok).toBe(false);
    expect(text).toContain('src/config.ts');
    expect(text).not.toContain('zebra');
  });

  it('refuses a binary with its type and size', async () => {
    const { run } = setup({ x: Buffer.concat([Buffer.from('\x7fELF'), Buffer.alloc(100)]) });
    const { ok, text } = await run('read', { path: 'x' });
    expect(ok).toBe(false);
    expect(text).toContain('ELF');
    expect(text).toContain('104 bytes');
  });

  it('gives a picture as a picture, and refuses one that is too large', async () => {
    const { run } = setup({ 'p.png': PNG, 'huge.png': Buffer.concat([PNG, Buffer.alloc(4_000_000)]) });
    const result = await run('read', { path: 'p.png' });
    expect(result.images).toEqual([{ mediaType: 'image/png', base64: PNG.toString('base64') }]);
    expect((await run('read', { path: 'huge.png' })).ok).toBe(false);
  });

  it('says that a file is empty', async () => {
    const { run } = setup({ e: '' });
    expect(await run('read', { path: 'e' })).toMatchObject({ ok: true, text: '(e is empty)' });
  });

  it('shows bytes that are no UTF-8, controls and invisible characters, and says where', async () => {
    const { run } = setup({ l: Buffer.from('caf\xe9\n\x1b[31m\nok\n', 'latin1'), b: 'a\u202eb\n' });
    const { text } = await run('read', { path: 'l' });
    expect(text).toContain('1\tcaf\\xe9\n2\t\\x1b[31m\n3\tok');
    expect(text).toContain('in lines 1, 2)');
    expect((await run('read', { path: 'b' })).text).toContain('1\ta<U+202E>b');
  });

  it('hides carriage returns of a CRLF file and says so', async () => {
    const { run } = setup({ c: 'a\r\nb\r\n' });
    expect((await run('read', { path: 'c' })).text).toMatch(/^1\ta\n2\tb\n\(line ends are CRLF/);
  });

  it('refuses a file of more than 16 MB with a way out', async () => {
    const { run } = setup({ big: Buffer.alloc(16 * 1024 * 1024 + 1, 'x') });
    const { ok, text } = await run('read', { path: 'big' });
    expect(ok).toBe(false);
    expect(text).toContain('sed -n');
  });
});
