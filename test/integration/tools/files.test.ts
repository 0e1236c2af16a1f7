import { lstatSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { openToolSandbox } from '../../support/tool-sandbox.ts';

describe('read, write and edit over a real sandbox', () => {
  it('work together on one file', async () => {
    const { run, root } = await openToolSandbox({ 'src/a.ts': 'export const a = 1;\n' });
    expect((await run('read', { path: 'src/a.ts' })).text).toBe('1\texport const a = 1;');
    const edited = await run('edit', { path: 'src/a.ts', old_string: '1', new_string: '2' });
    expect(edited).toMatchObject({ ok: true, wrote: ['src/a.ts'] });
    expect((await run('write', { path: 'src/a.ts', content: 'export const a = 3;\n' })).ok).toBe(true);
    expect(readFileSync(`${root}/src/a.ts`, 'utf8')).toBe('export const a = 3;\n');
    expect((await run('write', { path: 'new/deep/b.ts', content: '' })).ok).toBe(true);
    expect(readFileSync(`${root}/new/deep/b.ts`, 'utf8')).toBe('');
  });

  it('notice what bash did to a file meanwhile', async () => {
    const { run } = await openToolSandbox({ 'a.txt': 'one\ntwo\n' });
    await run('read', { path: 'a.txt' });
    await run('bash', { command: 'sed -i s/two/three/ a.txt' });
    expect((await run('write', { path: 'a.txt', content: 'x' })).text).toContain(
      'has changed since it was read',
    );
    expect((await run('edit', { path: 'a.txt', old_string: 'two', new_string: 'x' })).text).toContain(
      'has changed',
    );
    expect((await run('edit', { path: 'a.txt', old_string: 'one', new_string: '1' })).text).toContain(
      'had changed',
    );
    expect((await run('read', { path: 'a.txt' })).text).toBe('1\t1\n2\tthree');
  });

  it('keep the mode of a script', async () => {
    const { run, root } = await openToolSandbox({ 'run.sh': '#!/bin/sh\necho a\n' });
    await run('bash', { command: 'chmod 755 run.sh' });
    await run('read', { path: 'run.sh' });
    await run('edit', { path: 'run.sh', old_string: 'echo a', new_string: 'echo b' });
    expect(statSync(`${root}/run.sh`).mode & 0o777).toBe(0o755);
    expect((await run('bash', { command: './run.sh' })).text).toContain('b\n');
  });

  it('write through a symlink inside the workspace and leave the link a link', async () => {
    const { run, root } = await openToolSandbox({ 'real.txt': 'a\n' });
    symlinkSync('real.txt', `${root}/link.txt`);
    await run('read', { path: 'link.txt' });
    const result = await run('edit', { path: 'link.txt', old_string: 'a', new_string: 'b' });
    expect(result.wrote).toEqual(['real.txt']);
    expect(lstatSync(`${root}/link.txt`).isSymbolicLink()).toBe(true);
    expect(readFileSync(`${root}/real.txt`, 'utf8')).toBe('b\n');
  });

  it('read large files in parts, and names that are no UTF-8', async () => {
    const { run, root } = await openToolSandbox();
    writeFileSync(`${root}/big.txt`, Array.from({ length: 400_000 }, (_, i) => `line ${i + 1}`).join('\n'));
    expect((await run('read', { path: 'big.txt', offset: 399_999 })).text).toBe(
      '399999\tline 399999\n400000\tline 400000\n(lines 399999-400000 of 400000)',
    );
    writeFileSync(Buffer.concat([Buffer.from(`${root}/caf`), Buffer.from([0xe9])]), 'latin\n');
    expect((await run('glob', { pattern: 'caf*' })).text).toBe('"caf\\xe9"');
    expect((await run('read', { path: 'caf\udce9' })).text).toBe('1\tlatin');
  });

  it('say what is wrong with what is no file', async () => {
    const { run } = await openToolSandbox();
    await run('bash', { command: 'mkfifo pipe; mkdir secret; touch secret/x' });
    expect((await run('read', { path: 'pipe' })).text).toContain('no regular file');
    expect((await run('write', { path: 'pipe', content: 'x' })).ok).toBe(false);
    expect((await run('write', { path: 'secret', content: 'x' })).text).toContain('is a directory');
    expect((await run('write', { path: 'secret/x/y', content: 'x' })).text).toContain('not a directory');
    expect((await run('read', { path: 'secrets' })).text).toContain('Did you mean secret?');
  });
});

describe('what one call leaves behind', () => {
  it('is nothing: no process of a command that is over', async () => {
    const { run } = await openToolSandbox();
    const seconds = 900_000 + process.pid;
    await run('bash', { command: `(setsid sleep ${seconds} &) ; sleep ${seconds} & disown; true` });
    expect((await run('bash', { command: `pgrep -x -f "sleep ${seconds}"; true` })).text).toBe(
      '(no output)\n[exit code 0]',
    );
  });

  it('is one background job that lives over other calls, until it is killed', async () => {
    const { run } = await openToolSandbox();
    await run('bash', { command: 'while true; do echo tick; sleep 0.1; done', background: true });
    await run('bash', { command: 'sleep 0.5' });
    expect((await run('bash_output', { job_id: 'job-1' })).text).toMatch(/^tick\ntick\n/);
    await run('bash_kill', { job_id: 'job-1' });
    const position = (await run('bash_output', { job_id: 'job-1' })).meta?.next;
    await run('bash', { command: 'sleep 0.3' });
    expect((await run('bash_output', { job_id: 'job-1' })).meta?.next).toBe(position);
  });
});
