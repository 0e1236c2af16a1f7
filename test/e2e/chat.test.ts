import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';

function setUp(steps: readonly Record<string, unknown>[]) {
  const home = temporaryFolder();
  const project = makeProject(home, { 'a.txt': 'one\n', 'package.json': '{}\n' });
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, steps);
  const open = (size: { columns?: number; rows?: number } = {}) =>
    openTerminal(['chat', '--demo', '--model', `replay/${replay}`], { home, cwd: project, ...size });
  const run = (args: string[]) => runCli(args, { home, cwd: project });
  return { home, project, open, run };
}

const EDIT = { calls: [{ tool: 'bash', input: { command: 'echo two >> a.txt; echo new > b.txt' } }] };

describe('chat in a terminal', () => {
  it.each([
    [80, 24],
    [140, 50],
  ])(
    'shows replies and tool calls, asks at the end, applies and cleans up at %ix%i',
    async (columns, rows) => {
      const { home, project, open } = setUp([{ text: 'Adding a line.', ...EDIT }, { text: 'Added **it**.' }]);
      const terminal = open({ columns, rows });
      await terminal.waitFor(/NOT ISOLATED[\s\S]*\n>$/);
      terminal.type('add a line\r');
      await terminal.waitFor(/Added \*\*it\*\*\.[\s\S]*>$/);
      expect(terminal.screen()).toMatch(/● bash echo two >> a\.txt/);
      expect(terminal.screen()).toMatch(/└ exit 0 · .* · #2 · 2 changed/);
      terminal.type('/quit\r');
      await terminal.waitFor(/apply>$/);
      expect(terminal.screen()).toContain('Changes in this session (2 files, +2 -0)');
      terminal.type('a\r');
      expect(await terminal.exited).toBe(0);
      expect(terminal.screen()).toContain(`✓ Changes synced to host: ${project}`.slice(0, 40));
      expect(terminal.screen()).toContain('✓ Stopped sandbox');
      expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
      expect(readFileSync(join(project, 'b.txt'), 'utf8')).toBe('new\n');
      expect(readdirSync(join(home, 'sc/state/run'))).toEqual([]);
      expect(terminal.raw()).not.toMatch(/\x1b\[[23]J/);
    },
  );

  it('stops the turn with one Ctrl-C, keeps what was done, and leaves with two more', async () => {
    const { project, open, run } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo half > half.txt; echo started; sleep 300' } }] },
      { text: 'never asked for' },
    ]);
    const before = pictureOf(project);
    const terminal = open();
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/│ started/);
    terminal.type('\x03');
    await terminal.waitFor(/Stopped\. What was done so far is in the ledger\.[\s\S]*>$/);
    terminal.type('\x03');
    await terminal.waitFor(/Ctrl-C again leaves/);
    terminal.type('\x03');
    await terminal.waitFor(/apply>$/);
    terminal.type('\r');
    expect([await terminal.exited, terminal.screen()]).toEqual([
      0,
      expect.stringContaining('Stopped sandbox'),
    ]);
    expect(pictureOf(project)).toEqual(before);
    const entries = jsonLines((await run(['log', '--json'])).stdout);
    expect(entries.at(-1)).toMatchObject({ tool: 'bash', ok: false, changed: ['half.txt'] });
  });

  it('applies only the files that are named, and nothing when nothing is answered', async () => {
    const { project, open } = setUp([EDIT, { text: 'Done.' }]);
    const terminal = open();
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/Done\.[\s\S]*>$/);
    terminal.type('\x04');
    await terminal.waitFor(/apply>$/);
    terminal.type('f\r');
    await terminal.waitFor(/files .*>$/);
    terminal.type('nothing-like-this\r');
    await terminal.waitFor(/No change matches[\s\S]*apply>$/);
    terminal.type('f\r');
    await terminal.waitFor(/files .*>$/);
    terminal.type('b.txt\r');
    expect(await terminal.exited).toBe(0);
    expect(existsSync(join(project, 'b.txt'))).toBe(true);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\n');
  });

  it('runs !commands in the sandbox and records them; takes a paste as one prompt', async () => {
    const { open, run } = setUp([{ expect: { user: 'first line\nsecond line' }, text: 'Got both.' }]);
    const terminal = open();
    await terminal.waitFor(/>$/);
    terminal.type('!echo made > c.txt; cat c.txt\r');
    await terminal.waitFor(/│ made[\s\S]*└ exit 0 · .* · #2 · 1 changed[\s\S]*>$/);
    terminal.type('first line\rsecond line\r');
    await terminal.waitFor(/Got both\.[\s\S]*>$/);
    terminal.type('/changes\r');
    await terminal.waitFor(/A c\.txt/);
    terminal.type('/nonsense\r');
    await terminal.waitFor(/There is no command \/nonsense/);
    terminal.type('/quit\r');
    await terminal.waitFor(/apply>$/);
    terminal.type('n\r');
    expect(await terminal.exited).toBe(0);
    const log = jsonLines((await run(['log', '--json'])).stdout);
    expect(log.map(({ type, tool, prompt }) => [type, tool ?? prompt])).toEqual([
      ['entry', undefined],
      ['entry', 'exec'],
      ['turn', 'first line\nsecond line'],
    ]);
    const [session] = jsonLines((await run(['sessions', '--json'])).stdout);
    expect(session?.title).toBe('first line\nsecond line');
  });

  it('does not let keys typed ahead answer the question of the end', async () => {
    const { project, open } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo x > b.txt; sleep 1' } }] },
      { text: 'Done.' },
    ]);
    const before = pictureOf(project);
    const terminal = open();
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/● bash/);
    terminal.type('/quit\r');
    await new Promise((resolve) => setTimeout(resolve, 100));
    terminal.type('a\r');
    await terminal.waitFor(/apply>$/);
    expect(pictureOf(project)).toEqual(before);
    terminal.type('n\r');
    expect(await terminal.exited).toBe(0);
    expect(pictureOf(project)).toEqual(before);
  });

  it('shows hostile text of model and tools inert', async () => {
    const { open } = setUp([
      {
        text: 'look \x1b]0;evil title\x07\x1b[2J here',
        calls: [{ tool: 'bash', input: { command: 'printf "\\033]52;c;ZXZpbA==\\007\\033[2Jvisible\\n"' } }],
      },
      { text: 'Done.' },
    ]);
    const terminal = open();
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/Done\.[\s\S]*>$/);
    expect(terminal.raw()).not.toContain('\x1b]0;evil');
    expect(terminal.raw()).not.toContain('\x1b]52;');
    expect(terminal.raw()).not.toContain('\x1b[2J');
    expect(terminal.screen()).toContain('visible');
  });

  it('ends in order on SIGTERM: nothing applied, nothing left running', async () => {
    const { home, project, open } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo x > b.txt; echo ready; sleep 300' } }] },
      { text: 'x' },
    ]);
    const before = pictureOf(project);
    const terminal = open();
    await terminal.waitFor(/>$/);
    terminal.type('go\r');
    await terminal.waitFor(/│ ready/);
    terminal.kill('SIGTERM');
    expect(await terminal.exited).toBe(130);
    expect(pictureOf(project)).toEqual(before);
    expect(readdirSync(join(home, 'sc/state/run'))).toEqual([]);
  });
});

describe('shell in a terminal', () => {
  it('is a real terminal in the sandbox, and what it changed is recorded', async () => {
    const { home, project, run } = setUp([]);
    const terminal = openTerminal(['shell', '--demo'], { home, cwd: project, columns: 90, rows: 25 });
    await terminal.waitFor(/[$#]$/);
    terminal.type('stty size; echo changed > a.txt\r');
    await terminal.waitFor(/25 90/);
    terminal.resize(70, 20);
    terminal.type('stty size\r');
    await terminal.waitFor(/20 70/);
    terminal.type('exit\r');
    expect(await terminal.exited).toBe(0);
    expect(terminal.screen()).toContain('M a.txt');
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\n');
    expect(jsonLines((await run(['log', '--json'])).stdout).at(-1)).toMatchObject({
      tool: 'shell',
      changed: ['a.txt'],
    });
  });
});
