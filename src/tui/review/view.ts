/**
 * What is on the screen of a review and where its cursors are. No I/O: what it needs from outside it puts into `effects`, and
 * whoever runs it answers. Reading it never changes it.
 */
import type { Decision } from '../../review/decision.ts';
import type { FileHunks } from '../../review/file-hunks.ts';
import type { ReviewFilter } from '../../review/review-filter.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import type { ReviewState } from '../../review/review-state.ts';
import { FileView, hunkOf } from './file-view.ts';
import type { Overlay, Prompt } from './overlay.ts';
import { buildTree, type TreeNode, visibleNodes } from './tree.ts';

export type Effect =
  /** The hunks of a file are missing: `showFile` or `failFile` answers. */
  | { kind: 'load'; file: FileView }
  /** Lines between hunks are wanted. */
  | { kind: 'loadOld'; file: FileView; gap: number }
  | { kind: 'edit'; file: FileView; hunk: number }
  | { kind: 'who'; file: FileView; line: number | undefined; isOld: boolean }
  /** Which steps there are; `openSteps` answers. */
  | { kind: 'steps' }
  /** The text was not found in the rest of this file; others may hold it. */
  | { kind: 'searchFiles'; text: string; direction: 1 | -1 }
  | { kind: 'mouse' }
  | { kind: 'redraw' }
  | { kind: 'suspend' }
  | { kind: 'leave'; outcome: ReviewOutcome };

export type ReviewOutcome = 'apply' | 'keep' | 'discard';

/** Smallest screen that a review fits on. */
export const MIN_COLUMNS = 60;
export const MIN_ROWS = 12;
/** From this width on, tree and file stand side by side whichever has the keys. */
const WIDE = 100;
/** From this width of the file's pane on, old and new stand side by side by themselves. */
const SPLIT = 110;

export interface Sizes {
  columns: number;
  rows: number;
  /** 0: not shown. */
  tree: number;
  file: number;
  /** Rows of the tree, and of the file without its head. */
  treeRows: number;
  fileRows: number;
}

export class ReviewView {
  readonly state: ReviewState;
  /** What is reviewed, in a word or two. */
  readonly title: string;
  focus: 'tree' | 'file' = 'tree';
  nodes: readonly TreeNode[] = [];
  treeCursor = 0;
  treeTop = 0;
  file: FileView | undefined;
  overlay: Overlay | undefined;
  prompt: Prompt | undefined;
  /** Said once, at the bottom. */
  message = '';
  search = '';
  /** What the list is narrowed to, in words; empty for everything. */
  filterText = '';
  layout: 'auto' | 'unified' | 'split' = 'auto';
  columns: number;
  rows: number;
  effects: Effect[] = [];
  /** Something was decided since it was last saved; whoever saves sets it back. */
  isChanged = false;
  /** What the last key rejected: a comment typed now is about that, though the cursor went on. */
  rejected: { item: ReviewItem; file?: FileView; hunk?: string } | undefined;
  readonly folded = new Set<string>();
  /** Edits that were refused, by hunk id: nothing that was typed is lost. */
  readonly drafts = new Map<string, Buffer>();
  readonly #files = new Map<string, FileView>();
  #root: TreeNode;
  #shown: readonly ReviewItem[];

