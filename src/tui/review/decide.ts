/** Deciding with keys: what is under a cursor is accepted, rejected, taken by lines, commented. */
import { isSafeCoderError } from '../../base/errors.ts';
import { showPath } from '../../base/path-bytes.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import { changedLinesOf, type FileView } from './file-view.ts';
import { openPrompt } from './overlay.ts';
import { hunkStatus, type ReviewView } from './view.ts';

type Choice = 'accept' | 'reject' | 'undecided';

const DONE: Record<Choice, string> = { accept: 'Accepted', reject: 'Rejected', undecided: 'Not decided' };

/** Decides what has the cursor: the file or folder in the tree; the chosen lines or the hunk in a file. */
export function decideHere(view: ReviewView, choice: Choice): void {
  if (view.focus === 'tree') decideNode(view, choice);
  else if (view.file?.anchor !== undefined && choice !== 'undecided') decideRange(view, choice);
  else decideHunk(view, choice);
}

function decideNode(view: ReviewView, choice: Choice): void {
  const { node } = view;
  if (node === undefined) return;
  decideItems(
    view,
    node.items,
    choice,
    node.item ? '' : ` ${count(node.items.length)} in ${showPath(node.path)}`,
  );
  if (choice !== 'undecided') goToOpen(view);
  if (choice === 'reject' && node.item !== undefined) offerReason(view, { item: node.item });
}

/** Decides many files in one step of undo. */
export function decideItems(
  view: ReviewView,
  items: readonly ReviewItem[],
  choice: Choice,
  what: string,
): void {
  const refused = view.state.decide(
    items.map(({ change }) => change.path),
    choice,
  );
  const left =
    refused.length === 0
      ? ''
      : ` ${count(refused.length)} can't be applied and ${refused.length === 1 ? 'was' : 'were'} left.`;
  view.isChanged = true;
  view.message = what === '' && left === '' ? '' : `${DONE[choice]}${what}.${left} u takes it back.`;
  view.refreshTree();
}

/** The whole file that is shown. */
export function decideFile(view: ReviewView, choice: Choice): void {
  if (view.file === undefined) return;
  const { item } = view.file;
  decideItems(view, [item], choice, '');
  if (choice !== 'undecided') goToOpen(view);
  if (choice === 'reject') offerReason(view, { item });
}

function decideHunk(view: ReviewView, choice: Choice): void {
  const { file } = view;
  const hunk = file?.hunkAtCursor;
  if (file?.hunks === undefined) return;
  const id = hunk === undefined ? undefined : file.textHunks[hunk]?.id;
  // Outside of every hunk, and in a file without any, the file is meant.
  if (id === undefined && file.textHunks.length <= 1) {
    decideFile(view, choice);
    return;
  }
  if (id === undefined) {
    view.message = 'This is between the hunks. A and R decide the whole file.';
    return;
  }
  if (!decidePart(view, file, id, choice) || choice === 'undecided') return;
  goToOpen(view);
  if (choice === 'reject') offerReason(view, { item: file.item, file, hunk: id });
}

/** A reason is wanted right after a rejection, when the cursor is elsewhere already. */
function offerReason(view: ReviewView, rejected: NonNullable<ReviewView['rejected']>): void {
  view.rejected = rejected;
  view.message = `${view.message === '' ? 'Rejected.' : view.message} c says why.`;
}

/** Space: takes the lines under the cursor, or leaves them when all of them are taken. */
export function toggleLines(view: ReviewView): void {
  const { file } = view;
  if (view.focus === 'tree') {
    toggleNode(view);
    return;
  }
  if (file === undefined) return;
  const row = file.row;
  if (file.anchor === undefined && row?.kind !== 'line' && row?.kind !== 'pair') {
    const id = file.textHunks[file.hunkAtCursor ?? -1]?.id;
    const status = hunkStatus(view.state.decisionOf(file.item.change.path), id ?? '');
    decideHunk(view, status === 'accept' ? 'undecided' : 'accept');
    return;
  }
  const chosen = chosenLines(file);
  if (chosen.size === 0) {
    view.message = 'This line did not change.';
    return;
  }
  const areAllTaken = [...chosen].every(([hunk, lines]) => {
    const taken = takenLines(view, file, hunk);
    return lines.every((line) => taken.has(line));
  });
  takeLines(view, file, chosen, !areAllTaken);
}

