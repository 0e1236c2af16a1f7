import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { joiningCommand, makeGroups } from '../../../src/backends/bubblewrap/limits.ts';
import { runProcess } from '../../../src/base/process.ts';
import { temporaryFolder } from '../../support/temp.ts';

const limits = { id: 'abc', memoryBytes: 1 << 30, pids: 100, cpus: 2 };

/** Folders that look like control groups; a group's files come with it in the real ones, here they are made at once. */
function fakeGroups(files: Record<string, string[]>): string {
  const root = temporaryFolder();
  for (const [folder, names] of Object.entries(files)) {
    mkdirSync(join(root, folder), { recursive: true });
    for (const name of names) writeFileSync(join(root, folder, name), '');
  }
  return root;
}

describe('limits by control groups', () => {
  it('names what can’t be limited, and leaves nothing, where nobody may make groups', async () => {
    const groups = await makeGroups(limits, { root: join(temporaryFolder(), 'none'), own: '0::/\n' });
    expect(groups).toMatchObject({ joinFiles: [], missing: ['memory', 'processes', 'CPUs'] });
    await groups.remove();
  });

  it('does not take a folder for a group when its files are missing', async () => {
    const root = fakeGroups({ pids: [], memory: [], cpu: [] });
    const groups = await makeGroups(limits, { root, own: '3:pids:/\n2:memory:/\n1:cpu,cpuacct:/\n' });
    expect(groups.missing).toEqual(['memory', 'processes', 'CPUs']);
    await groups.remove();
    expect(readdirSync(join(root, 'pids'))).toEqual([]);
  });

  it('are those of this kernel for a real process, and go with it', async (context) => {
    const groups = await makeGroups({ ...limits, id: `test${process.pid}` });
    if (groups.joinFiles.length === 0) return context.skip('this user can make no control groups here');
    try {
      const [program = '', ...args] = joiningCommand(groups.joinFiles, ['/bin/cat', '/proc/self/cgroup']);
      const { stdout, exitCode } = await runProcess(program, args, { env: {} });
      expect(exitCode).toBe(0);
      expect(stdout.toString()).toContain(`safe-coder-test${process.pid}`);
      const pids = groups.joinFiles
        .map((file) => join(file, '../pids.max'))
        .map(readOrNothing)
        .join('');
      if (!groups.missing.includes('processes')) expect(pids.trim()).toBe('356');
    } finally {
      await groups.remove();
    }
    for (const file of groups.joinFiles) expect(readOrNothing(file)).toBe('');
  });

  it('a command that can’t join does not run', async () => {
    const [program = '', ...args] = joiningCommand(['/does/not/exist/cgroup.procs'], ['/bin/echo', 'ran']);
    const { stdout, exitCode } = await runProcess(program, args, { env: {} });
    expect(exitCode).toBe(125);
    expect(stdout.toString()).toBe('');
  });
});

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The group is gone, or has no such file.
    return '';
  }
}
