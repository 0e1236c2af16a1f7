/** The rows of the file that is looked at; of a folder what is in it. */
import { showPath } from '../../base/path-bytes.ts';
import { cutTo, type Span, toSpans } from './cells.ts';
import { takenLines } from './decide.ts';
import type { DiffRow, LineRef } from './diff-rows.ts';
import type { FileView } from './file-view.ts';
import { lineSpans } from './line-text.ts';
import type { Look } from './look.ts';
import { findAll } from './search.ts';
import { isRisky, letterOf, markOf } from './tree-frame.ts';
import { hunkStatus, type ReviewView } from './view.ts';

/** What all rows of a frame share. */
interface Pane {
  view: ReviewView;
  file: FileView;
  width: number;
  hasGrounds: boolean;
  /** Columns of a line number. */
  digits: number;
  /** Says of a line whether it is taken, by hunk; made once a frame. */
  taken: Map<number, (line: number) => boolean>;
}

export function fileFrame(view: ReviewView, width: number, height: number, hasGrounds: boolean): Span[][] {
  const { file } = view;
  if (file === undefined) return folderFrame(view, width, height);
  const last = file.textHunks.at(-1);
  const most =
    last === undefined ? 1 : Math.max(last.oldStart + last.oldLines, last.newStart + last.newLines);
  const pane: Pane = {
    view,
    file,
    width,
    hasGrounds,
    digits: Math.max(3, `${most}`.length),
    taken: new Map(),
  };
  const rows = [fileHead(pane)];
  for (let at = file.top; at < Math.min(file.rows.length, file.top + height - 1); at++) {
    const row = file.rows[at];
    if (row !== undefined) rows.push(fileRow(pane, row, at));
  }
  return rows;
}

function fileHead({ view, file, width }: Pane): Span[] {
  const { item } = file;
  const mark = markOf(view, [item]);
  const isActive = view.focus === 'file';
  const spans: Span[] = [
    { text: ` ${mark.text} `, look: mark.look },
    { text: `${letterOf(item)} `, look: { fg: 'accent' } },
    { text: showPath(item.change.path), look: { bold: true, underline: isActive } },
  ];
  if (item.added > 0) spans.push({ text: `  +${item.added}`, look: { fg: 'added' } });
  if (item.removed > 0) spans.push({ text: `  -${item.removed}`, look: { fg: 'removed' } });
  const hunks = file.textHunks.length;
  const at = file.hunkAtCursor;
  if (hunks > 0) {
    spans.push({
      text: `  ${at === undefined ? '' : `hunk ${at + 1} of `}${hunks}${at === undefined ? (hunks === 1 ? ' hunk' : ' hunks') : ''}`,
      look: { dim: true },
    });
  }
  const comment = view.state.decisionOf(item.change.path)?.comment;
  if (comment !== undefined)
    spans.push({ text: '  # ', look: { fg: 'warning' } }, ...toSpans(comment, { fg: 'warning' })[0]);
  return cutTo(spans, width);
}

function fileRow(pane: Pane, row: DiffRow, at: number): Span[] {
  const { file, view, width } = pane;
  const isCursor = at === file.cursor && view.focus === 'file';
  const anchor = file.anchor ?? file.cursor;
  const isInRange =
    file.anchor !== undefined && at >= Math.min(anchor, file.cursor) && at <= Math.max(anchor, file.cursor);
  const isMarked = isCursor || isInRange;
  switch (row.kind) {
    case 'note':
      return noteRow(pane, row, isMarked);
    case 'hunk':
      return hunkRow(pane, row.hunk, isMarked);
    case 'gap': {
      const text =
        row.count === undefined
          ? 'the rest of the file'
          : row.count === 1
            ? '1 line'
            : `${row.count.toLocaleString('en-US')} lines`;
      const ground: Look = isMarked ? { bg: 'cursor' } : {};
      return cutTo(
        [cursorSpan(isMarked, ground), { text: `  ··· ${text}`, look: { dim: true, ...ground } }],
        width,
        ground,
      );
    }
    case 'context': {
      const spans = lineSpans(file.contextText(row.old), {
        base: {},
        limit: pane.width * 4 + file.left,
        ...searched(pane, file.contextText(row.old)),
      });
      return [
        ...gutter(pane, isMarked, ' ', [row.old, row.now], ' ', {}),
        ...cutTo(spans, textColumns(pane, 2), {}, file.left),
      ];
    }
    case 'line':
      return [...lineCells(pane, row.hunk, row.line, isMarked, [row.old, row.now])];
    case 'pair':
      return pairRow(pane, row.hunk, row.left, row.right, isMarked);
  }
}

