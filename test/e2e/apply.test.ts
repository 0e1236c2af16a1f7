import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';

const BASE = 'one\ntwo\nthree\nfour\nfive\n';

/** A project in which a session changed the last line of `a.txt` and added `b.txt`. */
async function afterSession(command = "sed -i 's/five/FIVE/' a.txt; echo new > b.txt") {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': BASE, 'keep.txt': 'same\n' });
  const run = (args: string[]) => runCli(args, { home, cwd: project });
  expect((await run(['exec', '--demo', '--', 'sh', '-c', command])).code).toBe(0);
  const text = (name: string) => readFileSync(join(project, name), 'utf8');
  const edit = (from: string, to: string) =>
    writeFileSync(join(project, 'a.txt'), text('a.txt').replace(from, to));
  return { home, project, run, text, edit };
}

describe('apply, where the host changed meanwhile', () => {
  it('merges, names what it merged, and undo restores what the host had', async () => {
    const { project, run, text, edit } = await afterSession();
    edit('one', 'ONE');
    const before = pictureOf(project);
    const preview = await run(['apply', '--dry-run']);
    expect(preview.code).toBe(0);
    expect(preview.stdout).toMatch(/merge +a\.txt/);
    expect(preview.stdout).toMatch(/2 files, .* to write, 1 merged/);
    const applied = await run(['apply', '--yes', '--json']);
    expect(applied.code).toBe(0);
    expect(jsonLines(applied.stdout).at(-1)).toMatchObject({
      type: 'applied',
      merged: [{ path: 'a.txt' }],
      conflicts: [],
    });
    expect(text('a.txt')).toBe('ONE\ntwo\nthree\nfour\nFIVE\n');
    edit('three', 'THREE');
    expect((await run(['undo', '--yes'])).code).toBe(0);
    expect(text('a.txt')).toBe('ONE\ntwo\nTHREE\nfour\nfive\n');
    expect((await run(['undo', '--redo', '--yes'])).code).toBe(0);
    expect(text('a.txt')).toBe('ONE\ntwo\nTHREE\nfour\nFIVE\n');
    expect((await run(['undo', '--yes'])).code).toBe(0);
    edit('THREE', 'three');
    expect(Object.keys(pictureOf(project))).toEqual(Object.keys(before));
  });

  it.each([
    ['mine', 0, 'one\ntwo\nthree\nfour\nmine\n'],
    ['theirs', 0, 'one\ntwo\nthree\nfour\nFIVE\n'],
    [
      'markers',
      6,
      "one\ntwo\nthree\nfour\n<<<<<<< mine (the project)\nmine\n=======\nFIVE\n>>>>>>> theirs (the agent's)\n",
    ],
  ])('does with a conflict what --on-conflict %s says', async (choice, code, result) => {
    const { run, text, edit } = await afterSession();
    edit('five', 'mine');
    const untouched = await run(['apply', '--yes']);
    expect([untouched.code, untouched.stderr.includes('--on-conflict')]).toEqual([6, true]);
    expect([text('a.txt'), text('b.txt')]).toEqual(['one\ntwo\nthree\nfour\nmine\n', 'new\n']);
    expect((await run(['apply', '--yes', '--on-conflict', choice])).code).toBe(code);
    expect(text('a.txt')).toBe(result);
  });

  it('does with a conflict what the decisions say', async () => {
    const { home, run, text, edit } = await afterSession();
    edit('five', 'mine');
    const file = join(home, 'decisions.json');
    const decision = {
      path: 'a.txt',
      decision: 'accept',
      onConflict: 'edit',
      resolution: { text: 'by hand\n' },
    };
    writeFileSync(file, JSON.stringify({ version: 1, decisions: [decision] }));
    const result = await run(['apply', '--yes', '--decisions', file]);
    expect(result.code, result.stderr).toBe(0);
    expect(text('a.txt')).toBe('by hand\n');
  });
});

