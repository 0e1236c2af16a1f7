import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { killGroup } from '../../src/base/process.ts';
import { cliCommand, cliEnvironment, jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';

type Step = Record<string, unknown>;

const bash = (command: string): Step => ({ calls: [{ tool: 'bash', input: { command } }] });
/** Steps that the conversation has had already: a recording goes on after as many as it has answers. */
const had = (count: number): Step[] => Array.from({ length: count }, () => ({ text: 'had' }));

function setUp() {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': 'one\n', 'src/b.txt': 'b\n' });
  let replays = 0;
  const model = (steps: readonly Step[]) => {
    const file = join(home, `replay-${replays++}.jsonl`);
    writeReplay(file, steps);
    return ['--demo', '--model', `replay/${file}`];
  };
  const run = (args: string[]) => runCli(args, { home, cwd: project });
  /** Rows of a command; of a log, its entries. */
  const json = async (args: string[]) =>
    jsonLines((await run([...args, '--json'])).stdout).filter(({ type }) => type !== 'turn');
  const work = async () =>
    run([
      'run',
      'do it',
      ...model([
        bash('echo two >> a.txt; echo new > n.txt'),
        bash('rm -r src a.txt; mkdir a.txt; echo d > a.txt/d'),
        { text: 'Done.' },
      ]),
    ]);
  return { home, project, model, run, json, work };
}

const trees = async (json: (args: string[]) => Promise<Record<string, unknown>[]>, id: string[] = []) =>
  new Map((await json(['log', ...id])).map((row) => [row.seq, row.tree]));

describe('going back in a session that has ended', () => {
  it('brings back files and conversation, is an entry, and can be undone', async () => {
    const { project, run, json, work } = setUp();
    const before = pictureOf(project);
    await work();
    const shown = await run(['rollback', '2']);
    expect(shown.stderr).toMatch(/back to #2[\s\S]*a\.txt\/d[\s\S]*src\/b\.txt[\s\S]*✓ Back to #2/);
    const after = await trees(json);
    expect(after.get(4)).toBe(after.get(2));
    expect((await json(['log'])).at(-1)).toMatchObject({ kind: 'rollback', scope: 'both', ok: true });
    expect((await run(['rollback', '3'])).code).toBe(0);
    const undone = await trees(json);
    expect(undone.get(5)).toBe(undone.get(3));
    expect((await run(['log', '--verify'])).stdout).toContain('✓ Verified 5 entries');
    expect(pictureOf(project)).toEqual(before);
  });

  it('takes labels, and refuses labels that could be other names', async () => {
    const { run, json, work } = setUp();
    await work();
    expect((await json(['snapshot', 'before lunch']))[0]).toMatchObject({ type: 'snapshot', seq: 4 });
    expect((await json(['rollback', '1']))[0]).toMatchObject({ type: 'rollback', toSeq: 1, scope: 'both' });
    expect((await json(['rollback', 'before lunch', '--files']))[0]).toMatchObject({
      toSeq: 4,
      scope: 'files',
    });
    for (const label of ['7', '#7', 'HEAD', 'abcdef', 'a..b', '']) {
      expect((await run(['snapshot', label])).code).toBe(2);
    }
    const refused = await run(['rollback', 'no such label']);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('safe-coder log')]);
    expect((await run(['rollback', '1', '--files', '--conversation'])).code).toBe(2);
  });
});