function toggleNode(view: ReviewView): void {
  const { node } = view;
  if (node === undefined) return;
  const isAccepted = node.items.every(({ change }) => view.state.statusOf(change.path) === 'accepted');
  decideItems(
    view,
    node.items,
    isAccepted ? 'undecided' : 'accept',
    node.item ? '' : ` ${count(node.items.length)}`,
  );
}

function decideRange(view: ReviewView, choice: 'accept' | 'reject'): void {
  const { file } = view;
  if (file === undefined) return;
  const chosen = chosenLines(file);
  if (chosen.size === 0) view.message = 'None of these lines changed.';
  else takeLines(view, file, chosen, choice === 'accept');
}

function takeLines(view: ReviewView, file: FileView, chosen: Map<number, number[]>, isTaken: boolean): void {
  for (const [hunk, lines] of chosen) {
    const id = file.textHunks[hunk]?.id;
    if (id === undefined) continue;
    const status = hunkStatus(view.state.decisionOf(file.item.change.path), id);
    if (status === 'edit') {
      view.message =
        'This hunk was edited: its lines are no longer those. e edits it again, u takes it back.';
      return;
    }
    const taken = takenLines(view, file, hunk);
    for (const line of lines) {
      if (isTaken) taken.add(line);
      else taken.delete(line);
    }
    if (!decidePart(view, file, id, { lines: [...taken] })) return;
    view.message =
      taken.size === 0
        ? 'No line of this hunk is taken.'
        : `${count(taken.size, 'line')} of this hunk taken.`;
  }
  file.anchor = undefined;
}

/** The lines of change under the cursor or in the chosen range, by hunk. */
function chosenLines(file: FileView): Map<number, number[]> {
  const from = Math.min(file.anchor ?? file.cursor, file.cursor);
  const to = Math.max(file.anchor ?? file.cursor, file.cursor);
  const chosen = new Map<number, number[]>();
  for (const row of file.rows.slice(from, to + 1)) {
    if (row.kind !== 'line' && row.kind !== 'pair') continue;
    const lines = changedLinesOf(row, file.textHunks[row.hunk]);
    if (lines.length > 0) chosen.set(row.hunk, [...(chosen.get(row.hunk) ?? []), ...lines]);
  }
  return chosen;
}

/** The lines of a hunk that are taken as things stand. */
export function takenLines(view: ReviewView, file: FileView, hunk: number): Set<number> {
  const decision = view.state.decisionOf(file.item.change.path);
  const { id = '', lines = [] } = file.textHunks[hunk] ?? {};
  const status = hunkStatus(decision, id);
  if (status === 'accept') return new Set([...lines.keys()].filter((at) => /^[-+]/.test(lines[at] ?? '')));
  if (decision?.decision !== 'partial') return new Set();
  const own = decision.hunks.find((each) => each.hunk === id);
  return new Set(own?.decision === 'lines' ? own.lines : []);
}

export function decidePart(
  view: ReviewView,
  file: FileView,
  hunk: string,
  choice: Parameters<ReviewView['state']['decidePart']>[3],
): boolean {
  if (file.hunks === undefined) return false;
  try {
    view.state.decidePart(file.item.change.path, file.hunks, { hunk }, choice);
  } catch (error) {
    if (!isSafeCoderError(error, 'apply/refused')) throw error;
    view.message = error.message;
    return false;
  }
  view.isChanged = true;
  view.message = '';
  view.refreshTree();
  return true;
}

/** Records what an editor made of a hunk; false, with the reason in the message, when it can't be. */
export function recordEdit(view: ReviewView, file: FileView, hunk: string, edited: Buffer): boolean {
  const isRecorded = decidePart(view, file, hunk, { edit: edited });
  if (isRecorded) view.message = 'The edited hunk is accepted. u takes it back.';
  return isRecorded;
}

