/** The view as rows of a screen. Nothing here changes anything: the same view gives the same rows. */
import { cutTo, pad, type Span, textWidth, toSpans } from './cells.ts';
import { fileFrame } from './file-frame.ts';
import type { Look } from './look.ts';
import type { Prompt } from './overlay.ts';
import { overlayFrame } from './overlay-frame.ts';
import type { Frame, FrameRow, Segment } from './terminal.ts';
import { treeFrame } from './tree-frame.ts';
import { MIN_COLUMNS, MIN_ROWS, type ReviewView } from './view.ts';

const BAR: Look = { bg: 'bar' };

/** What shows now. `hasColours`: changed lines have a ground of their own. */
export function makeFrame(view: ReviewView, hasGrounds: boolean): Frame {
  if (view.isTooSmall) return { rows: tooSmall(view) };
  const { columns, rows, tree, file } = view.sizes;
  const body = rows - 2;
  const treeRows = tree === 0 ? [] : treeFrame(view, tree, body);
  const fileRows = fileFrame(view, file, body, hasGrounds);
  const middle = Array.from({ length: body }, (_, row): Segment[] => {
    const right = { column: tree === 0 ? 0 : tree + 1, spans: fileRows[row] ?? [] };
    if (tree === 0) return [right];
    return [{ column: 0, spans: treeRows[row] ?? [] }, { column: tree, spans: [DIVIDER] }, right];
  });
  const frame: FrameRow[] = [[{ column: 0, spans: header(view, columns) }], ...middle, footer(view, columns)];
  const covered = overlayFrame(view, frame);
  if (view.prompt === undefined) return { rows: covered };
  return { rows: covered, cursor: { row: rows - 1, column: promptCursor(view.prompt, columns) } };
}

const DIVIDER: Span = { text: '│', look: { dim: true } };

function tooSmall({ columns, rows }: ReviewView): FrameRow[] {
  const text = `A review needs ${MIN_COLUMNS} columns and ${MIN_ROWS} rows; here are ${columns} and ${rows}. Make the window larger, or q and "safe-coder review --plain".`;
  const words = text.match(new RegExp(`.{1,${Math.max(1, columns - 1)}}(?:\\s|$)|\\S+?(?:\\s|$)`, 'g')) ?? [
    text,
  ];
  return words.slice(0, rows).map((line) => [{ column: 0, spans: pad(line.trimEnd(), columns) }]);
}

function header(view: ReviewView, columns: number): Span[] {
  const { files, accepted, rejected, partial, undecided } = view.state.counts;
  const number = (count: number) => count.toLocaleString('en-US');
  const spans: Span[] = [{ text: ` ${view.title} `, look: { ...BAR, bold: true } }];
  const say = (text: string, look: Look = {}) => spans.push({ text, look: { ...BAR, ...look } });
  say(` ${number(files)} ${files === 1 ? 'file' : 'files'}  `);
  say(`✓ ${number(accepted)} `, { fg: 'added' });
  say(` ✗ ${number(rejected)} `, { fg: 'removed' });
  if (partial > 0) say(` ◐ ${number(partial)} `, { fg: 'warning' });
  say(` · ${number(undecided)} not decided `);
  if (view.filterText !== '') {
    const [text] = toSpans(`  only: ${view.filterText} (${number(view.state.visible.length)})`, {
      ...BAR,
      fg: 'accent',
    });
    spans.push(...text);
  }
  return cutTo(spans, columns, BAR);
}

/** The most needed first; those that don't fit are left out, the last two never. */
const TREE_KEYS = [
  'a accept',
  'r reject',
  'enter open',
  'u undo',
  'S all safe',
  'f filter',
  '/ search',
  '. next',
  'c comment',
];
const FILE_KEYS = [
  'a accept',
  'r reject',
  'space line',
  'u undo',
  'e edit',
  'w who',
  'c comment',
  'A/R file',
  'V range',
  's split',
  '/ search',
  'tab tree',
];
const RANGE_KEYS = ['j/k extend', 'a take', 'r leave', 'esc end'];
const LAST_KEYS = ['? keys', 'q leave'];

function footer(view: ReviewView, columns: number): FrameRow {
  if (view.prompt !== undefined) return [{ column: 0, spans: promptSpans(view.prompt, columns) }];
  if (view.message !== '') {
    const [spans] = toSpans(` ${view.message}`, { bold: true });
    return [{ column: 0, spans: cutTo(spans, columns) }];
  }
  const isRange = view.focus === 'file' && view.file?.anchor !== undefined;
  const keys = isRange ? RANGE_KEYS : view.focus === 'tree' ? TREE_KEYS : FILE_KEYS;
  let room = columns - 2 - LAST_KEYS.join('  ').length;
  const shown = keys.filter((key) => {
    room -= key.length + 2;
    return room >= 0;
  });
  const spans = [...shown, ...LAST_KEYS].flatMap((key): Span[] => {
    const [name = '', what = ''] = [key.slice(0, key.indexOf(' ')), key.slice(key.indexOf(' ') + 1)];
    return [
      { text: ` ${name}`, look: { fg: 'accent' } },
      { text: ` ${what} `, look: { dim: true } },
    ];
  });
  return [{ column: 0, spans: cutTo(spans, columns) }];
}

function promptSpans({ label, text }: Prompt, columns: number): Span[] {
  const shown = toSpans(text, {})[0];
  const room = Math.max(10, columns - label.length - 2);
  const width = shown.reduce((sum, span) => sum + textWidth(span.text), 0);
  return cutTo(
    [
      { text: ` ${label}`, look: { bold: true } },
      ...cutTo(shown, Math.max(width, 1), {}, Math.max(0, width - room)),
    ],
    columns,
  );
}

function promptCursor({ label, text, cursor }: Prompt, columns: number): number {
  const before = toSpans(Array.from(text).slice(0, cursor).join(''), {})[1];
  const width = toSpans(text, {})[1];
  const room = Math.max(10, columns - label.length - 2);
  return Math.min(columns - 1, 1 + label.length + before - Math.max(0, width - room));
}