describe('going on with a session', () => {
  it('has the files and the conversation of a rollback, and proves its isolation anew', async () => {
    const { model, run, json, work } = setUp();
    await work();
    await run(['rollback', '2']);
    const steps = [
      ...had(1),
      { expect: { user: '^go on$' }, ...bash('cat a.txt n.txt src/b.txt') },
      { text: 'Done.' },
    ];
    const resumed = await run(['resume', '-p', 'go on', ...model(steps)]);
    expect([resumed.code, resumed.stdout]).toEqual([
      0,
      expect.stringMatching(/one[\s\S]*two[\s\S]*new[\s\S]*b/),
    ]);
    const rows = await json(['log']);
    expect(rows.map((row) => row.kind)).toEqual(['initial', 'tool', 'tool', 'rollback', 'resume', 'tool']);
    expect(rows[4]).toMatchObject({ isolation: 'demo demo none', tree: rows[1]?.tree });
    expect(rows[5]).toMatchObject({ turn: 2, exitCode: 0 });
    expect((await json(['sessions']))[0]).toMatchObject({ title: 'do it' });
    expect((await run(['log', '--verify'])).code).toBe(0);
  });

  it('tells the agent when only the files went back', async () => {
    const { model, run, work } = setUp();
    await work();
    await run(['rollback', '1', '--files']);
    const steps = [
      ...had(3),
      { expect: { user: 'Rollback to #1 \\(files only\\)' }, ...bash('cat a.txt') },
      { text: 'Done.' },
    ];
    const again = await run(['run', 'go on', '--resume', ...model(steps)]);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('one')]);
  });

  it('keeps the files when only the conversation goes back', async () => {
    const { model, run, json, work } = setUp();
    await work();
    await run(['rollback', '1', '--conversation']);
    const seen = await trees(json);
    expect(seen.get(4)).toBe(seen.get(3));
    const steps = [
      { expect: { user: 'the workspace holds later changes' }, ...bash('cat a.txt/d') },
      { text: 'Done.' },
    ];
    const resumed = await run(['resume', '--prompt', 'go on', ...model(steps)]);
    expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringMatching(/│ d/)]);
  });

  it('brings the session’s state to a project that changed meanwhile, and keeps its base', async () => {
    const { project, model, run, json, work } = setUp();
    await work();
    writeFileSync(join(project, 'a.txt'), 'mine now\n');
    writeFileSync(join(project, 'other.txt'), 'mine as well\n');
    const steps = [...had(3), bash('cat a.txt/d; ls other.txt src; cat n.txt'), { text: 'Done.' }];
    const resumed = await run(['resume', '-p', 'go on', ...model(steps)]);
    expect(resumed.stderr).toMatch(/2 files of the project changed since this session began/);
    expect(resumed.stdout).toMatch(/│ d[\s\S]*other\.txt.*No such file[\s\S]*new/);
    const rows = await json(['diff', '--stat']);
    const changes = (rows[0] as { changes: { path: string }[] }).changes;
    expect(changes.map(({ path }) => path).sort()).toEqual(['a.txt', 'a.txt/d', 'n.txt', 'src/b.txt']);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('mine now\n');
  });

  it('says clearly that the project is gone, or is another one', async () => {
    const { home, project, model, run, work } = setUp();
    await work();
    const [row] = jsonLines((await run(['sessions', '--json'])).stdout);
    const id = String(row?.session);
    renameSync(project, `${project}-moved`);
    mkdirSync(project);
    const other = await run(['resume', id, '-p', 'x', ...model([])]);
    expect([other.code, other.stderr]).toEqual([
      4,
      expect.stringContaining('is not the folder that session'),
    ]);
    rmSync(project, { recursive: true });
    const gone = await runCli(['resume', id, '-p', 'x', ...model([])], { home, cwd: home });
    expect([gone.code, gone.stderr]).toEqual([4, expect.stringContaining('is gone')]);
    renameSync(`${project}-moved`, project);
    expect((await run(['log', '--verify'])).code).toBe(0);
  });

  it('names the ignored folders that are gone with the sandbox before', async () => {
    const { project, model, run } = setUp();
    writeFileSync(join(project, '.gitignore'), 'node_modules/\n');
    await run([
      'run',
      'x',
      ...model([bash('mkdir node_modules; echo m > node_modules/m'), { text: 'Done.' }]),
    ]);
    const resumed = await run(['resume', '-p', 'y', ...model([...had(2), { text: 'Done.' }])]);
    expect(resumed.stderr).toMatch(/gone with the last sandbox: node_modules/);
  });

  it('forks from any entry into a session of its own, which stands alone', async () => {
    const { model, run, json, work } = setUp();
    await work();
    const [fork] = await json(['fork', '2']);
    const origin = (fork as { origin: { session: string } }).origin.session;
    expect((await run(['rm', origin, '--yes'])).code).toBe(0);
    const steps = [...had(1), bash('cat a.txt; echo more > more.txt'), { text: 'Done.' }];
    const resumed = await run(['resume', '-p', 'go on', ...model(steps)]);
    expect([resumed.code, resumed.stdout]).toEqual([0, expect.stringMatching(/one[\s\S]*two/)]);
    expect((await json(['log'])).map((row) => row.kind)).toEqual(['initial', 'fork', 'resume', 'tool']);
    expect((await run(['log', '--verify'])).code).toBe(0);
    const changes = (await json(['diff']))[0] as { changes: { path: string }[] };
    expect(changes.changes.map(({ path }) => path)).toEqual(['a.txt', 'more.txt', 'n.txt']);
  });
});

