/** Files of a tree, and the files in which two trees differ, reading only folders that differ. */
import { SafeCoderError } from '../base/errors.ts';
import { decodePath, type RelPath } from '../base/path-bytes.ts';
import type { Change, FileState } from '../diff/change-set.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import { parseTree, type TreeEntry } from '../git/tree.ts';
import { decodeName } from './name-code.ts';
import type { ParsedTree, ParsedTrees } from './parsed-trees.ts';
import type { ReadTree } from './tree-node.ts';

export interface TreeReader {
  format: ObjectFormat;
  read: ReadTree;
  /** What was read before; a tree's id stands for its bytes. */
  known?: ParsedTrees;
  /** Told of a folder that was not read because it is known: it counts as read. */
  visit?: (oid: string) => void;
}

/** A project has no folder of the same content so often; a ledger from elsewhere may name one without end. */
const MAX_READS_OF_ONE = 20_000;

/** For one walk: throws `ledger/damaged` where the same folder comes up again and again. */
export function bounded({ read, ...reader }: TreeReader): TreeReader {
  const reads = new Map<string, number>();
  const visit = (oid: string) => {
    const count = (reads.get(oid) ?? 0) + 1;
    reads.set(oid, count);
    if (count > MAX_READS_OF_ONE)
      throw new SafeCoderError('ledger/damaged', 'A tree in the ledger holds more than a project can.');
  };
  return {
    ...reader,
    visit,
    read: (oid) => {
      visit(oid);
      return read(oid);
    },
  };
}

/** Calls `onFile` for every file below a tree. */
export async function walkTree(
  reader: TreeReader,
  tree: string,
  onFile: (path: RelPath, state: FileState) => void,
  prefix = '',
): Promise<void> {
  for (const entry of parseTree(reader.format, await reader.read(tree))) {
    const path = prefix + decodeName(entry.name);
    if (entry.mode === '40000') await walkTree(reader, entry.oid, onFile, `${path}/`);
    else onFile(toRelPath(path), { mode: entry.mode, oid: entry.oid });
  }
}

/** The changes from one tree to another, without renames, in order of path bytes. */
export async function compareTrees(reader: TreeReader, base: string, final: string): Promise<Change[]> {
  const changes: Change[] = [];
  await compareFolders(reader, base, final, '', changes);
  return sortChanges(changes);
}

/** Sorts by path, as UTF-8 bytes would. */
export function sortChanges(changes: Change[]): Change[] {
  return changes.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}

/** The kind of a change to one path that is there before and after. */
function kindOf(before: FileState, after: FileState): 'modified' | 'mode' | 'symlink' {
  if (before.mode === '120000' || after.mode === '120000') return 'symlink';
  return before.oid === after.oid ? 'mode' : 'modified';
}

async function compareFolders(
  reader: TreeReader,
  base: string | undefined,
  final: string | undefined,
  prefix: string,
  changes: Change[],
): Promise<void> {
  if (base === final) return;
  const before = await entriesOf(reader, base);
  const after = await entriesOf(reader, final);
  for (const [name, old, now] of differences(before, after)) {
    const path = prefix + decodeName(name);
    compareFiles(toRelPath(path), fileOf(old), fileOf(now), changes);
    await compareFolders(reader, folderOf(old), folderOf(now), `${path}/`, changes);
  }
}

function* differences(
  before: ParsedTree,
  after: ParsedTree,
): Generator<[name: string, old: TreeEntry | undefined, now: TreeEntry | undefined]> {
  for (const [name, old] of before) {
    const now = after.get(name);
    if (old.oid !== now?.oid || old.mode !== now.mode) yield [name, old, now];
  }
  for (const [name, now] of after) if (!before.has(name)) yield [name, undefined, now];
}

function compareFiles(
  path: RelPath,
  before: FileState | undefined,
  after: FileState | undefined,
  changes: Change[],
): void {
  if (before && after) changes.push({ path, kind: kindOf(before, after), before, after });
  else if (before) changes.push({ path, kind: 'deleted', before });
  else if (after) changes.push({ path, kind: 'added', after });
}

async function entriesOf(reader: TreeReader, tree: string | undefined): Promise<ParsedTree> {
  if (tree === undefined) return new Map();
  const known = reader.known?.get(tree);
  if (known !== undefined) {
    reader.visit?.(tree);
    return known;
  }
  const entries = parseTree(reader.format, await reader.read(tree));
  const parsed = new Map(entries.map((entry) => [entry.name, entry]));
  reader.known?.add(tree, parsed);
  return parsed;
}

function fileOf(entry: TreeEntry | undefined): FileState | undefined {
  return entry === undefined || entry.mode === '40000' ? undefined : { mode: entry.mode, oid: entry.oid };
}

function folderOf(entry: TreeEntry | undefined): string | undefined {
  return entry?.mode === '40000' ? entry.oid : undefined;
}

function toRelPath(latin1: string): RelPath {
  const path = decodePath(Buffer.from(latin1, 'latin1'));
  // parseTree has refused empty names and slashes; these two are what is left that could lead out of the tree.
  if (/(^|\/)\.\.?(\/|$)/.test(path)) {
    throw new SafeCoderError('ledger/damaged', 'A tree in the ledger holds a name "." or "..".');
  }
  return path as RelPath;
}
