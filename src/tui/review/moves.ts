/** Getting around: cursors, pages, panes, folds. */
import { hunkOf } from './file-view.ts';
import { openPanel } from './menus.ts';
import type { ReviewView } from './view.ts';

export function up(view: ReviewView, by: number): void {
  if (view.focus === 'tree') view.selectNode(view.treeCursor + by);
  else view.moveFile(by);
}

export function page(view: ReviewView, direction: 1 | -1): void {
  const { treeRows, fileRows } = view.sizes;
  up(view, direction * Math.max(1, (view.focus === 'tree' ? treeRows : fileRows) - 2));
}

export function toEdge(view: ReviewView, direction: 1 | -1): void {
  const length = view.focus === 'tree' ? view.nodes.length : (view.file?.rows.length ?? 0);
  up(view, direction * length);
}

/** To the next hunk, and past the last one of a file into the next. */
export function moveHunk(view: ReviewView, direction: 1 | -1): void {
  const isHead = (row: { kind: string }) => row.kind === 'hunk';
  if (view.focus === 'tree') view.setFocus('file');
  else if (!view.seekRow(direction, isHead)) moveOtherFile(view, direction);
}

export function moveOtherFile(view: ReviewView, direction: 1 | -1): void {
  const items = view.itemsInOrder;
  const here = view.file?.item ?? view.node?.items[0];
  const next = items[(here === undefined ? -1 : items.indexOf(here)) + direction];
  if (next === undefined)
    view.message = direction === 1 ? 'This is the last file.' : 'This is the first file.';
  else view.selectPath(next.change.path);
}

export function switchPane(view: ReviewView): void {
  if (view.focus === 'tree' && view.file === undefined)
    view.message = 'A folder has no lines: enter unfolds it.';
  view.setFocus(view.focus === 'tree' ? 'file' : 'tree');
}

export function enter(view: ReviewView): void {
  if (view.focus === 'file') fold(view);
  else if (view.node?.item !== undefined) view.setFocus('file');
  else fold(view);
}

/** Left and right: in the tree folds and panes, in a file the columns. */
export function scrollSideways(view: ReviewView, direction: 1 | -1): void {
  const { file, node } = view;
  if (view.focus === 'file' && file !== undefined) {
    if (direction === -1 && file.left === 0) view.setFocus('tree');
    else file.left = Math.max(0, Math.min(MAX_LEFT, file.left + direction * SIDE_STEP));
    return;
  }
  if (node === undefined) return;
  if (node.item !== undefined) {
    if (direction === 1) view.setFocus('file');
    else goToFolder(view);
  } else if (view.folded.has(node.path) === (direction === 1)) foldFolder(view);
  else if (direction === -1) goToFolder(view);
  else up(view, 1);
}

const SIDE_STEP = 8;
/** As far as a line is looked at. */
const MAX_LEFT = 9_000;

function goToFolder(view: ReviewView): void {
  const { node, nodes } = view;
  if (node === undefined) return;
  for (let at = view.treeCursor - 1; at >= 0; at--) {
    if ((nodes[at]?.depth ?? 0) < node.depth) {
      view.selectNode(at);
      return;
    }
  }
}

function foldFolder(view: ReviewView): void {
  const { node } = view;
  if (node === undefined || node.item !== undefined) return;
  if (!view.folded.delete(node.path)) view.folded.add(node.path);
  view.refreshTree();
}

/** Folds what is under the cursor, or unfolds it. */
export function fold(view: ReviewView): void {
  if (view.focus === 'tree') {
    if (view.node?.item === undefined) foldFolder(view);
    else goToFolder(view);
    return;
  }
  const { file } = view;
  const row = file?.row;
  if (file === undefined || row === undefined) return;
  if (row.kind === 'gap' || row.kind === 'context') {
    if (row.kind === 'gap' && !file.hasOldLines) view.effects.push({ kind: 'loadOld', file, gap: row.gap });
    if (!file.opened.delete(row.gap)) file.opened.add(row.gap);
  } else {
    const hunk = hunkOf(row);
    if (hunk === undefined) return;
    if (!file.folded.delete(hunk)) file.folded.add(hunk);
  }
  const { cursor } = file;
  file.arrange();
  if (row.kind === 'gap') file.cursor = Math.min(cursor, file.rows.length - 1);
  view.scrollFile();
}

/** Folds all hunks or folders; unfolds all when all are folded. */
export function foldAll(view: ReviewView): void {
  if (view.focus === 'tree') {
    if (!view.foldFolders()) view.folded.clear();
    view.refreshTree();
    view.selectNode(view.treeCursor);
    return;
  }
  const { file } = view;
  if (file === undefined) return;
  const isAll = file.folded.size === file.textHunks.length;
  file.folded.clear();
  if (!isAll) for (const hunk of file.textHunks.keys()) file.folded.add(hunk);
  file.arrange();
  view.scrollFile();
}

export function switchLayout(view: ReviewView): void {
  view.layout = view.isSplit ? 'unified' : 'split';
  view.rearrange();
  view.message = view.isSplit ? 'Side by side.' : 'One column.';
}

/** Escape: takes back one thing, the nearest first. */
export function backOut(view: ReviewView): void {
  if (view.file?.anchor !== undefined) view.file.anchor = undefined;
  else if (view.search !== '') view.search = '';
  else if (view.focus === 'file') view.setFocus('tree');
  else if (view.filterText !== '') view.setFilter({}, '');
}

/** Asks for the step that wrote the line under the cursor. */
export function whoWrote(view: ReviewView): void {
  const file = view.file;
  if (file === undefined) {
    openPanel(view, 'Who wrote it?', ['This is a folder: choose a file.']);
    return;
  }
  const row = view.focus === 'file' ? file.row : undefined;
  let line: number | undefined;
  let isOld = false;
  if (row?.kind === 'line' || row?.kind === 'context') {
    line = row.now ?? row.old;
    isOld = row.now === undefined;
  } else if (row?.kind === 'pair') {
    line = row.right?.number ?? row.left?.number;
    isOld = row.right === undefined;
  } else if (row?.kind === 'hunk') line = file.textHunks[row.hunk]?.newStart;
  view.effects.push({ kind: 'who', file, line, isOld });
}
