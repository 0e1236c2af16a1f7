import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';

async function setUp() {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': 'a\n', 'b.txt': 'b\n', 'c.txt': 'c\n' });
  const model = join(home, 'replay.jsonl');
  const command = 'for f in a b c; do echo agent > $f.txt; done; echo new > n.txt';
  writeReplay(model, [{ calls: [{ tool: 'bash', input: { command } }] }, { text: 'Done.' }]);
  const run = (...args: string[]) => runCli(args, { home, cwd: project });
  expect((await run('run', 'do it', '--demo', '--model', `replay/${model}`)).code).toBe(0);
  /** Paths that are still a change of the session. */
  const changes = async () => {
    const preview = jsonLines((await run('apply', '--dry-run', '--json')).stdout).at(-1);
    const { actions = [], unchanged = [] } = (preview ?? {}) as {
      actions?: { path: string }[];
      unchanged?: string[];
    };
    return [...actions.map(({ path }) => path), ...unchanged].sort();
  };
  return {
    project,
    state: join(home, 'sc/state'),
    run,
    changes,
    file: (name: string) => join(project, name),
  };
}

describe('undo', () => {
  it('writes to the folder that was applied to, and to no other one in its place', async () => {
    const { project, run, file } = await setUp();
    expect((await run('apply', '--yes')).code).toBe(0);
    renameSync(project, `${project}.real`);
    cpSync(`${project}.real`, project, { recursive: true });
    const refused = await run('undo', '--yes');
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('moved or replaced')]);
    expect(readFileSync(file('a.txt'), 'utf8')).toBe('agent\n');
    rmSync(project, { recursive: true });
    renameSync(`${project}.real`, project);
    expect((await run('undo', '--yes')).code).toBe(0);
    expect(readFileSync(file('a.txt'), 'utf8')).toBe('a\n');
  });
});

describe('what was written', () => {
  it('is told as written also when the session can keep nothing of it', async () => {
    const { state, run, file } = await setUp();
    expect((await run('apply', '--yes')).code).toBe(0);
    const sessions = join(state, 'sessions');
    const ledger = join(sessions, readdirSync(sessions)[0] ?? '', 'ledger');
    renameSync(ledger, `${ledger}.away`);
    const undone = await run('undo', '--yes');
    expect(readFileSync(file('a.txt'), 'utf8')).toBe('a\n');
    expect(undone.stderr).toContain('The project was written, but the session could not be told');
    expect(undone.code, undone.stderr).toBe(0);
  });
});

describe('what a session changes after something was taken back', () => {
  it('is again what the undone apply wrote, also when the last apply found all of it there', async () => {
    const { run, changes, file } = await setUp();
    expect((await run('apply', '--accept', 'a.txt', '--yes')).code).toBe(0);
    writeFileSync(file('n.txt'), 'new\n');
    expect((await run('apply', '--accept', 'n.txt', '--yes')).code).toBe(0);
    expect(await changes()).toEqual(['b.txt', 'c.txt']);
    expect((await run('undo', '--yes')).code).toBe(0);
    expect(await changes()).toEqual(['a.txt', 'b.txt', 'c.txt']);
  });

  it('leaves out what an earlier apply wrote, however often a later one has to be undone', async () => {
    const { project, run, changes, file } = await setUp();
    expect((await run('apply', '--accept', 'a.txt', '--yes')).code).toBe(0);
    const before = pictureOf(project);
    expect((await run('apply', '--accept', '[bcn].txt', '--yes')).code).toBe(0);
    expect(await changes()).toEqual([]);
    writeFileSync(file('b.txt'), 'mine\n');
    expect((await run('undo', '--yes')).code).toBe(6);
    expect(await changes()).toEqual(['c.txt', 'n.txt']);
    writeFileSync(file('b.txt'), 'agent\n');
    expect((await run('undo', '--yes')).code).toBe(0);
    expect(await changes()).toEqual(['b.txt', 'c.txt', 'n.txt']);
    expect(pictureOf(project)).toEqual(before);
  });

  it('is nothing when it was done again', async () => {
    const { run, changes, file } = await setUp();
    expect((await run('apply', '--yes')).code).toBe(0);
    rmSync(file('n.txt'));
    expect((await run('undo', '--yes')).code).toBe(0);
    expect(await changes()).toEqual(['a.txt', 'b.txt', 'c.txt', 'n.txt']);
    expect((await run('undo', '--redo', '--yes')).code).toBe(0);
    expect(await changes()).toEqual(['n.txt']);
    expect((await run('apply', '--yes')).code).toBe(0);
    expect(await changes()).toEqual([]);
    expect(['a.txt', 'n.txt'].map((name) => readFileSync(file(name), 'utf8'))).toEqual(['agent\n', 'new\n']);
  });
});