function noteRow(
  { view, file, width }: Pane,
  row: Extract<DiffRow, { kind: 'note' }>,
  isMarked: boolean,
): Span[] {
  const ground: Look = isMarked ? { bg: 'cursor' } : {};
  const look: Look =
    row.tone === 'risk' ? { fg: 'removed', bold: true } : row.tone === 'muted' ? { dim: true } : {};
  const found = findAll(row.text, view.search).length > 0 ? { underline: true } : {};
  return cutTo(
    [cursorSpan(isMarked, ground), ...toSpans(` ${row.text}`, { ...look, ...ground, ...found })[0]],
    width,
    ground,
    file.left,
  );
}

const STATUS: Record<string, Span> = {
  accept: { text: 'accepted', look: { fg: 'added', bold: true } },
  reject: { text: 'rejected', look: { fg: 'removed', bold: true } },
  lines: { text: 'some lines taken', look: { fg: 'warning', bold: true } },
  edit: { text: 'edited by you and accepted (e shows it)', look: { fg: 'added', bold: true } },
};

function hunkRow({ view, file, width }: Pane, index: number, isMarked: boolean): Span[] {
  const hunk = file.textHunks[index];
  if (hunk === undefined) return [];
  const decision = view.state.decisionOf(file.item.change.path);
  const status = STATUS[hunkStatus(decision, hunk.id)];
  const own =
    decision?.decision === 'partial' ? decision.hunks.find((each) => each.hunk === hunk.id) : undefined;
  const ground: Look = isMarked ? { bg: 'cursor' } : {};
  const range = `@@ -${hunk.oldStart},${hunk.oldLines} +${hunk.newStart},${hunk.newLines} @@`;
  const spans: Span[] = [cursorSpan(isMarked, ground), { text: `${range}`, look: { fg: 'accent' } }];
  if (file.folded.has(index))
    spans.push({ text: `  ··· ${hunk.lines.length} lines folded`, look: { dim: true } });
  if (status !== undefined) spans.push({ text: '  ', look: {} }, status);
  if (own?.comment !== undefined)
    spans.push({ text: '  # ', look: { fg: 'warning' } }, ...toSpans(own.comment, { fg: 'warning' })[0]);
  return cutTo(
    spans.map(({ text, look }) => ({ text, look: { ...look, ...ground } })),
    width,
    ground,
  );
}

function cursorSpan(isMarked: boolean, ground: Look): Span {
  return { text: isMarked ? '▌' : ' ', look: { fg: 'accent', ...ground } };
}

/** Columns that are left for text beside a gutter with so many numbers. */
function textColumns({ width, digits, file }: Pane, numbers: 1 | 2): number {
  const all = file.isSplit && numbers === 1 ? Math.floor((width - 1) / 2) : width;
  return Math.max(4, all - 4 - numbers * (digits + 1));
}

function gutter(
  pane: Pane,
  isMarked: boolean,
  mark: string,
  numbers: (number | undefined)[],
  sign: string,
  look: Look,
): Span[] {
  const ground: Look = isMarked ? { bg: 'cursor' } : {};
  const shown = numbers.map((number) => `${number ?? ''}`.padStart(pane.digits)).join(' ');
  const markLook: Look = mark === '✓' ? { fg: 'added' } : { fg: 'removed' };
  return [
    cursorSpan(isMarked, ground),
    { text: mark, look: { ...markLook, ...ground } },
    { text: `${shown} `, look: { fg: 'muted', ...ground } },
    { text: sign, look: { ...look, ...ground } },
    { text: ' ', look: look.bg === undefined ? {} : { bg: look.bg } },
  ];
}

