/** The entries that changed one file, from the newest back, through renames and rollbacks. */
import type { RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { Entry, LedgerReader } from './ledger.ts';

/** What one entry did to the file. */
export interface FileStep {
  entry: Entry;
  path: RelPath;
  after: FileState;
  /** What it was before, perhaps under another name; undefined where the entry made the file. */
  before?: FileState & { path: RelPath };
}

/** What the walk needs of a ledger. */
export type HistorySource = Pick<LedgerReader, 'entries' | 'fileAt' | 'changes'>;

/**
 * The steps of the file at `path` in the tree of `at`, newest first; none when it is not there or nobody changed it. What a
 * rollback brought back has the history of the entry it went back to. Reads folders on the path, and whole changes only where
 * the file appears. Throws `ledger/damaged`.
 */
export async function* fileHistory(
  ledger: HistorySource,
  path: RelPath,
  at: Entry,
): AsyncGenerator<FileStep> {
  const byId = new Map((await ledger.entries()).map((entry) => [entry.id, entry]));
  let file = await fileIn(ledger, at, path);
  for (let entry: Entry | undefined = at; entry !== undefined && file !== undefined; ) {
    const parent = previousOf(entry, byId);
    const before: (FileState & { path: RelPath }) | undefined =
      parent && (await fileBefore(ledger, parent, entry, file));
    if (parent && !isSame(before, file)) {
      const { path: name, ...after } = file;
      yield { entry, path: name, after, ...(before && { before }) };
    }
    entry = parent;
    file = before;
  }
}

/** The entry whose tree the file's history goes on in. */
function previousOf(entry: Entry, byId: ReadonlyMap<string, Entry>): Entry | undefined {
  const target = byId.get(entry.trailers.to ?? '');
  if (target?.tree === entry.tree && target.trailers.seq < entry.trailers.seq) return target;
  return entry.parent === undefined ? undefined : byId.get(entry.parent);
}

async function fileBefore(
  ledger: HistorySource,
  parent: Entry,
  entry: Entry,
  file: FileState & { path: RelPath },
): Promise<(FileState & { path: RelPath }) | undefined> {
  if (parent.tree === entry.tree) return file;
  const before = await fileIn(ledger, parent, file.path);
  if (before) return before;
  const { changes } = await ledger.changes(parent.tree, entry.tree, { renames: true });
  const from = changes.find((change) => change.path === file.path)?.from;
  return from === undefined ? undefined : fileIn(ledger, parent, from);
}

async function fileIn(ledger: HistorySource, entry: Entry, path: RelPath) {
  const state = await ledger.fileAt(entry.tree, path);
  return state && { ...state, path };
}

function isSame(a: (FileState & { path: RelPath }) | undefined, b: FileState & { path: RelPath }): boolean {
  return a !== undefined && a.oid === b.oid && a.mode === b.mode && a.path === b.path;
}
