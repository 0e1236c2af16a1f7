/** Finding text in names and in lines. */
import { showPath } from '../../base/path-bytes.ts';
import type { FileHunks } from '../../review/file-hunks.ts';
import type { HunkSource } from '../../review/hunk-source.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import type { FileView } from './file-view.ts';
import { lineText } from './line-text.ts';
import type { ReviewView } from './view.ts';
import type { Ranges } from './word-diff.ts';

/** A search without capitals finds both; one with finds only that. */
export function includes(text: string, search: string): boolean {
  return search === search.toLowerCase() ? text.toLowerCase().includes(search) : text.includes(search);
}

/** Where the search stands in a text. */
export function findAll(text: string, search: string): Ranges {
  if (search === '') return [];
  const isAnyCase = search === search.toLowerCase();
  const inside = isAnyCase ? text.toLowerCase() : text;
  const found: [number, number][] = [];
  for (let at = inside.indexOf(search); at !== -1; at = inside.indexOf(search, at + search.length)) {
    found.push([at, at + search.length]);
  }
  return found;
}

/** Goes to the next place: a name in the tree, a line in a file and then in the files that follow. */
export function searchOn(view: ReviewView, direction: 1 | -1): void {
  const { search } = view;
  if (search === '') view.message = '/ searches.';
  else if (view.focus === 'tree') searchNames(view, direction);
  else if (!seekText(view, direction)) {
    view.message = `Searching the other files for ${showPath(search)} ... (any key stops)`;
    view.effects.push({ kind: 'searchFiles', text: search, direction });
  }
}

function searchNames(view: ReviewView, direction: 1 | -1): void {
  const items = view.itemsInOrder;
  const here = view.node?.items[0];
  const at = here === undefined ? -1 : items.indexOf(here) - (view.node?.item ? 0 : 1);
  const order = direction === 1 ? items : [...items].reverse();
  const start = direction === 1 ? at + 1 : items.length - at;
  const next = [...order.slice(start), ...order.slice(0, start)].find(({ change }) =>
    includes(change.path, view.search),
  );
  if (next === undefined) view.message = `No name holds ${showPath(view.search)}.`;
  else view.selectPath(next.change.path);
}

/** The next row of the shown file that holds the text. */
export function seekText(view: ReviewView, direction: 1 | -1, from?: number): boolean {
  const { file, search } = view;
  if (file === undefined) return false;
  return view.seekRow(direction, (row) => rowText(file, row).some((text) => includes(text, search)), from);
}

function rowText(file: FileView, row: FileView['rows'][number]): string[] {
  if (row.kind === 'line') return [file.textOf(row.hunk, row.line)];
  if (row.kind === 'context') return [file.contextText(row.old)];
  if (row.kind === 'note') return [row.text];
  if (row.kind !== 'pair') return [];
  return [row.left, row.right].flatMap((side) => (side ? [file.textOf(row.hunk, side.line)] : []));
}

/** A file that holds the search in its hunks, with them. */
export interface FoundFile {
  item: ReviewItem;
  hunks: FileHunks;
}

/** Looks through the files that follow the shown one, around the end, until one holds the search or `isStopped`. */
export async function findFile(
  view: ReviewView,
  direction: 1 | -1,
  source: Pick<HunkSource, 'hunksOf'>,
  isStopped: () => boolean,
): Promise<FoundFile | undefined> {
  const { search } = view;
  const items = direction === 1 ? view.itemsInOrder : view.itemsInOrder.reverse();
  const here = view.file === undefined ? -1 : items.indexOf(view.file.item);
  for (const item of [...items.slice(here + 1), ...items.slice(0, here + 1)]) {
    // Keys are read between files, not only between reads.
    await new Promise((resolve) => setImmediate(resolve));
    if (isStopped()) return undefined;
    const hunks = await source.hunksOf(item);
    if (hunks.kind !== 'text') continue;
    const holds = hunks.hunks.some((hunk) =>
      hunk.lines.some((line) => includes(lineText(line.slice(1)), search)),
    );
    if (holds) return { item, hunks };
  }
  return undefined;
}