function lineCells(
  pane: Pane,
  hunk: number,
  line: number,
  isMarked: boolean,
  numbers: (number | undefined)[],
): Span[] {
  const { file, hasGrounds, view } = pane;
  const sign = file.textHunks[hunk]?.lines[line]?.charAt(0) ?? ' ';
  const isChange = sign !== ' ';
  const status = isChange
    ? hunkStatus(view.state.decisionOf(file.item.change.path), file.textHunks[hunk]?.id ?? '')
    : 'undecided';
  const isTaken = isChange && taken(pane, hunk)(line);
  const mark = status === 'undecided' ? ' ' : isTaken || status === 'edit' ? '✓' : '✗';
  const isOut = mark === '✗' || status === 'edit';
  const side: 'added' | 'removed' | undefined = sign === '+' ? 'added' : sign === '-' ? 'removed' : undefined;
  const ground = hasGrounds && side !== undefined && !isOut ? (`${side}Line` as const) : undefined;
  const base: Look = {
    ...(side !== undefined && (!hasGrounds || isOut) && { fg: side }),
    ...(isOut && { dim: true }),
  };
  const text = file.textOf(hunk, line);
  const columns = textColumns(pane, numbers.length === 2 ? 2 : 1);
  const tokens = isOut || (side !== undefined && !hasGrounds) ? undefined : file.tokensOf(hunk, line);
  const words = side === undefined || isOut ? undefined : file.wordsOf(hunk, line);
  const spans = lineSpans(text, {
    base,
    limit: columns * 4 + file.left + 16,
    ...(tokens && { tokens }),
    ...(words && { words }),
    ...(ground && { ground }),
    ...(side && { wordGround: `${side}Word` as const }),
    ...searched(pane, text),
  });
  if (file.isWithoutNewline(hunk, line))
    spans.push({ text: ' ⊘ no newline at the end', look: { dim: true, ...(ground && { bg: ground }) } });
  const edge: Look = { ...(side && { fg: side }), bold: true, ...(ground && { bg: ground }) };
  return [
    ...gutter(pane, isMarked, mark, numbers, sign, edge),
    ...cutTo(spans, columns, ground ? { bg: ground } : {}, file.left),
  ];
}

function pairRow(
  pane: Pane,
  hunk: number,
  left: LineRef | undefined,
  right: LineRef | undefined,
  isMarked: boolean,
): Span[] {
  const half = Math.floor((pane.width - 1) / 2);
  const cells = (side: LineRef | undefined, marked: boolean) =>
    cutTo(
      side === undefined ? [cursorSpan(marked, {})] : lineCells(pane, hunk, side.line, marked, [side.number]),
      half,
    );
  return [...cells(left, isMarked), { text: '│', look: { dim: true } }, ...cells(right, isMarked)];
}

function searched({ view }: Pane, text: string): { found?: ReturnType<typeof findAll> } {
  return view.search === '' ? {} : { found: findAll(text.slice(0, 10_000), view.search) };
}

function taken(pane: Pane, hunk: number): (line: number) => boolean {
  const known = pane.taken.get(hunk);
  if (known !== undefined) return known;
  const { view, file } = pane;
  const status = hunkStatus(view.state.decisionOf(file.item.change.path), file.textHunks[hunk]?.id ?? '');
  const lines = status === 'lines' ? takenLines(view, file, hunk) : undefined;
  const isTaken = (line: number) => (lines === undefined ? status === 'accept' : lines.has(line));
  pane.taken.set(hunk, isTaken);
  return isTaken;
}

/** What is in a folder: how much, and what of it is at risk, with the reasons. */
function folderFrame(view: ReviewView, width: number, height: number): Span[][] {
  const { node } = view;
  if (node === undefined) return [];
  const added = node.items.reduce((sum, item) => sum + item.added, 0);
  const removed = node.items.reduce((sum, item) => sum + item.removed, 0);
  const files = node.items.length === 1 ? '1 file' : `${node.items.length.toLocaleString('en-US')} files`;
  const rows: Span[][] = [
    [
      { text: ` ${showPath(node.path)}/`, look: { bold: true } },
      { text: `  ${files}`, look: {} },
      { text: `  +${added.toLocaleString('en-US')}`, look: { fg: 'added' } },
      { text: `  -${removed.toLocaleString('en-US')}`, look: { fg: 'removed' } },
    ],
    [],
  ];
  const risky = node.items.filter(isRisky);
  rows.push([
    { text: risky.length === 0 ? ' Nothing in it is marked as a risk.' : ' At risk:', look: { dim: true } },
  ]);
  for (const { change, risk, refused } of risky.slice(0, height)) {
    rows.push([{ text: ` ${showPath(change.path)}`, look: {} }]);
    const reasons = [...(refused === undefined ? [] : [`can't be applied: ${refused}`]), ...risk];
    for (const reason of reasons) rows.push(toSpans(`   ! ${reason}`, { fg: 'removed' })[0]);
  }
  return rows.slice(0, height).map((row) => cutTo(row, width));
}