describe('a session that was killed', () => {
  async function killed(command: string) {
    const stage = setUp();
    const { home, project, model, run } = stage;
    const marker = join(home, 'marker');
    const steps = [
      bash('echo kept > kept.txt'),
      bash(`${command}; touch ${marker}; sleep 300`),
      { text: 'never' },
    ];
    const [program, argv] = cliCommand(['run', 'do it', ...model(steps)]);
    const child = spawn(program, argv, {
      cwd: project,
      env: cliEnvironment(home),
      stdio: 'ignore',
      detached: true,
    });
    onTestFinished(() => killGroup(child.pid));
    await expect.poll(() => existsSync(marker), { timeout: 20_000 }).toBe(true);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    return { ...stage, run };
  }

  it('goes on: what was recorded is there, and the call that ran is answered as interrupted', async () => {
    const { model, run, json } = await killed('echo lost > lost.txt');
    const steps = [
      ...had(2),
      { expect: { user: '^go on$' }, ...bash('cat kept.txt; ls lost.txt') },
      { text: 'Done.' },
    ];
    const resumed = await run(['resume', '-p', 'go on', ...model(steps)]);
    expect([resumed.code, resumed.stdout]).toEqual([
      0,
      expect.stringMatching(/kept[\s\S]*lost\.txt.*No such file/),
    ]);
    expect((await json(['log'])).map((row) => row.kind)).toEqual(['initial', 'tool', 'resume', 'tool']);
    expect((await run(['log', '--verify'])).code).toBe(0);
  });
});

describe('a rollback that is killed', () => {
  it.each([0, 30, 80, 150, 300])(
    'loses nothing: after %i ms the session goes on from what is recorded, before or after it',
    async (ms) => {
      const { home, project, model, run, json } = setUp();
      const many =
        'mkdir -p many; for i in $(seq 400); do echo $i > many/$i; done; rm -r src; echo two > a.txt';
      const terminal = openTerminal(['chat', ...model([bash(many), { text: 'First.' }])], {
        home,
        cwd: project,
      });
      await terminal.waitFor(/>$/);
      terminal.type('go\r');
      await terminal.waitFor(/First\.[\s\S]*>$/);
      terminal.type('/rollback 1\r');
      await new Promise((resolve) => setTimeout(resolve, ms));
      terminal.kill('SIGKILL');
      await terminal.exited;
      expect((await run(['log', '--verify'])).code).toBe(0);
      const rows = await json(['log']);
      const last = rows.at(-1);
      const isBack = last?.kind === 'rollback';
      expect(last?.tree).toBe(rows[isBack ? 0 : 1]?.tree);
      // The conversation went back with the files or did not: a recording goes on at the step that tells.
      const steps = [...had(isBack ? 0 : 2), bash('ls many | wc -l; cat a.txt; ls src'), { text: 'Done.' }];
      const resumed = await run(['resume', '-p', 'go on', ...model(steps)]);
      expect([resumed.code, resumed.stdout]).toEqual([
        0,
        isBack ? expect.stringMatching(/│ one[\s\S]*b\.txt/) : expect.stringMatching(/│ 400\s+│ two/),
      ]);
      // And what the rollback was to leave behind can be gone back to, and forth.
      expect((await run(['rollback', '2'])).code).toBe(0);
      expect((await trees(json)).get((await json(['log'])).at(-1)?.seq)).toBe(rows[1]?.tree);
    },
    60_000,
  );
});