  constructor(state: ReviewState, options: { title: string; columns: number; rows: number }) {
    this.state = state;
    this.title = options.title;
    this.columns = options.columns;
    this.rows = options.rows;
    this.#shown = state.visible;
    this.#root = buildTree(this.#shown);
    if (this.#shown.length > MANY) this.foldFolders();
    this.refreshTree();
    const first = this.nodes.findIndex(({ item }) => item !== undefined);
    this.selectNode(Math.max(0, first));
  }

  get sizes(): Sizes {
    const { columns, rows } = this;
    const isWide = columns >= WIDE;
    const beside = Math.max(28, Math.min(50, Math.floor(columns * 0.3)));
    const tree = isWide ? beside : this.focus === 'tree' ? 34 : 0;
    return {
      columns,
      rows,
      tree,
      file: tree === 0 ? columns : columns - tree - 1,
      treeRows: rows - 2,
      fileRows: rows - 3,
    };
  }

  get isTooSmall(): boolean {
    return this.columns < MIN_COLUMNS || this.rows < MIN_ROWS;
  }

  get node(): TreeNode | undefined {
    return this.nodes[this.treeCursor];
  }

  /** The items in the order of the tree, as far as the filter lets them through. */
  get itemsInOrder(): ReviewItem[] {
    const out: ReviewItem[] = [];
    const visit = (node: TreeNode) => {
      if (node.item) out.push(node.item);
      for (const child of node.children) visit(child);
    };
    visit(this.#root);
    return out;
  }

  /** Is there anything in it that is not decided? Of a file that was not looked at, a decision in part leaves something open. */
  isOpen(item: ReviewItem): boolean {
    const { path } = item.change;
    const decision = this.state.decisionOf(path);
    if (decision === undefined || decision.decision !== 'partial') return decision === undefined;
    const hunks = this.#files.get(path)?.hunks;
    if (hunks?.kind !== 'text') return this.state.statusOf(path) === 'undecided' || hunks === undefined;
    return hunks.hunks.some(({ id }) => hunkStatus(decision, id) === 'undecided');
  }

  /** Narrows the list; `text` says to what. A filter that nothing passes is not set. */
  setFilter(filter: ReviewFilter, text: string): void {
    const before = this.state.filter;
    this.state.filter = filter;
    if (this.state.visible.length === 0 && this.state.items.length > 0) {
      this.state.filter = before;
      this.message = `Nothing here is ${text}.`;
      return;
    }
    this.filterText = text;
    const path = this.file?.item.change.path;
    this.treeCursor = 0;
    this.refreshTree();
    const isStillThere = this.state.visible.some(({ change }) => change.path === path);
    if (isStillThere && path !== undefined) this.selectPath(path);
    else
      this.selectNode(
        Math.max(
          0,
          this.nodes.findIndex(({ item }) => item !== undefined),
        ),
      );
    if (this.file === undefined) this.setFocus('tree');
  }

  refreshTree(): void {
    if (this.state.visible !== this.#shown) {
      this.#shown = this.state.visible;
      this.#root = buildTree(this.#shown);
    }
    this.nodes = visibleNodes(this.#root, this.folded);
    this.treeCursor = clamp(this.treeCursor, this.nodes.length);
    this.scrollTree();
  }

  /** Puts the tree's cursor on a node and shows its file. */
  selectNode(index: number): void {
    this.treeCursor = clamp(index, this.nodes.length);
    this.scrollTree();
    const item = this.node?.item;
    this.file = item === undefined ? undefined : this.#open(item);
  }

  /** Shows a file, whatever is folded around it. */
  selectPath(path: string): void {
    for (let slash = path.indexOf('/'); slash !== -1; slash = path.indexOf('/', slash + 1)) {
      this.folded.delete(path.slice(0, slash));
    }
    this.refreshTree();
    const index = this.nodes.findIndex((node) => node.item !== undefined && node.path === path);
    if (index !== -1) this.selectNode(index);
  }

  showFile(file: FileView, hunks: FileHunks): void {
    this.state.learn(file.item.change.path, hunks);
    file.isSplit = this.#isFileSplit(file);
    file.show(hunks);
    this.#startAtOpen(file);
    if (file === this.file) this.scrollFile();
  }

  /** A file that was decided in part opens at what is left to decide. */
  #startAtOpen(file: FileView): void {
    const decision = this.state.decisionOf(file.item.change.path);
    const open = file.rows.findIndex(
      (row) =>
        row.kind === 'hunk' && hunkStatus(decision, file.textHunks[row.hunk]?.id ?? '') === 'undecided',
    );
    if (open !== -1) file.cursor = open;
  }

  get isSplit(): boolean {
    return this.layout === 'auto' ? this.sizes.file >= SPLIT : this.layout === 'split';
  }

  /** Of a file that came or went there is only one side to show. */
  #isFileSplit({ item: { change } }: FileView): boolean {
    return this.isSplit && change.before !== undefined && change.after !== undefined;
  }

  /** After another width or layout. */
  rearrange(): void {
    if (this.file !== undefined) this.#arrange(this.file);
    this.scrollFile();
    this.scrollTree();
  }

  setFocus(focus: 'tree' | 'file'): void {
    if (focus === 'file' && this.file === undefined) return;
    this.focus = focus;
    this.rearrange();
  }

  moveFile(by: number): void {
    if (this.file === undefined) return;
    this.file.cursor = clamp(this.file.cursor + by, this.file.rows.length);
    this.scrollFile();
  }

  /** Puts the file's cursor on the next row in a direction that fits; false when there is none. */
  seekRow(
    direction: 1 | -1,
    fits: (row: FileView['rows'][number]) => boolean,
    from = this.file?.cursor ?? 0,
  ): boolean {
    const rows = this.file?.rows ?? [];
    for (let at = from + direction; at >= 0 && at < rows.length; at += direction) {
      const row = rows[at];
      if (row === undefined || !fits(row)) continue;
      if (this.file) this.file.cursor = at;
      this.scrollFile();
      return true;
    }
    return false;
  }

  scrollTree(): void {
    this.treeTop = scroll(this.treeTop, this.treeCursor, this.sizes.treeRows, this.nodes.length);
  }

  scrollFile(): void {
    const { file } = this;
    if (file === undefined) return;
    file.top = scroll(file.top, file.cursor, this.sizes.fileRows, file.rows.length);
    this.#showHunk(file);
  }

  /** A hunk that the cursor came to the head of shows as a whole where there is room. */
  #showHunk(file: FileView): void {
    if (file.row?.kind !== 'hunk') return;
    let end = file.cursor;
    while (end + 1 < file.rows.length && hunkOf(file.rows[end + 1]) === file.row.hunk) end += 1;
    const height = this.sizes.fileRows;
    if (end < file.top + height) return;
    file.top = Math.max(0, Math.min(file.cursor - 1, end - height + 1));
    if (file.cursor - file.top > height - 1) file.top = file.cursor - 1;
    if (end - file.cursor >= height) file.top = Math.max(0, file.cursor - 1);
  }

