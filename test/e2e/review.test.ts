import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal, type TerminalOptions } from '../support/terminal.ts';

const NUMBERS = Array.from({ length: 40 }, (_, at) => `line ${at + 1}\n`).join('');

/** A session that changed three files: two hunks in one, a new file, a risky one. */
async function setUp(
  command = "sed -i '3s/line/LINE/; 30s/line/LINE/' a.txt; echo new > b.txt; echo all: > Makefile",
) {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': NUMBERS });
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, [{ calls: [{ tool: 'bash', input: { command } }] }, { text: 'Done.' }]);
  const run = (args: string[]) => runCli(args, { home, cwd: project });
  const made = await run(['run', 'change it', '--demo', '--quiet', '--model', `replay/${replay}`]);
  expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
  const open = (args: string[] = [], options: Partial<TerminalOptions> = {}) =>
    openTerminal(['review', ...args], { home, cwd: project, columns: 100, rows: 30, ...options });
  const read = (name: string) => readFileSync(join(project, name), 'utf8');
  return { home, project, run, open, read, before: pictureOf(project) };
}

function decisionsOf(home: HostPath): unknown {
  const sessions = join(home, 'sc/state/sessions');
  const [id = ''] = readdirSync(sessions).filter((name) => /^[0-9a-f]{12}$/.test(name));
  return JSON.parse(readFileSync(join(sessions, id, 'decisions.json'), 'utf8'));
}

