import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { GIT_ENVIRONMENT } from '../../src/git/git-program.ts';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';

const FILES = { 'src/main.ts': 'one\ntwo\nthree\nfour\nfive\n', 'old.ts': 'gone\n', 'keep.ts': 'kept\n' };
const bash = (command: string) => ({ tool: 'bash', input: { command } });
const STEPS = [
  { text: 'I look.', calls: [{ tool: 'read', input: { path: 'src/main.ts' } }] },
  {
    calls: [
      { tool: 'edit', input: { path: 'src/main.ts', edits: [{ old_string: 'two', new_string: 'TWO' }] } },
      bash(
        "rm old.ts; mv src/main.ts src/moved.ts; printf 'x\\r\\n\\0' > data.bin; printf 'a\\r\\nb' > dos.txt",
      ),
    ],
  },
  {
    calls: [
      bash(
        "echo '<b>six</b>' >> src/moved.ts; mkdir -p n/.git; touch n/.git/x; ln -s /etc/passwd out; exit 3",
      ),
    ],
  },
  { text: 'All <i>done</i>.' },
];

/** A project with git and a finished session, and ways to ask about both. */
async function setUp(prompt = 'make it\nbetter') {
  const home = temporaryFolder();
  const project = makeProject(home, FILES);
  const git = (...args: string[]) => gitIn(project, ...args);
  git('init', '-q', '-b', 'main');
  git('add', '-A');
  git('commit', '-q', '-m', 'first');
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, STEPS);
  const run = (...args: string[]) => runCli(args, { home, cwd: project, env: { TZ: 'UTC' } });
  const result = await run('run', prompt, '--demo', '--model', `replay/${replay}`);
  if (result.code !== 0) throw new Error(result.stderr);
  const rows = async (...args: string[]) => jsonLines((await run(...args, '--json')).stdout);
  const [session] = await rows('sessions');
  return { home, project, git, run, rows, id: String(session?.session) };
}

