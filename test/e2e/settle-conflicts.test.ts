import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';

const BASE = 'one\ntwo\nthree\n';
const MINE = 'one\ntwo\nmine\n';
const MARKED = "one\ntwo\n<<<<<<< mine (the project)\nmine\n=======\nTHREE\n>>>>>>> theirs (the agent's)\n";
const EDIT = {
  calls: [{ tool: 'bash', input: { command: 'sed -i s/three/THREE/ a.txt; echo new > b.txt' } }],
};

/** Each way to settle: the key, its name, what the file holds then, and how a chat that ends with it exits. */
const WAYS = [
  ['m', 'mine', MINE, 0],
  ['t', 'theirs', 'one\ntwo\nTHREE\n', 0],
  ['k', 'markers', MARKED, 6],
  ['e', 'edit', 'one\ntwo\nmine\nTHREE\n', 0],
  ['', 'nothing', MINE, 6],
] as const;

function setUp() {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': BASE });
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, [EDIT, { text: 'Done.' }]);
  const env = { EDITOR: "sed -i -e '/^[<=>]/d'" };
  const model = ['--demo', '--model', `replay/${replay}`];
  const open = () => openTerminal(['chat', ...model], { home, cwd: project, env });
  const run = (args: string[]) => runCli(args, { home, cwd: project });
  const read = (name: string) => readFileSync(join(project, name), 'utf8');
  return { project, model, open, run, read };
}

/** A chat whose agent changed a line that the person changed as well. */
async function inConflict() {
  const { project, open, ...rest } = setUp();
  const terminal = open();
  await terminal.waitFor(/› $|>$/);
  terminal.type('go\r');
  await terminal.waitFor(/Done\./);
  writeFileSync(join(project, 'a.txt'), MINE);
  return { project, terminal, ...rest };
}

describe('a conflict in a session that runs', () => {
  it.each(WAYS)('is settled with %j by /apply: %s', async (key, _, result) => {
    const { terminal, read } = await inConflict();
    terminal.type('/apply\r');
    await terminal.waitFor(/apply>$/);
    terminal.type('a\r');
    await terminal.waitFor(/leave it alone >$/);
    expect(terminal.screen()).toMatch(/What you changed:.*\+mine.*What the agent changed:.*\+THREE/s);
    terminal.type(`${key}\r`);
    await terminal.waitFor(/Changes synced to host/);
    expect(read('a.txt')).toBe(result);
    expect(read('b.txt')).toBe('new\n');
    if (key === 'k') await terminal.waitFor(/a\.txt holds conflict markers/);
    if (key === '') await terminal.waitFor(/a\.txt was left alone/);
    terminal.type('/quit\r');
    // What did not land is asked about once more.
    if (result === MINE) {
      await terminal.waitFor(/apply>$/);
      terminal.type('n\r');
    }
    await terminal.exited;
    expect(read('a.txt')).toBe(result);
  });

  it.each(WAYS)('is settled with %j at its end: %s', async (key, _, result, code) => {
    const { terminal, read } = await inConflict();
    terminal.type('/quit\r');
    await terminal.waitFor(/apply>$/);
    terminal.type('a\r');
    await terminal.waitFor(/leave it alone >$/);
    terminal.type(`${key}\r`);
    expect(await terminal.exited).toBe(code);
    expect([read('a.txt'), read('b.txt')]).toEqual([result, 'new\n']);
  });

  it.each(WAYS)('is settled with %j after /review: %s', async (key, _, result) => {
    const { terminal, read } = await inConflict();
    terminal.type('/review\r');
    await terminal.waitFor(/2 files/);
    terminal.type('Sqa');
    await terminal.waitFor(/leave it alone >$/);
    terminal.type(`${key}\r`);
    await terminal.waitFor(/Changes synced to host/);
    expect([read('a.txt'), read('b.txt')]).toEqual([result, 'new\n']);
  });
});

describe('--apply safe', () => {
  it('leaves alone what the host changed as well, and all else lands', async () => {
    const { project, run, model, read } = setUp();
    await run(['run', 'go', ...model]);
    writeFileSync(join(project, 'a.txt'), MINE);
    const applied = await run(['apply', '--safe', '--yes', '--on-conflict', 'theirs']);
    expect(applied.code, applied.stderr).toBe(0);
    expect([read('a.txt'), read('b.txt')]).toEqual([MINE, 'new\n']);
    const reviewed = await run(['review', '--apply', 'safe', '--yes', '--json']);
    expect([reviewed.code, read('a.txt')]).toEqual([0, MINE]);
  });

  it('does so in a session that runs, which ends well and tells all its changes', async () => {
    const { project, run, model, read } = setUp();
    // The agent's own tool changes the host's file: in demo mode nothing is isolated.
    const replay = join(project, '../other.jsonl');
    writeReplay(replay, [
      {
        calls: [
          {
            tool: 'bash',
            input: {
              command: `${EDIT.calls[0]?.input.command}; printf '${'one\\ntwo\\nmine\\n'}' > ${project}/a.txt`,
            },
          },
        ],
      },
      { text: 'Done.' },
    ]);
    const result = await run([
      'run',
      'go',
      '--apply',
      'safe',
      '--json',
      ...model.slice(0, 2),
      `replay/${replay}`,
    ]);
    expect([result.code, read('a.txt'), read('b.txt')]).toEqual([0, MINE, 'new\n']);
    const end = jsonLines(result.stdout).at(-1) ?? {};
    expect(end).toMatchObject({
      type: 'session.end',
      ok: true,
      applied: ['b.txt'],
      conflicts: [],
      marked: [],
    });
    expect(end.changes).toEqual([
      expect.objectContaining({ path: 'a.txt', change: 'modified' }),
      expect.objectContaining({ path: 'b.txt', change: 'added' }),
    ]);
  });
});