describe('what was applied', () => {
  it('is no change any more, until it is undone', async () => {
    const { project, model, run, json } = setUp();
    const paths = async () =>
      ((await json(['diff']))[0] as { changes: { path: string }[] }).changes.map(({ path }) => path);
    await run(['run', 'x', ...model([bash('echo two >> a.txt; echo new > n.txt'), { text: 'Done.' }])]);
    expect((await run(['apply', '--yes', '--accept', 'n.txt'])).code).toBe(0);
    expect(await paths()).toEqual(['a.txt']);
    expect((await json(['log'])).at(-1)).toMatchObject({ kind: 'applied' });
    const steps = [...had(2), bash('echo newer > n.txt'), { text: 'Done.' }];
    expect((await run(['resume', '-p', 'y', '--apply', 'all', ...model(steps)])).code).toBe(0);
    expect(readFileSync(join(project, 'n.txt'), 'utf8')).toBe('newer\n');
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
    expect(await paths()).toEqual([]);
    const again = await run(['apply', '--yes']);
    expect(again.stderr).toContain('There is nothing to apply');
    expect((await run(['undo', '--yes'])).code).toBe(0);
    expect(await paths()).toEqual(['a.txt', 'n.txt']);
    expect(readFileSync(join(project, 'n.txt'), 'utf8')).toBe('new\n');
    expect((await run(['undo', '--yes'])).code).toBe(0);
    expect(existsSync(join(project, 'n.txt'))).toBe(false);
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'n.txt'), 'utf8')).toBe('newer\n');
  });
});

