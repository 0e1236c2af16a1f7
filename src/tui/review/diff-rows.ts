/** The hunks of a file as rows: what stands where, without looks and without decisions, so that they are made once. */
import { NO_NEWLINE } from '../../diff/text-diff.ts';
import type { ReviewHunk } from '../../review/file-hunks.ts';

/** A line of a hunk, by its index into the hunk's `lines`, with its number in its file. */
export interface LineRef {
  line: number;
  number: number;
}

export type DiffRow =
  /** About the file: risks, a new name or mode, what has no lines. */
  | { kind: 'note'; text: string; tone: 'plain' | 'risk' | 'muted' }
  | { kind: 'hunk'; hunk: number }
  /** One column: a context line has both numbers. */
  | { kind: 'line'; hunk: number; line: number; old?: number; now?: number }
  /** Two columns; of a replaced block the lines stand side by side. */
  | { kind: 'pair'; hunk: number; left?: LineRef; right?: LineRef }
  /** Lines that did not change and are not shown; `count` is unknown for the end of a file that was not read yet. */
  | { kind: 'gap'; gap: number; count?: number }
  /** A line of a gap that was opened. */
  | { kind: 'context'; gap: number; old: number; now: number };

export interface Layout {
  isSplit: boolean;
  /** Hunks of which only the head shows. */
  folded: ReadonlySet<number>;
  /** Gaps whose lines show; gap n stands before hunk n, the last one at the end. */
  opened: ReadonlySet<number>;
  /** Lines of the old file, once it was read. */
  oldLines?: number;
}

/** All rows of a text file's hunks. */
export function hunkRows(hunks: readonly ReviewHunk[], layout: Layout): DiffRow[] {
  const rows: DiffRow[] = [];
  let old = 1;
  let now = 1;
  for (const [index, hunk] of hunks.entries()) {
    const from = hunk.oldLines === 0 ? hunk.oldStart + 1 : hunk.oldStart;
    pushGap(rows, layout, index, { old, now, count: from - old });
    rows.push({ kind: 'hunk', hunk: index });
    if (!layout.folded.has(index)) {
      if (layout.isSplit) pushPairs(rows, hunk, index);
      else pushLines(rows, hunk, index);
    }
    old = from + hunk.oldLines;
    now = (hunk.newLines === 0 ? hunk.newStart + 1 : hunk.newStart) + hunk.newLines;
  }
  pushTail(rows, hunks, layout, { old, now });
  return rows;
}

function pushGap(
  rows: DiffRow[],
  { opened }: Layout,
  gap: number,
  { old, now, count }: { old: number; now: number; count: number },
): void {
  if (count <= 0) return;
  if (!opened.has(gap)) rows.push({ kind: 'gap', gap, count });
  else for (let at = 0; at < count; at++) rows.push({ kind: 'context', gap, old: old + at, now: now + at });
}

/** What follows the last hunk. Less than three lines of context at its end say that the file ends there. */
function pushTail(
  rows: DiffRow[],
  hunks: readonly ReviewHunk[],
  layout: Layout,
  { old, now }: { old: number; now: number },
): void {
  const last = hunks.at(-1);
  if (last === undefined) return;
  if (layout.oldLines !== undefined) {
    pushGap(rows, layout, hunks.length, { old, now, count: layout.oldLines - old + 1 });
  } else if (last.lines.slice(-3).every((line) => line.startsWith(' '))) {
    rows.push({ kind: 'gap', gap: hunks.length });
  }
}

function pushLines(rows: DiffRow[], hunk: ReviewHunk, index: number): void {
  visitLines(hunk, (line, sign, old, now) => {
    if (sign === REMOVED) rows.push({ kind: 'line', hunk: index, line, old });
    else if (sign === ADDED) rows.push({ kind: 'line', hunk: index, line, now });
    else rows.push({ kind: 'line', hunk: index, line, old, now });
  });
}

function pushPairs(rows: DiffRow[], hunk: ReviewHunk, index: number): void {
  let left: LineRef[] = [];
  let right: LineRef[] = [];
  const flush = () => {
    for (let at = 0; at < left.length || at < right.length; at++) {
      const [one, two] = [left[at], right[at]];
      if (one && two) rows.push({ kind: 'pair', hunk: index, left: one, right: two });
      else if (one) rows.push({ kind: 'pair', hunk: index, left: one });
      else if (two) rows.push({ kind: 'pair', hunk: index, right: two });
    }
    left = [];
    right = [];
  };
  visitLines(hunk, (line, sign, old, now) => {
    if (sign === REMOVED) {
      if (right.length > 0) flush();
      left.push({ line, number: old });
    } else if (sign === ADDED) right.push({ line, number: now });
    else {
      flush();
      rows.push({ kind: 'pair', hunk: index, left: { line, number: old }, right: { line, number: now } });
    }
  });
  flush();
}

const REMOVED = '-'.charCodeAt(0);
const ADDED = '+'.charCodeAt(0);

/** Calls with each line's index, the code of its sign, and the numbers it has or would have. Quick: there may be 200,000. */
function visitLines(
  hunk: ReviewHunk,
  visit: (line: number, sign: number, old: number, now: number) => void,
): void {
  let old = hunk.oldLines === 0 ? hunk.oldStart + 1 : hunk.oldStart;
  let now = hunk.newLines === 0 ? hunk.newStart + 1 : hunk.newStart;
  for (let line = 0; line < hunk.lines.length; line++) {
    const text = hunk.lines[line] ?? '';
    if (text === NO_NEWLINE) continue;
    const sign = text.charCodeAt(0);
    visit(line, sign, old, now);
    if (sign !== ADDED) old += 1;
    if (sign !== REMOVED) now += 1;
  }
}

/** For each line of a hunk that was replaced, the line that stands in its place: the first with the first, and so on. */
export function pairLines(hunk: ReviewHunk, line: number): number | undefined {
  const sign = hunk.lines[line]?.charAt(0);
  if (sign !== '-' && sign !== '+') return undefined;
  const isChange = (at: number) => /^[-+\\]/.test(hunk.lines[at] ?? '');
  let first = line;
  while (first > 0 && isChange(first - 1) && line - first < MAX_BLOCK) first -= 1;
  const removed: number[] = [];
  const added: number[] = [];
  for (let at = first; isChange(at) && at - first < 2 * MAX_BLOCK; at++) {
    const mark = hunk.lines[at]?.charAt(0);
    // A removal after an addition begins another block.
    if (mark === '-' && added.length > 0) {
      if (at > line) break;
      removed.length = 0;
      added.length = 0;
    }
    if (mark === '-') removed.push(at);
    else if (mark === '+') added.push(at);
  }
  const [own, other] = sign === '-' ? [removed, added] : [added, removed];
  const at = own.indexOf(line);
  return at === -1 ? undefined : other[at];
}

/** Blocks longer than this are new text, not edited lines. */
const MAX_BLOCK = 200;