function gitIn(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
    env: { ...GIT_ENVIRONMENT, GIT_ALLOW_PROTOCOL: 'file' },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** A fresh checkout of what the session began with. */
function checkout(home: HostPath, name: string): HostPath {
  gitIn(home, 'clone', '-q', join(home, 'project'), join(home, name));
  return join(home, name) as HostPath;
}

describe('log', () => {
  it('groups entries under their prompts, with what ran and what came of it', async () => {
    const { run } = await setUp();
    const { stdout } = await run('log');
    expect(stdout.split('\n').map((line) => line.replace(/ [0-9a-f]{10} .*?\d s/, ''))).toEqual([
      expect.stringMatching(/^ {3}#1 .*initial snapshot$/),
      'Turn 1  make it ⏎ better',
      expect.stringMatching(/^ {3}#2 .*read src\/main\.ts$/),
      expect.stringMatching(/^ {3}#3 .*1 file \+1 -1 .*edit src\/main\.ts$/),
      expect.stringMatching(/^ {3}#4 .*exit 0 .*5 files \+7 -6 .*bash rm old\.ts/),
      expect.stringMatching(/^ {3}#5 .*exit 3 .*2 files \+1 -0 .*bash echo .*\(1 skipped\)/),
      '',
    ]);
  });

  it('narrows to turns, tools, files and the last entries', async () => {
    const { rows, run } = await setUp();
    const seqs = async (...args: string[]) =>
      (await rows('log', ...args)).flatMap((row) => (row.type === 'entry' ? [row.seq] : []));
    expect(await seqs()).toEqual([1, 2, 3, 4, 5]);
    expect(await seqs('-n', '2')).toEqual([4, 5]);
    expect(await seqs('--turn', '1')).toEqual([2, 3, 4, 5]);
    expect(await seqs('--tool', 'bash', '-n', '1')).toEqual([5]);
    expect(await seqs('--file', 'src/moved.ts')).toEqual([3, 4, 5]);
    expect(await seqs('--file', './old.ts')).toEqual([4]);
    expect((await run('log', '--file', 'none')).code).toBe(2);
    expect((await run('log', '--file', '../up')).code).toBe(2);
  });

  it('tells prompts, lines and inputs as JSON', async () => {
    const { rows } = await setUp();
    const log = await rows('log');
    expect(log.map(({ type }) => type)).toEqual(['entry', 'turn', 'entry', 'entry', 'entry', 'entry']);
    expect(log[1]).toMatchObject({ turn: 1, prompt: 'make it\nbetter', reason: 'done' });
    expect(log[3]).toMatchObject({
      changed: ['src/main.ts'],
      lines: { added: 1, removed: 1 },
      input: { path: 'src/main.ts' },
    });
  });

  it('ends with 4 and names what is wrong when the ledger is damaged', async () => {
    const { home, run, id } = await setUp();
    const packs = join(home, 'sc/state/sessions', id, 'ledger/objects/pack');
    const pack = readdirSync(packs).find((name) => name.endsWith('.pack')) ?? '';
    const bytes = readFileSync(join(packs, pack));
    bytes.fill(0x55, 20, bytes.length - 20);
    execFileSync('chmod', ['u+w', join(packs, pack)]);
    writeFileSync(join(packs, pack), bytes);
    const result = await run('log', '--verify');
    expect([result.code, result.stderr]).toEqual([4, expect.stringContaining('damaged')]);
  });
});

describe('show', () => {
  it('gives prompt, input, result and difference of one entry', async () => {
    const { run, rows, id } = await setUp();
    const { stdout } = await run('show', '5');
    for (const part of [
      '#5 ',
      'make it\n  better',
      "echo '<b>six</b>'",
      'exit code 3',
      '+<b>six</b>',
      'n/.git: nested-git',
    ])
      expect(stdout).toContain(part);
    expect((await run('show', id.slice(0, 6), '#5')).stdout).toBe(stdout);
    const [row] = await rows('show', '3');
    expect(row).toMatchObject({
      seq: 3,
      prompt: 'make it\nbetter',
      output: expect.stringContaining('Edited'),
      changes: [{ path: 'src/main.ts', change: 'modified' }],
    });
    expect((await run('show', '3', '--stat')).stdout).toContain('Changes in this entry (1 file, +1 -1)');
    expect((await run('show', '99')).code).toBe(2);
  });
});

describe('diff', () => {
  it('takes ranges and paths', async () => {
    const { run } = await setUp();
    const names = async (...args: string[]) =>
      (await run('diff', '--name-only', ...args)).stdout.trim().split('\n');
    expect(await names()).toEqual(
      ['data.bin', 'dos.txt', 'old.ts', 'out', 'src/main.ts', 'src/moved.ts'].filter(
        (name) => name !== 'src/main.ts',
      ),
    );
    expect(await names('2..3')).toEqual(['src/main.ts']);
    expect(await names('..3')).toEqual(['src/main.ts']);
    expect(await names('4..')).toEqual(await names('4'));
    expect(await names('4')).toEqual(['out', 'src/moved.ts']);
    expect(await names('--', 'src', '*.bin')).toEqual(['data.bin', 'src/moved.ts']);
    expect(await names('1..3', '--', 'old.ts')).toEqual(['']);
    expect((await run('diff', '2', '3', '4')).code).toBe(2);
  });

  it('is a patch that git applies, binaries, links, renames and line ends included', async () => {
    const { home, run } = await setUp();
    const { stdout } = await run('diff');
    const fresh = checkout(home, 'fresh');
    execFileSync('git', ['-C', fresh, 'apply', '--whitespace=nowarn', '-'], {
      input: stdout,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    expect(readFileSync(join(fresh, 'src/moved.ts'), 'utf8')).toBe(
      'one\nTWO\nthree\nfour\nfive\n<b>six</b>\n',
    );
    expect(readFileSync(join(fresh, 'data.bin'), 'latin1')).toBe('x\r\n\0');
    expect(readFileSync(join(fresh, 'dos.txt'), 'latin1')).toBe('a\r\nb');
    expect(existsSync(join(fresh, 'old.ts'))).toBe(false);
  });

  it('is coloured when asked to be', async () => {
    const { run } = await setUp();
    expect((await run('diff', '2..3', '--color', 'always')).stdout).toContain('\x1b[32m+TWO\x1b[39m');
    expect((await run('diff', '2..3')).stdout).not.toContain('\x1b');
  });
});

describe('blame', () => {
  it('names for each line who wrote it, through a rename', async () => {
    const { run, rows, id } = await setUp();
    const { stdout } = await run('blame', 'src/moved.ts');
    expect(stdout).toMatch(/^project +1 │ one\n#3 edit src\/main\.ts +2 │ TWO\nproject +3 │ three\n/);
    expect(stdout).toMatch(/\n#5 bash echo.* 6 │ <b>six<\/b>\n/);
    expect(stdout).toContain('turn 1: make it ⏎ better');
    expect((await run('blame', id, 'src/moved.ts')).stdout).toBe(stdout);
    const lines = (await rows('blame', 'src/moved.ts')).filter(({ type }) => type === 'blame.line');
    expect(lines.map(({ line, seq, text, was }) => [line, seq, text, was])).toEqual([
      [1, null, 'one\n', { path: 'src/main.ts', line: 1 }],
      [2, 3, 'TWO\n', { path: 'src/main.ts', line: 2 }],
      [3, null, 'three\n', { path: 'src/main.ts', line: 3 }],
      [4, null, 'four\n', { path: 'src/main.ts', line: 4 }],
      [5, null, 'five\n', { path: 'src/main.ts', line: 5 }],
      [6, 5, '<b>six</b>\n', { path: 'src/moved.ts', line: 6 }],
    ]);
    expect((await run('blame', 'src/moved.ts', '--lines', '6')).stdout).not.toContain('TWO');
    expect((await run('blame', 'src/main.ts', '--at', '3')).stdout).toContain('TWO');
    for (const args of [['none'], ['data.bin'], ['out'], ['src/moved.ts', '--lines', '9,8']])
      expect((await run('blame', ...args)).code).toBe(2);
  });
});

describe('the output of a command that a person ran', () => {
  it('is on its page and in the report, with both ends of what is long', async () => {
    const home = temporaryFolder();
    const project = makeProject(home, FILES);
    const run = (...args: string[]) => runCli(args, { home, cwd: project });
    const command = 'echo begun; head -c 200000 /dev/zero | tr "\\0" x; echo; echo "<b>ended</b>"';
    expect((await run('exec', '--demo', '--', 'sh', '-c', command)).code).toBe(0);
    const [shown] = jsonLines((await run('show', '2', '--json')).stdout);
    expect(shown?.output).toMatch(/^begun\nx+\n… 134\d\d\d bytes are left out here …\nx+\n<b>ended<\/b>\n$/);
    expect((await run('show', '2')).stdout).toMatch(/Output[\s\S]*begun/);
    expect((await run('export', '--html', '--output', '-')).stdout).toContain('&lt;b&gt;ended&lt;/b&gt;');
  });
});

describe('a label', () => {
  it('names an entry for show and diff, alone and as an end of a range', async () => {
    const { run, rows } = await setUp();
    expect((await run('snapshot', 'as it was')).code).toBe(0);
    const [shown] = await rows('show', 'as it was');
    expect(shown).toMatchObject({ type: 'entry', label: 'as it was' });
    const [between] = await rows('diff', '#2..as it was');
    expect(between).toMatchObject({ type: 'changes', to: shown?.entry });
    const [since] = await rows('diff', 'as it was..');
    expect(since).toMatchObject({ from: shown?.entry, changes: [] });
    expect((await run('show', 'no such label')).code).toBe(2);
  });
});

describe('export', () => {
  it('gives a patch, whole or step by step, without what git or apply would refuse', async () => {
    const { home, run } = await setUp();
    const patch = await run('export', '--patch');
    expect(patch.stderr).toContain('Left out: out (the symlink is absolute)');
    expect(patch.stdout).toMatch(/^Left out: out /);
    const whole = checkout(home, 'whole');
    execFileSync('git', ['-C', whole, 'apply', '-'], {
      input: patch.stdout,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const mailbox = join(home, 'steps.mbox');
    expect((await run('export', '--patch', '--steps', '--output', mailbox)).code).toBe(0);
    const steps = checkout(home, 'steps');
    gitIn(steps, 'am', '-q', mailbox);
    expect(gitIn(steps, 'log', '--reverse', '--format=%s').split('\n').slice(0, 3)).toEqual([
      'first',
      'edit src/main.ts',
      expect.stringContaining('bash rm old.ts'),
    ]);
    for (const name of ['src/moved.ts', 'data.bin', 'dos.txt'])
      expect(readFileSync(join(steps, name))).toEqual(readFileSync(join(whole, name)));
  });

  it('gives a bundle that git clones, and never in the place of a file', async () => {
    const { home, run, id } = await setUp();
    const result = await run('export', '--bundle', '--output', join(home, 'x.bundle'));
    expect(result.code).toBe(0);
    gitIn(home, 'clone', '-q', join(home, 'x.bundle'), join(home, 'clone'));
    expect(gitIn(join(home, 'clone'), 'fsck', '--strict')).toBe('');
    expect(gitIn(join(home, 'clone'), 'rev-list', '--count', 'HEAD').trim()).toBe('5');
    const again = await run('export', '--bundle', '--output', join(home, 'x.bundle'));
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('--force')]);
    expect((await run('export', id, '--bundle', '--output', join(home, 'x.bundle'), '--force')).code).toBe(0);
    expect((await run('export', '--bundle', '--output', join(home, 'none/x'))).code).toBe(2);
    expect(readdirSync(home).filter((name) => name.startsWith('.safe-coder'))).toEqual([]);
  });

  it('gives a branch of the project, which is otherwise as it was', async () => {
    const { project, git, run, rows } = await setUp();
    writeFileSync(join(project, 'keep.ts'), 'edited later\n');
    const before = Object.entries(pictureOf(project)).filter(
      ([name]) => !/^\.git(\/(objects|refs|logs)|$)/.test(name),
    );
    const [made] = await rows('export', '--branch', 'agent/work');
    expect(made).toMatchObject({
      type: 'export',
      form: 'branch',
      branch: 'agent/work',
      commits: 3,
      uncommitted: [],
      leftOut: [{ path: 'out' }],
    });
    expect(
      Object.entries(pictureOf(project)).filter(([name]) => !/^\.git(\/(objects|refs|logs)|$)/.test(name)),
    ).toEqual(before);
    expect(git('rev-parse', 'agent/work~3')).toBe(git('rev-parse', 'main'));
    expect(git('ls-tree', '-r', '--name-only', 'agent/work').trim().split('\n')).toEqual([
      'data.bin',
      'dos.txt',
      'keep.ts',
      'src/moved.ts',
    ]);
    expect(git('log', '-1', '--format=%B', 'agent/work~2')).toMatch(
      /make it\nbetter\n\nSafe-Coder-Session: /,
    );
    expect((await run('export', '--branch', 'agent/work')).code).toBe(2);
    expect((await run('export', '--branch', 'one', '--squash')).stderr).toContain('1 commit');
  });

  it('begins with what was applied, which the project has already; its steps and its page begin with the session', async () => {
    const { home, run } = await setUp();
    expect((await run('apply', '--yes', '--accept', 'dos.txt')).code).toBe(0);
    const rest = await run('export', '--patch');
    expect(rest.stdout).toContain('data.bin');
    expect(rest.stdout).not.toContain('dos.txt');
    expect((await run('export', '--patch', '--steps')).stdout).toContain('dos.txt');
    expect((await run('export', '--branch', 'rest', '--squash')).code).toBe(0);
    await run('apply', '--yes');
    expect((await run('export', '--html', '--output', join(home, 'page.html'))).code).toBe(0);
    expect(readFileSync(join(home, 'page.html'), 'utf8')).toMatch(/Changes[\s\S]*dos\.txt/);
  });

  it('gives only what was accepted, once something was', async () => {
    const { home, run, id } = await setUp();
    expect((await run('export', '--patch', '--accepted')).code).toBe(2);
    const decisions = {
      version: 1,
      decisions: [
        { path: 'dos.txt', decision: 'accept' },
        { path: 'old.ts', decision: 'reject' },
      ],
    };
    writeFileSync(join(home, 'sc/state/sessions', id, 'decisions.json'), JSON.stringify(decisions));
    const { stdout } = await run('export', '--patch', '--accepted');
    expect(stdout.match(/^diff --git .*$/gm)).toEqual(['diff --git a/dos.txt b/dos.txt']);
  });

  it('gives one page with everything on it, and no markup of others', async () => {
    const { home, run } = await setUp();
    const file = join(home, 'page.html');
    expect((await run('export', '--html', '--output', file)).code).toBe(0);
    const html = readFileSync(file, 'utf8');
    for (const part of [
      'make it\nbetter',
      'All &lt;i&gt;done&lt;/i&gt;.',
      '+&lt;b&gt;six&lt;/b&gt;',
      'Verified: all 5 entries',
      'nested-git',
      'id="entry-5"',
    ])
      expect(html).toContain(part);
    expect(html).not.toMatch(/<b>|<i>|<script/);
    expect((await run('export', '--html', '--output', '-')).stdout).toContain('<!DOCTYPE html>');
  });

  it.each([
    [],
    ['--patch', '--html'],
    ['--html', '--steps'],
    ['--bundle', '--accepted'],
    ['--patch', '--squash'],
  ])('refuses flags that do not fit: %s %s', async (...flags) => {
    const home = temporaryFolder();
    const result = await runCli(['export', ...flags.filter(Boolean)], { home, cwd: makeProject(home, {}) });
    expect(result.code).toBe(2);
  });
});
