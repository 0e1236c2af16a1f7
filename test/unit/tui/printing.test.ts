import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../../src/base/events.ts';
import { formatChanges, formatLeftOut } from '../../../src/tui/change-list.ts';
import { EventPrinter, NOT_ISOLATED } from '../../../src/tui/event-printer.ts';
import { describeStep, ProgressLine } from '../../../src/tui/progress.ts';
import { createScreens, plain, type Screen } from '../../../src/tui/style.ts';

function recordingScreen(isTerminal = false): Screen & { text: string; statuses: (string | undefined)[] } {
  const screen = {
    text: '',
    statuses: [] as (string | undefined)[],
    style: plain,
    isTerminal,
    columns: 80,
    write(text: string) {
      screen.text += text;
    },
    setStatus(line: string | undefined) {
      screen.statuses.push(line);
    },
  };
  return screen;
}

function printed(events: EventBody[], quiet = false): string {
  const screen = recordingScreen();
  const printer = new EventPrinter({ screen, notes: screen, quiet });
  for (const event of events) printer.print(event);
  printer.finishLine();
  return screen.text;
}

const toolEnd = (more: Partial<Extract<EventBody, { type: 'tool.end' }>> = {}): EventBody => ({
  type: 'tool.end',
  call: 'c1',
  tool: 'bash',
  ok: true,
  exitCode: 0,
  durationMs: 1234,
  entry: 'a'.repeat(40),
  seq: 7,
  changed: ['a.txt'],
  text: '',
  ...more,
});

const HOSTILE = '\x1b]52;c;ZXZpbA==\x07\x1b[2Jx\u009b31m\u202eevil\r';