/** Asks for a comment on what was rejected just now, on the hunk under the cursor, or on the file. */
export function commentHere(view: ReviewView): void {
  const target = view.rejected ?? underCursor(view);
  if (target === undefined) {
    view.message = 'A comment is about a file or a hunk.';
    return;
  }
  const { item, file, hunk } = target;
  const { path } = item.change;
  const decision = view.state.decisionOf(path);
  const own =
    decision?.decision === 'partial' ? decision.hunks.find((each) => each.hunk === hunk) : undefined;
  const before = (hunk === undefined ? decision?.comment : own?.comment) ?? '';
  view.prompt = openPrompt(commentLabel(view, target), before, (text) => {
    const on = hunk !== undefined && file?.hunks !== undefined ? { hunks: file.hunks, hunk } : undefined;
    view.state.comment(path, text.trim(), on);
    view.isChanged = true;
    view.message = text.trim() === '' ? 'No comment.' : 'Comment kept.';
  });
}

function underCursor(view: ReviewView): ReviewView['rejected'] {
  if (view.focus === 'tree') return view.node?.item && { item: view.node.item };
  const { file } = view;
  const hunk = file?.textHunks[file.hunkAtCursor ?? -1]?.id;
  return file && { item: file.item, file, ...(hunk === undefined ? {} : { hunk }) };
}

function commentLabel(view: ReviewView, { item, hunk }: NonNullable<ReviewView['rejected']>): string {
  if (view.rejected !== undefined) return `Why not ${showPath(lastPart(item.change.path))}? For the agent: `;
  return `Comment on the ${hunk === undefined ? 'file' : 'hunk'}, for the agent: `;
}

function lastPart(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** Goes to the next thing that is not decided: in this file below, in this file above, then in the files that follow. */
export function goToOpen(view: ReviewView): void {
  if (view.focus === 'tree') {
    goToOpenNode(view);
    return;
  }
  const { file } = view;
  if (file !== undefined && view.isOpen(file.item) && seekOpenHunk(view)) return;
  const items = view.itemsInOrder;
  const at = file === undefined ? -1 : items.indexOf(file.item);
  const next = [...items.slice(at + 1), ...items.slice(0, Math.max(0, at))].find((item) => view.isOpen(item));
  if (next === undefined) view.message = 'Everything here is decided. q leaves.';
  else {
    view.selectPath(next.change.path);
    seekOpenHunk(view);
  }
}

/** Puts the cursor on the next hunk of this file that is not decided, from the top when there is none below. */
export function seekOpenHunk(view: ReviewView): boolean {
  const { file } = view;
  if (file === undefined) return false;
  const decision = view.state.decisionOf(file.item.change.path);
  const isOpen = (row: FileView['rows'][number]) =>
    row.kind === 'hunk' && hunkStatus(decision, file.textHunks[row.hunk]?.id ?? '') === 'undecided';
  return view.seekRow(1, isOpen) || view.seekRow(1, isOpen, -1);
}

/** The next row of the tree with something open in it; nothing is unfolded for it. */
function goToOpenNode(view: ReviewView): void {
  const { node, nodes, treeCursor } = view;
  const isBelow = (path: string) =>
    node !== undefined && node.item === undefined && path.startsWith(`${node.path}/`);
  const fits = (index: number) =>
    !isBelow(nodes[index]?.path ?? '') && nodes[index]?.items.some((item) => view.isOpen(item)) === true;
  const order = [...nodes.keys()];
  const next = [...order.slice(treeCursor + 1), ...order.slice(0, treeCursor)].find(fits);
  if (next === undefined) view.message ||= 'Everything here is decided. q leaves.';
  else view.selectNode(next);
}

function count(number: number, what = 'file'): string {
  return number === 1 ? `1 ${what}` : `${number.toLocaleString('en-US')} ${what}s`;
}
