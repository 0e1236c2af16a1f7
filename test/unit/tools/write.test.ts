import { describe, expect, it } from 'vitest';
import { createTools } from '../../../src/tools/create-tools.ts';
import { FakeSandbox, toolRunner } from '../../support/fake-sandbox.ts';

function setup(files: Record<string, string | Uint8Array> = {}) {
  const sandbox = new FakeSandbox(files);
  return { sandbox, ...toolRunner(sandbox, createTools()) };
}

describe('write', () => {
  it('creates a file and its parents, and names it as written', async () => {
    const { sandbox, run } = setup();
    const result = await run('write', { path: 'a/b/c.txt', content: 'x\ny\n' });
    expect(result).toMatchObject({ ok: true, text: 'Created a/b/c.txt (2 lines).', wrote: ['a/b/c.txt'] });
    expect(result.diff).toContain('--- /dev/null\n+++ b/a/b/c.txt\n@@ -0,0 +1,2 @@\n+x\n+y');
    expect(sandbox.text('a/b/c.txt')).toBe('x\ny\n');
  });

  it('refuses to replace a file that was not read', async () => {
    const { sandbox, run } = setup({ 'a.txt': 'precious\n' });
    const result = await run('write', { path: 'a.txt', content: 'gone\n' });
    expect(result.ok).toBe(false);
    expect(result.text).toContain('Read it');
    expect(sandbox.text('a.txt')).toBe('precious\n');
  });

  it('refuses to replace a file that changed since it was read', async () => {
    const { sandbox, run } = setup({ 'a.txt': 'one\n' });
    await run('read', { path: 'a.txt' });
    sandbox.file('a.txt', 'two\n');
    expect((await run('write', { path: 'a.txt', content: 'three\n' })).ok).toBe(false);
    expect(sandbox.text('a.txt')).toBe('two\n');
  });

  it('goes by content, not by time', async () => {
    const { sandbox, run } = setup({ 'a.txt': 'one\n' });
    await run('read', { path: 'a.txt' });
    sandbox.file('a.txt', 'one\n');
    expect((await run('write', { path: 'a.txt', content: 'two\n' })).ok).toBe(true);
  });

  it('may replace again what it wrote itself, and reports the difference', async () => {
    const { run } = setup();
    await run('write', { path: 'a.txt', content: 'one\ntwo\n' });
    const result = await run('write', { path: 'a.txt', content: 'one\n2\nthree\n' });
    expect(result.text).toBe('Overwrote a.txt (3 lines, +2 -1).');
    expect(result.diff).toContain('-two\n+2\n+three');
  });

  it('keeps mode, CRLF line ends and a byte order mark', async () => {
    const { sandbox, run } = setup({ 'w.bat': '\ufeffa\r\nb\r\n' });
    sandbox.file('s.sh', '#!/bin/sh\n', 0o755);
    await run('read', { path: 'w.bat' });
    await run('read', { path: 's.sh' });
    await run('write', { path: 'w.bat', content: 'a\nc\n' });
    await run('write', { path: 's.sh', content: '#!/bin/bash\n' });
    expect(sandbox.text('w.bat')).toBe('\ufeffa\r\nc\r\n');
    expect(sandbox.mode('s.sh')).toBe(0o755);
  });

  it('says so when nothing changes, and writes nothing', async () => {
    const { sandbox, run } = setup({ 'a.txt': 'same\n' });
    await run('read', { path: 'a.txt' });
    sandbox.failWrites = 'EACCES';
    const result = await run('write', { path: 'a.txt', content: 'same\n' });
    expect(result).toMatchObject({ ok: true, meta: { changed: false } });
    expect(result.wrote).toBeUndefined();
  });

  it('names a full disk', async () => {
    const { sandbox, run } = setup();
    sandbox.failWrites = 'ENOSPC';
    const result = await run('write', { path: 'a.txt', content: 'x' });
    expect(result.ok).toBe(false);
    expect(result.text).toContain('No space left on device');
  });

  it('warns of a placeholder for left-out text', async () => {
    const { run } = setup();
    const result = await run('write', {
      path: 'a.ts',
      content: 'const a = 1;\n// ... rest of the code unchanged ...\n',
    });
    expect(result.ok).toBe(true);
    expect(result.text).toContain('Warning');
    const fine = await run('write', {
      path: 'b.ts',
      content: 'f(...rest);\nconst all = [...existing, same];\n',
    });
    expect(fine.text).not.toContain('Warning');
  });

  it('refuses a directory', async () => {
    const { run } = setup({ 'd/x': '' });
    expect((await run('write', { path: 'd', content: '' })).text).toContain('directory');
  });

  it('loses neither of two changes to a file that come at the same time', async () => {
    const { sandbox, run } = setup({ 'a.txt': 'a b\n' });
    await run('read', { path: 'a.txt' });
    await Promise.all([
      run('edit', { path: 'a.txt', old_string: 'a', new_string: 'A' }),
      run('edit', { path: 'a.txt', old_string: 'b', new_string: 'B' }),
    ]);
    expect(sandbox.text('a.txt')).toBe('A B\n');
  });
});