describe('the event printer', () => {
  it('shows a tool call with its output, exit code, time, entry and number of changed files', () => {
    const text = printed([
      { type: 'tool.start', call: 'c1', tool: 'bash', input: { command: 'npm test' } },
      { type: 'tool.output', call: 'c1', text: 'one\ntw' },
      { type: 'tool.output', call: 'c1', text: 'o\nlast without newline' },
      toolEnd(),
    ]);
    expect(text).toBe(
      '● bash npm test\n  │ one\n  │ two\n  │ last without newline\n  └ exit 0 · 1.2 s · #7 · 1 changed\n',
    );
  });

  it('breaks replies and notes between words on a terminal, however the pieces come', () => {
    const screen = recordingScreen(true);
    screen.columns = 20;
    const printer = new EventPrinter({ screen, notes: screen, quiet: false });
    for (const text of ['The first tw', 'o lines are done', ' now.'])
      printer.print({ type: 'message.delta', text });
    printer.print({ type: 'warning', code: 'x', message: 'Something is not as it was.' });
    expect(screen.text).toBe('The first two lines\nare done now.\n! Something is not\n  as it was.\n');
  });

  it('says which call ended when several run side by side', () => {
    const text = printed([
      { type: 'tool.start', call: 'a', tool: 'read', input: { path: 'one' } },
      { type: 'tool.start', call: 'b', tool: 'read', input: { path: 'two' } },
      toolEnd({ call: 'a', tool: 'read', exitCode: undefined as never, changed: [], seq: 2 }),
      toolEnd({ call: 'b', tool: 'read', exitCode: undefined as never, changed: [], seq: 3 }),
    ]);
    expect(text).toBe('● read one\n● read two\n  └ read one · ok · 1.2 s · #2\n  └ ok · 1.2 s · #3\n');
  });

  it('counts the output lines that it does not show', () => {
    const text = printed([
      { type: 'tool.start', call: 'c1', tool: 'bash', input: {} },
      { type: 'tool.output', call: 'c1', text: 'x\n'.repeat(100) },
      toolEnd(),
    ]);
    expect(text.match(/│ x/g)).toHaveLength(30);
    expect(text).toContain('… 70 more lines');
  });

  it('keeps every control sequence of model and guest from the terminal, wherever it comes from', () => {
    const text = printed([
      { type: 'message.delta', text: HOSTILE },
      { type: 'tool.start', call: 'c1', tool: HOSTILE, input: { command: HOSTILE } },
      { type: 'tool.output', call: 'c1', text: `${HOSTILE}\n${HOSTILE}` },
      toolEnd({ ok: false, exitCode: undefined as never, text: HOSTILE, diff: `+${HOSTILE}\n-${HOSTILE}` }),
      { type: 'warning', code: 'x', message: HOSTILE, hint: HOSTILE },
      { type: 'error', code: 'x', message: HOSTILE },
      { type: 'retry', attempt: 1, waitMs: 10, reason: HOSTILE },
      { type: 'egress', host: HOSTILE, port: 1, decision: 'denied', rule: HOSTILE },
    ]);
    expect(text).toContain('evil');
    expect(text.replace(/[\n]/g, '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  it('says NOT ISOLATED in demo mode, also when quiet, and never for a VM', () => {
    const start = (level: 'vm' | 'demo'): EventBody => ({
      type: 'session.start',
      path: '/p',
      isolation: { level, backend: 'x', accel: 'tcg', proof: { isolated: level === 'vm', checks: [] } },
      base: '',
      withheld: ['.env'],
    });
    expect(printed([start('demo')], true)).toContain(NOT_ISOLATED);
    expect(printed([start('vm')])).not.toContain('NOT ISOLATED');
    expect(printed([start('vm')])).toContain('.env');
  });

  it('prints nothing of progress where there is no terminal', () => {
    expect(printed([{ type: 'progress', phase: 'Copying', done: 1, unit: 'files' }])).toBe('');
  });
});

describe('the progress line', () => {
  it('is rewritten in place and cleared', () => {
    const screen = recordingScreen(true);
    let now = 0;
    const line = new ProgressLine(screen, () => now);
    line.show({ phase: 'Copying', done: 0, total: 10, unit: 'files' });
    now = 10;
    line.show({ phase: 'Copying', done: 1, total: 10, unit: 'files' });
    now = 1000;
    line.show({ phase: 'Copying', done: 5, total: 10, unit: 'files' });
    line.clear();
    expect(screen.statuses).toEqual([
      'Copying: 0 of 10 files',
      'Copying: 5 of 10 files, 5/s, 1.0 s left',
      undefined,
    ]);
    expect(screen.text).toBe('');
  });

  it('names rate and remaining time once it knows them', () => {
    expect(describeStep({ phase: 'Reading', done: 2 ** 20, unit: 'bytes' }, 1000)).toBe(
      'Reading: 1.0 MB, 1.0 MB/s',
    );
    expect(describeStep({ phase: 'Starting', done: 0, unit: 'steps', note: 'emulated' }, 0)).toBe(
      'Starting (emulated)',
    );
  });
});

describe('what is left out', () => {
  it('is named, with counts beyond a few, and nothing when there is nothing', () => {
    const none = { skipped: [], ignored: { count: 0, examples: [] }, gitChanged: false };
    expect(formatLeftOut(none, plain)).toBe('');
    const skipped = Array.from({ length: 12 }, (_, n) => ({ path: `pipe\n${n}`, reason: 'special' }));
    const text = formatLeftOut(
      { skipped, ignored: { count: 3, examples: ['build/o', 'z.log'] }, gitChanged: true },
      plain,
    );
    expect(text).toContain('Not in the ledger (12):\n  "pipe\\n0": special\n');
    expect(text).toContain('  and 2 more');
    expect(text).toContain("ignored by the project's own rules (3): build/o, z.log ...\n");
    expect(text).toContain('.git changed');
  });
});

describe('two screens on one terminal', () => {
  it('take a status line away before either writes', () => {
    const written: string[] = [];
    const stream = { isTTY: true, columns: 80, write: (text: string) => written.push(text) } as never;
    const { out, err } = createScreens(
      { out: stream, err: stream },
      { plain: false, environment: { NO_COLOR: '1' } },
    );
    err.setStatus('working');
    out.write('result\n');
    err.write('note\n');
    expect(written).toEqual(['\rworking\x1b[K', '\r\x1b[K', 'result\n', 'note\n']);
  });

  it('show no status where there is no terminal', () => {
    const written: string[] = [];
    const stream = { isTTY: false, write: (text: string) => written.push(text) } as never;
    createScreens({ out: stream, err: stream }, { plain: false, environment: {} }).err.setStatus('working');
    expect(written).toEqual([]);
  });
});

describe('the change list', () => {
  it('gives letters, counts, renames and risks, and a total', () => {
    const text = formatChanges(
      [
        { path: 'src/main.ts', change: 'modified', added: 12, removed: 7, risk: [] },
        { path: 'b', from: 'a\nb', change: 'renamed', risk: [] },
        {
          path: 'package.json',
          change: 'modified',
          added: 1,
          removed: 0,
          risk: ['package script: runs on npm install'],
        },
        { path: 'logo.png', change: 'added', binary: true, risk: [] },
      ],
      plain,
    );
    expect(text.split('\n')).toEqual([
      'Changes in this session (4 files, +13 -7)',
      '  M src/main.ts   +12 -7',
      '  R "a\\nb" → b',
      '  M package.json  +1',
      '      ! package script: runs on npm install',
      '  A logo.png      binary',
      '',
    ]);
  });

  it('says so when there is nothing', () => {
    expect(formatChanges([], plain)).toBe('No changes in this session.\n');
  });
});