describe('review on a screen', () => {
  it.each([
    [80, 24],
    [160, 50],
  ])(
    'decides by hunk and file at %ix%i and writes only what was accepted, after it was asked',
    async (columns, rows) => {
      const { project, open, read, before } = await setUp();
      const terminal = open([], { columns, rows });
      await terminal.waitFor(/3 files[\s\S]*M?akefile/);
      terminal.type('/a.txt\r');
      await terminal.waitFor(/M a\.txt/);
      terminal.type('\t');
      await terminal.waitFor(/hunk 1 of 2/);
      terminal.type('a');
      await terminal.waitFor(/accepted[\s\S]*hunk 2 of 2|hunk 2 of 2[\s\S]*accepted/);
      terminal.type('r');
      await terminal.waitFor(/2 not decided/);
      terminal.type('q');
      await terminal.waitFor(/1 in part[\s\S]*a {2}apply/);
      expect(pictureOf(project)).toEqual(before);
      terminal.type('a');
      expect(await terminal.exited).toBe(0);
      expect(read('a.txt')).toBe(NUMBERS.replace('line 3\n', 'LINE 3\n'));
      expect(existsSync(join(project, 'b.txt'))).toBe(false);
    },
  );

  it('gives the terminal back as it was, and never clears what stood there', async () => {
    const { open } = await setUp();
    const terminal = open();
    await terminal.waitFor(/3 files/);
    terminal.type('q');
    expect(await terminal.exited).toBe(0);
    const raw = terminal.raw();
    expect(raw.indexOf('\x1b[?1049h')).toBeGreaterThan(-1);
    for (const [on, off] of [
      ['\x1b[?1049h', '\x1b[?1049l'],
      ['\x1b[?7l', '\x1b[?7h'],
      ['\x1b[?25l', '\x1b[?25h'],
      ['\x1b[?2004h', '\x1b[?2004l'],
      ['\x1b[?1000h', '\x1b[?1000l'],
    ] as const) {
      expect(raw.lastIndexOf(off)).toBeGreaterThan(raw.lastIndexOf(on));
    }
    expect(raw).not.toContain('\x1b[3J');
    expect(terminal.screen()).not.toContain('Makefile');
  });

  it('takes single lines, takes decisions back, and redoes them', async () => {
    const { open, home } = await setUp("printf 'one\\ntwo\\nthree\\n' > b.txt");
    const terminal = open();
    await terminal.waitFor(/A b\.txt[\s\S]*three/);
    terminal.type('\tjj ');
    await terminal.waitFor(/some lines taken/);
    terminal.type('u');
    await terminal.waitFor(/Taken back: b\.txt/);
    terminal.type('U');
    await terminal.waitFor(/some lines taken/);
    terminal.type('qa');
    expect(await terminal.exited).toBe(0);
    expect(decisionsOf(home)).toMatchObject({
      decisions: [{ decision: 'partial', hunks: [{ decision: 'lines', lines: [1] }] }],
    });
  });

  it('keeps every decision that was made before a kill', async () => {
    const { open, project, before } = await setUp();
    const first = open();
    await first.waitFor(/3 files/);
    first.type('S');
    await first.waitFor(/✓ 2 /);
    first.kill('SIGKILL');
    await first.exited;
    const second = open();
    await second.waitFor(/✓ 2 +✗ 0/);
    second.type('qk');
    expect(await second.exited).toBe(0);
    expect(pictureOf(project)).toEqual(before);
  });

  it('takes an edited hunk from the editor, and refuses one that makes no sense without losing it', async () => {
    const { open, home, read } = await setUp();
    const editor = join(home, 'editor');
    writeFileSync(
      editor,
      `#!/bin/sh\nif [ -e "${home}/once" ]; then sed -i 's/LINE 3/line three/; s/^<<<<<<< x$/mine/' "$1"; else touch "${home}/once"; echo '<<<<<<< x' >> "$1"; fi\n`,
    );
    chmodSync(editor, 0o755);
    const terminal = open([], { env: { VISUAL: editor } });
    await terminal.waitFor(/3 files/);
    terminal.type('/a.txt\r\te');
    await terminal.waitFor(/not taken: it holds a conflict marker.*kept/);
    terminal.type('e');
    await terminal.waitFor(/edited hunk is accepted/);
    terminal.type('qa');
    expect(await terminal.exited).toBe(0);
    expect(read('a.txt').split('\n').slice(0, 8)).toEqual([
      'line 1',
      'line 2',
      'line three',
      'line 4',
      'line 5',
      'line 6',
      'mine',
      'line 7',
    ]);
  });

  it('shows what is in the way before it writes, and lets a conflict be settled', async () => {
    const { open, project, read } = await setUp();
    writeFileSync(join(project, 'a.txt'), NUMBERS.replace('line 3\n', 'mine\n'));
    const terminal = open();
    await terminal.waitFor(/3 files/);
    terminal.type('/a.txt\raqa');
    await terminal.waitFor(/a\.txt[\s\S]*(mine|theirs)/);
    expect(read('a.txt')).toBe(NUMBERS.replace('line 3\n', 'mine\n'));
  });

  it('shows hostile names and bytes inert, and marks what can not be seen', async () => {
    const { open } = await setUp(
      "printf 'a\\033]0;evil\\007b\\342\\200\\256c\\033[2Jd\\n' > x.txt; touch \"$(printf 'n\\033[31mx')\"",
    );
    const terminal = open();
    await terminal.waitFor(/2 files/);
    terminal.type('/x.txt\r');
    await terminal.waitFor(/a\\x1b\]0;evil\\x07b<U\+202E>c\\x1b\[2Jd/);
    expect(terminal.screen()).toContain('n\\x1b[31mx');
    for (const attack of ['\x1b]0;evil', '\x1b[2Jd', '\u202e', 'n\x1b[31m'])
      expect(terminal.raw()).not.toContain(attack);
    terminal.type('q');
    expect(await terminal.exited).toBe(0);
  });

  it('follows the size of the window, and says when it is too small', async () => {
    const { open } = await setUp();
    const terminal = open();
    await terminal.waitFor(/3 files/);
    terminal.resize(50, 10);
    await terminal.waitFor(/needs 60 columns and 12 rows; here are\s+50 and 10/);
    terminal.resize(90, 20);
    await terminal.waitFor(/3 files[\s\S]*q leave/);
    terminal.type('q');
    expect(await terminal.exited).toBe(0);
  });

  it('names the step that wrote a line, and narrows to what it changed', async () => {
    const { open } = await setUp();
    const terminal = open();
    await terminal.waitFor(/3 files/);
    terminal.type('/b.txt\r\tj');
    terminal.type('w');
    await terminal.waitFor(
      /Who wrote this line\?[\s\S]*#2 {2}bash sed[\s\S]*Asked for in turn 1:[\s\S]*change it/,
    );
    terminal.type('f');
    await terminal.waitFor(/only: #2 bash/);
    terminal.type('q');
    expect(await terminal.exited).toBe(0);
  });

  it('uses no colour with NO_COLOR', async () => {
    const { open } = await setUp();
    const terminal = open([], { env: { NO_COLOR: '1' } });
    await terminal.waitFor(/3 files/);
    terminal.type('\t');
    await terminal.waitFor(/hunk 1 of/);
    expect(terminal.raw()).not.toMatch(/\x1b\[(\d+;)*[34]\d(;\d+)*m/);
    terminal.type('q');
    expect(await terminal.exited).toBe(0);
  });
});

describe('review in plain lines', () => {
  it('asks file by file and hunk by hunk, and moves no cursor', async () => {
    const { open, read } = await setUp();
    const terminal = open(['--plain']);
    await terminal.waitFor(/Makefile[\s\S]*Accept this hunk \[y,n,a,d,s,e,c,j,q,\?\]\?$/);
    terminal.type('n\r');
    await terminal.waitFor(/M a\.txt[\s\S]*Hunk 1 of 2[\s\S]*\+LINE 3[\s\S]*\?$/);
    terminal.type('y\r');
    await terminal.waitFor(/Hunk 2 of 2[\s\S]*\?$/);
    terminal.type('q\r');
    await terminal.waitFor(/0 accepted, 1 in part, 1 rejected, 1 not decided[\s\S]*\[a,k,d\]\?$/);
    terminal.type('a\r');
    expect(await terminal.exited).toBe(0);
    expect(read('a.txt')).toBe(NUMBERS.replace('line 3\n', 'LINE 3\n'));
    expect(terminal.raw()).not.toMatch(/\x1b\[[^m]*[A-Za-ln-z]/);
  });
});

describe('review by flags', () => {
  it('decides by patterns, keeps it, prints it, and writes nothing by itself', async () => {
    const { run, project, before, home } = await setUp();
    const shown = await run(['review', '--accept', 'a.txt', '--reject', 'Makefile']);
    expect([shown.code, shown.stdout]).toEqual([
      0,
      expect.stringMatching(
        /✗ rejected {2}A Makefile[\s\S]*✓ accepted {2}M a\.txt[\s\S]*· undecided A b\.txt/,
      ),
    ]);
    expect(pictureOf(project)).toEqual(before);
    expect(decisionsOf(home)).toMatchObject({
      version: 1,
      decisions: [
        { path: 'Makefile', decision: 'reject' },
        { path: 'a.txt', decision: 'accept' },
      ],
    });
  });

  it('is what apply goes by when it is told nothing else', async () => {
    const { run, project, read } = await setUp();
    await run(['review', '--accept', 'b.txt', '--reject', 'Makefile']);
    const done = await run(['apply', '--yes', '--json']);
    expect(jsonLines(done.stdout).at(-1)).toMatchObject({ type: 'applied', applied: ['b.txt'] });
    const again = await run(['apply', '--yes']);
    expect([again.code, again.stderr]).toEqual([
      0,
      expect.stringMatching(/As reviewed[\s\S]*nothing to apply/),
    ]);
    expect(existsSync(join(project, 'Makefile'))).toBe(false);
    expect((await run(['apply', '--yes', '--accept', '**'])).code).toBe(0);
    expect(read('a.txt')).toContain('LINE 3');
    expect(existsSync(join(project, 'Makefile'))).toBe(true);
  });

  it('applies what is safe, and leaves what carries a risk', async () => {
    const { run, project, read } = await setUp();
    const done = await run(['review', '--apply', 'safe', '--yes', '--json']);
    expect(done.code).toBe(0);
    const rows = jsonLines(done.stdout);
    expect(rows.map(({ type }) => type)).toEqual(['review', 'applied']);
    expect(rows[1]).toMatchObject({ applied: ['a.txt', 'b.txt'] });
    expect(read('b.txt')).toBe('new\n');
    expect(existsSync(join(project, 'Makefile'))).toBe(false);
  });

  it('takes its own JSON as decisions, hunk by hunk, and refuses those about another state', async () => {
    const { run, home, read } = await setUp();
    await run(['review', '--accept', 'b.txt']);
    const file = join(home, 'decided.json');
    const [row] = jsonLines((await run(['review', '--json'])).stdout);
    writeFileSync(file, JSON.stringify({ version: 1, tree: row?.tree, decisions: row?.decisions }));
    expect((await run(['review', '--decisions', file, '--apply', 'all', '--yes'])).code).toBe(0);
    expect(read('b.txt')).toBe('new\n');
    writeFileSync(file, JSON.stringify({ version: 1, tree: '0'.repeat(40), decisions: [] }));
    const refused = await run(['review', '--decisions', file]);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('another state')]);
  });
});