describe('the way back in a chat', () => {
  it('applies what a review on the screen accepts, and tells the agent what it rejects', async () => {
    const { home, project, model, json } = setUp();
    const steps = [
      bash('echo two >> a.txt; echo worse > z.txt'),
      { text: 'First.' },
      { expect: { user: 'z\\.txt: rejected' }, ...bash('cat a.txt; ls z.txt') },
      { text: 'Second.' },
    ];
    const terminal = openTerminal(['chat', ...model(steps)], { home, cwd: project });
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/First\.[\s\S]*>$/);
    terminal.type('/review\r');
    await terminal.waitFor(/2 not decided/);
    terminal.type('a');
    await terminal.waitFor(/1 not decided/);
    terminal.type('r');
    await terminal.waitFor(/0 not decided/);
    terminal.type('q');
    await terminal.waitFor(/Leave the review/);
    terminal.type('a');
    await terminal.waitFor(/what was rejected is taken out of the sandbox \(1 changed\)[\s\S]*>$/);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
    expect(existsSync(join(project, 'z.txt'))).toBe(false);
    terminal.type('go on\r');
    await terminal.waitFor(/│ one\s+│ two[\s\S]*z\.txt.*No such file[\s\S]*Second\.[\s\S]*>$/);
    terminal.type('/changes\r');
    await terminal.waitFor(/No changes[\s\S]*>$|nothing/i);
    terminal.type('/quit\r');
    expect(await terminal.exited).toBe(0);
    const kinds = (await json(['log'])).map(({ kind }) => kind);
    expect(kinds).toEqual(['initial', 'tool', 'applied', 'applied', 'tool']);
  });

  it('keeps what was accepted in part while the agent goes on, and asks nothing about what is applied', async () => {
    const { home, project, model } = setUp();
    const lines = Array.from({ length: 30 }, (_, at) => `line ${at}\n`);
    writeFileSync(join(project, 'b.txt'), lines.join(''));
    const steps = [
      bash("sed -i 's/^line 2$/LINE 2/; s/^line 25$/LINE 25/' b.txt; echo two >> a.txt; echo worse > z.txt"),
      { text: 'First.' },
      bash('true'),
      { text: 'Second.' },
    ];
    const terminal = openTerminal(['chat', ...model(steps)], { home, cwd: project });
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/First\.[\s\S]*>$/);
    terminal.type('/review\r');
    await terminal.waitFor(/3 not decided/);
    terminal.type('a');
    await terminal.waitFor(/2 not decided/);
    terminal.type('\ta');
    await terminal.waitFor(/hunk 2 of 2/);
    terminal.type('}');
    await terminal.waitFor(/z\.txt .*hunk 1 of 1/);
    terminal.type('r');
    await terminal.waitFor(/✗ 1/);
    terminal.type('q');
    await terminal.waitFor(/Leave the review/);
    terminal.type('k');
    await terminal.waitFor(/The decisions are kept\.[\s\S]*>$/);
    terminal.type('go on\r');
    await terminal.waitFor(/Second\.[\s\S]*>$/);
    terminal.type('/apply\r');
    await terminal.waitFor(/Changes synced to host[\s\S]*>$/);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
    expect(readFileSync(join(project, 'b.txt'), 'utf8')).toBe(lines.join('').replace('line 2\n', 'LINE 2\n'));
    expect(existsSync(join(project, 'z.txt'))).toBe(false);
    terminal.type('/review\r');
    await terminal.waitFor(/1 file /);
    await terminal.waitFor(/1 not decided/);
    terminal.type('q');
    await terminal.waitFor(/>$/);
    terminal.type('/quit\r');
    await terminal.waitFor(/apply>$/);
    expect(terminal.screen()).not.toContain('To be decided again');
    terminal.type('n\r');
    expect(await terminal.exited).toBe(0);
  });

  it('snapshots, goes back, undoes that, forks, and shows log and diff', async () => {
    const { home, project, model, json } = setUp();
    const steps = [bash('echo two >> a.txt'), { text: 'First.' }];
    const terminal = openTerminal(['chat', ...model(steps)], { home, cwd: project });
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/First\.[\s\S]*>$/);
    terminal.type('/snapshot good\r');
    await terminal.waitFor(/#3 .* Snapshot: good[\s\S]*>$/);
    terminal.type('!rm -r src; echo bad > a.txt\r');
    await terminal.waitFor(/#4 · 2 changed[\s\S]*>$/);
    terminal.type('/rollback good\r');
    await terminal.waitFor(/✓ Back to #3 [\s\S]*2 files changed[\s\S]*>$/);
    terminal.type('!cat a.txt src/b.txt\r');
    await terminal.waitFor(/│ one\s+│ two\s+│ b[\s\S]*>$/);
    terminal.type('/rollback nowhere\r');
    await terminal.waitFor(/There is no entry "nowhere"[\s\S]*>$/);
    terminal.type('/rollback nowhere else\r');
    await terminal.waitFor(/There is no entry "nowhere else"[\s\S]*>$/);
    terminal.type('/diff\r');
    await terminal.waitFor(/\+two[\s\S]*>$/);
    terminal.type('/fork 2\r');
    await terminal.waitFor(/begins at #2\. To go on there: safe-coder resume [0-9a-f]{8}[\s\S]*>$/);
    terminal.type('/log\r');
    await terminal.waitFor(/rollback to #3 \(both\)[\s\S]*>$/);
    terminal.type('/apply\r');
    await terminal.waitFor(/apply>$/);
    terminal.type('a\r');
    await terminal.waitFor(/Changes synced to host[\s\S]*\n>$/);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
    terminal.type('/undo\r');
    await terminal.waitFor(/The project is as it was there[\s\S]*>$/);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\n');
    terminal.type('/quit\r');
    await terminal.waitFor(/apply>$/);
    terminal.type('n\r');
    expect(await terminal.exited).toBe(0);
    const sessions = await json(['sessions']);
    expect(sessions).toHaveLength(2);
  });
});