describe('apply, before anything is written', () => {
  it('does not delete many files because of --yes alone', async () => {
    const home = temporaryFolder();
    const files = Object.fromEntries(Array.from({ length: 12 }, (_, n) => [`f${n}.txt`, `${n}\n`]));
    const project = makeProject(home, files);
    const run = (args: string[]) => runCli(args, { home, cwd: project });
    expect((await run(['exec', '--demo', '--', 'sh', '-c', 'rm f*.txt'])).code).toBe(0);
    const refused = await run(['apply', '--yes']);
    expect([refused.code, refused.stderr.includes('--allow-mass-delete')]).toEqual([5, true]);
    expect(existsSync(join(project, 'f0.txt'))).toBe(true);
    expect((await run(['apply', '--yes', '--allow-mass-delete'])).code).toBe(0);
    expect(existsSync(join(project, 'f0.txt'))).toBe(false);
  });

  it('does not write what git has an unfinished merge of, and warns of the merge', async () => {
    const home = temporaryFolder();
    const project = makeProject(home, { 'a.txt': BASE });
    const git = (...args: string[]) =>
      execFileSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@x', ...args], {
        cwd: project,
        stdio: 'pipe',
      });
    git('init', '-q', '-b', 'main');
    git('add', '.');
    git('commit', '-q', '-m', 'base');
    git('checkout', '-q', '-b', 'other');
    writeFileSync(join(project, 'a.txt'), BASE.replace('one', 'other'));
    git('commit', '-q', '-a', '-m', 'other');
    git('checkout', '-q', 'main');
    writeFileSync(join(project, 'a.txt'), BASE.replace('one', 'main'));
    git('commit', '-q', '-a', '-m', 'main');
    expect(() => git('merge', 'other')).toThrow();
    const run = (args: string[]) => runCli(args, { home, cwd: project });
    const command = "sed -i 's/five/FIVE/' a.txt; echo new > b.txt";
    expect((await run(['exec', '--demo', '--', 'sh', '-c', command])).code).toBe(0);
    const index = readFileSync(join(project, '.git/index'));
    const conflicted = readFileSync(join(project, 'a.txt'), 'utf8');
    const result = await run(['apply', '--yes']);
    expect(result.code).toBe(6);
    expect(result.stderr).toContain('A merge is unfinished');
    expect(result.stderr).toContain('git has an unfinished merge of it');
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe(conflicted);
    expect(existsSync(join(project, 'b.txt'))).toBe(true);
    expect(readFileSync(join(project, '.git/index')).equals(index)).toBe(true);
    expect((await run(['apply', '--yes', '--on-conflict', 'theirs'])).code).toBe(0);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe(conflicted.replace('five', 'FIVE'));
  });

  it('goes on in one project when the journal of another is damaged, and names it', async () => {
    const { home, run, text } = await afterSession();
    const journals = join(home, 'sc/state/apply');
    mkdirSync(journals, { recursive: true });
    writeFileSync(join(journals, '1-2.journal'), 'not json');
    const result = await run(['apply', '--yes']);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stderr).toContain('1-2.journal');
    expect(text('b.txt')).toBe('new\n');
  });
});

describe('conflicts on a terminal', () => {
  it('are shown with both sides and settled one by one, also in an editor', async () => {
    const { home, project, text, edit } = await afterSession();
    edit('five', 'mine');
    const editor = "sed -i -e '/^[<=>]/d'";
    const terminal = openTerminal(['apply'], { home, cwd: project, env: { EDITOR: editor } });
    await terminal.waitFor(/leave it alone/);
    expect(terminal.screen()).toMatch(/What you changed:.*\+mine.*What the agent changed:.*\+FIVE/s);
    terminal.type('e\r');
    await terminal.waitFor(/Write these 2 changes/);
    terminal.type('y\r');
    expect(await terminal.exited).toBe(0);
    expect(text('a.txt')).toBe('one\ntwo\nthree\nfour\nmine\nFIVE\n');
    expect(text('b.txt')).toBe('new\n');
  });

  it('stay conflicts when Enter says so', async () => {
    const { home, project, text, edit } = await afterSession();
    edit('five', 'mine');
    const terminal = openTerminal(['apply'], { home, cwd: project });
    await terminal.waitFor(/leave it alone/);
    terminal.type('\r');
    await terminal.waitFor(/Write this change/);
    terminal.type('y\r');
    expect(await terminal.exited).toBe(6);
    expect(text('a.txt')).toContain('mine');
    expect(text('b.txt')).toBe('new\n');
  });
});