  #open(item: ReviewItem): FileView {
    const { path } = item.change;
    const known = this.#files.get(path) ?? new FileView(item);
    this.#files.delete(path);
    this.#files.set(path, known);
    const [oldest] = this.#files.keys();
    if (this.#files.size > MOST_FILES && oldest !== undefined) this.#files.delete(oldest);
    if (known.hunks === undefined) this.effects.push({ kind: 'load', file: known });
    else this.#arrange(known);
    return known;
  }

  #arrange(file: FileView): void {
    const isSplit = this.#isFileSplit(file);
    if (file.isSplit === isSplit) return;
    file.isSplit = isSplit;
    file.arrange();
  }

  /** Folds every folder; false when all were. */
  foldFolders(): boolean {
    const before = this.folded.size;
    const visit = (node: TreeNode) => {
      for (const child of node.children) {
        if (child.item === undefined) this.folded.add(child.path);
        visit(child);
      }
    };
    visit(this.#root);
    return this.folded.size > before;
  }
}

/** From this many files on, folders begin folded. */
const MANY = 400;
/** Files whose rows and colours are kept. */
const MOST_FILES = 40;

export type HunkStatus = 'undecided' | 'accept' | 'reject' | 'lines' | 'edit';

/** What is decided about a hunk by a decision about its file. */
export function hunkStatus(decision: Decision | undefined, id: string): HunkStatus {
  if (decision === undefined) return 'undecided';
  if (decision.decision !== 'partial') return decision.decision;
  return decision.hunks.find(({ hunk }) => hunk === id)?.decision ?? 'undecided';
}

export function clamp(index: number, length: number): number {
  return Math.max(0, Math.min(length - 1, index));
}

/** Where a window of `height` rows begins so that the cursor is in it, with some rows around. */
function scroll(top: number, cursor: number, height: number, length: number): number {
  const margin = Math.min(3, Math.floor((height - 1) / 2));
  const lowest = Math.max(0, cursor - height + 1 + margin);
  const highest = Math.max(0, cursor - margin);
  const next = Math.max(lowest, Math.min(top, highest));
  return Math.max(0, Math.min(next, Math.max(0, length - height)));
}
