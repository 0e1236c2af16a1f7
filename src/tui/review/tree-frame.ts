/** The tree's rows: mark, letter, name, counts, risk. */
import type { ChangeKind } from '../../base/events.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import { cutTo, type Span, textWidth, toSpans } from './cells.ts';
import type { Look } from './look.ts';
import type { TreeNode } from './tree.ts';
import type { ReviewView } from './view.ts';

const LETTER: Record<ChangeKind, string> = {
  added: 'A',
  modified: 'M',
  deleted: 'D',
  renamed: 'R',
  mode: 'P',
  symlink: 'L',
};

const MARKS = {
  accepted: { text: '✓', look: { fg: 'added' } },
  rejected: { text: '✗', look: { fg: 'removed' } },
  partial: { text: '◐', look: { fg: 'warning' } },
  undecided: { text: '·', look: { dim: true } },
} as const satisfies Record<string, Span>;

export function treeFrame(view: ReviewView, width: number, height: number): Span[][] {
  if (view.nodes.length === 0) return [cutTo([{ text: ' Nothing changed.', look: { dim: true } }], width)];
  const rows: Span[][] = [];
  for (let index = view.treeTop; index < Math.min(view.nodes.length, view.treeTop + height); index++) {
    const node = view.nodes[index];
    if (node !== undefined) rows.push(treeRow(view, node, index === view.treeCursor, width));
  }
  return rows;
}

function treeRow(view: ReviewView, node: TreeNode, isCursor: boolean, width: number): Span[] {
  const ground: Look = isCursor && view.focus === 'tree' ? { bg: 'cursor' } : {};
  const on = (span: Span): Span => ({ text: span.text, look: { ...span.look, ...ground } });
  const mark = markOf(view, node.items);
  const isFolded = view.folded.has(node.path);
  const kind = node.item === undefined ? (isFolded ? '▸' : '▾') : LETTER[node.item.change.kind];
  const bold = isCursor || node.item === undefined;
  const left = [
    { text: `${isCursor ? '▌' : ' '}`, look: { fg: 'accent' } as Look },
    { text: '  '.repeat(Math.min(node.depth, Math.floor(width / 6))), look: {} },
    { text: mark.text, look: mark.look },
    { text: ` ${kind} `, look: letterLook(node) },
    ...toSpans(node.name, bold ? { bold: true } : {})[0],
  ].map(on);
  const right = countSpans(node, isFolded).map(on);
  const rightWidth = right.reduce((sum, { text }) => sum + textWidth(text), 0);
  return [...cutTo(left, Math.max(1, width - rightWidth), ground), ...right];
}

function letterLook(node: TreeNode): Look {
  if (node.item === undefined) return { dim: true };
  const { kind } = node.item.change;
  if (kind === 'added') return { fg: 'added' };
  return kind === 'deleted' ? { fg: 'removed' } : { fg: 'accent' };
}

/** ` +12 −3 !`; of a folder how many files, and how many of them are at risk. */
function countSpans({ item, items }: TreeNode, isFolded: boolean): Span[] {
  const spans: Span[] = [];
  if (item === undefined) {
    if (isFolded) spans.push({ text: ` ${items.length.toLocaleString('en-US')}`, look: { dim: true } });
    if (isFolded && items.some(isRisky)) spans.push({ text: ' !', look: { fg: 'removed', bold: true } });
    else spans.push({ text: '  ', look: {} });
    return spans;
  }
  if (item.isBinary) spans.push({ text: ' bin', look: { dim: true } });
  if (item.added > 0) spans.push({ text: ` +${short(item.added)}`, look: { fg: 'added' } });
  if (item.removed > 0) spans.push({ text: ` -${short(item.removed)}`, look: { fg: 'removed' } });
  spans.push(isRisky(item) ? { text: ' !', look: { fg: 'removed', bold: true } } : { text: '  ', look: {} });
  return spans;
}

export function isRisky({ risk, refused }: ReviewItem): boolean {
  return risk.length > 0 || refused !== undefined;
}

/** `987`, `12k`: the tree is narrow. */
function short(count: number): string {
  return count < 10_000 ? `${count}` : `${Math.round(count / 1000)}k`;
}

/** One mark for all of the files. */
export function markOf(view: ReviewView, items: readonly ReviewItem[]): (typeof MARKS)[keyof typeof MARKS] {
  let first: keyof typeof MARKS | undefined;
  for (const { change } of items) {
    const status = view.state.statusOf(change.path);
    first ??= status;
    if (status !== first) return MARKS.partial;
  }
  return MARKS[first ?? 'undecided'];
}

export function letterOf(item: ReviewItem): string {
  return LETTER[item.change.kind];
}
