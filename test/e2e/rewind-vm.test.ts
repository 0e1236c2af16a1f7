import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';
import { testCacheHome, vmOrSkip } from '../support/vm.ts';

const SMALL = ['--cpus', '1', '--memory', '512M', '--disk', '1G'];

function setUp(steps: readonly Record<string, unknown>[]) {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': 'one\n', 'src/b.txt': 'b\n', 'run.sh': '#!/bin/sh\n' });
  const env = {
    XDG_CACHE_HOME: testCacheHome(),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    SAFE_CODER_HOME: '',
  };
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, steps);
  const run = (args: string[]) => runCli(args, { home, cwd: project, env });
  return { home, project, env, model: [...SMALL, '--model', `replay/${replay}`], run };
}

describe('the way back in a virtual machine', () => {
  beforeEach(async ({ skip }) => {
    await vmOrSkip({ skip });
  });

  it('undoes in a running machine what commands did, and the tree is that of the entry', async () => {
    const { home, project, env, model, run } = setUp([]);
    const terminal = openTerminal(['chat', ...model], { home, cwd: project, env, patienceMs: 120_000 });
    await terminal.waitFor(/\n>$/);
    terminal.type('!echo two >> a.txt; chmod 755 src/b.txt; ln -s a.txt l; mkdir -p n/m; echo x > n/m/x\r');
    await terminal.waitFor(/#2 · 4 changed[\s\S]*>$/);
    terminal.type(
      '!rm -r src a.txt n; mkdir a.txt; echo d > a.txt/d; echo f > src; chmod 500 a.txt; rm l; mkfifo l\r',
    );
    await terminal.waitFor(/#3 · \d+ changed[\s\S]*>$/);
    terminal.type('/rollback 2\r');
    await terminal.waitFor(/✓ Back to #2 [\s\S]*>$/);
    terminal.type('!cat l src/b.txt n/m/x; test -x src/b.txt && echo is executable\r');
    await terminal.waitFor(/│ one\s+│ two\s+│ b\s+│ x\s+│ is executable[\s\S]*>$/);
    terminal.type('/rollback 3\r');
    await terminal.waitFor(/✓ Back to #3 [\s\S]*>$/);
    terminal.type('!cat a.txt/d src\r');
    await terminal.waitFor(/│ d\s+│ f[\s\S]*>$/);
    terminal.type('/quit\r');
    await terminal.waitFor(/apply>$/);
    terminal.type('n\r');
    expect(await terminal.exited).toBe(0);
    const rows = jsonLines((await run(['log', '--json'])).stdout).filter(({ type }) => type === 'entry');
    const tree = (seq: unknown) => rows.find((row) => row.seq === seq)?.tree;
    const backs = rows.filter(({ kind }) => kind === 'rollback');
    expect(backs.map(({ ok }) => ok)).toEqual([true, true]);
    expect(backs.map((row) => row.tree)).toEqual([tree(2), tree(3)]);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\n');
  }, 300_000);

  it('goes on with a session, and from a fork, in new machines that are proved again', async () => {
    const bash = (command: string) => ({ calls: [{ tool: 'bash', input: { command } }] });
    const { home, model, run } = setUp([bash('echo two >> a.txt; rm -r src'), { text: 'Done.' }]);
    expect((await run(['run', 'go', ...model])).code).toBe(0);
    const again = join(home, 'again.jsonl');
    writeReplay(again, [{ text: 'had' }, { text: 'had' }, bash('cat a.txt; ls src'), { text: 'Done.' }]);
    const more = [...SMALL, '--model', `replay/${again}`];
    const resumed = await run(['resume', '-p', 'go on', ...more]);
    expect([resumed.code, resumed.stdout]).toEqual([
      0,
      expect.stringMatching(/one[\s\S]*two[\s\S]*src.*No such file/),
    ]);
    const first = join(home, 'first.jsonl');
    writeReplay(first, [bash('cat a.txt src/b.txt'), { text: 'Done.' }]);
    const forked = await run(['fork', '1', '-p', 'start over', ...SMALL, '--model', `replay/${first}`]);
    expect([forked.code, forked.stdout]).toEqual([0, expect.stringMatching(/│ one\s+│ b/)]);
    const rows = jsonLines((await run(['log', '--json', '--verify'])).stdout).filter(
      ({ type }) => type === 'entry',
    );
    expect(rows.map(({ kind }) => kind)).toEqual(['initial', 'fork', 'resume', 'tool']);
    expect(rows[2]?.isolation).toMatch(/^vm qemu/);
    expect(rows[2]?.proof).toMatch(/ok canary/);
  }, 300_000);
});
