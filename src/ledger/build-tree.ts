/** The trees of a whole project, made from a list of files while holding no more than the folders on one path. */
import { SafeCoderError } from '../base/errors.ts';
import { type RelPath, relPathFault, showPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import { compareTreeEntries, encodeTree, type TreeEntry } from '../git/tree.ts';
import { encodeComponents } from './name-code.ts';

interface OpenFolder {
  name: string;
  entries: TreeEntry[];
}

/**
 * Hands the bytes of every folder's tree to `write`, deepest first, and returns the root's id. Throws `ledger/write-failed` for a
 * path that is none, or a file where another path has a folder.
 */
export function buildTree(
  format: ObjectFormat,
  files: ReadonlyMap<RelPath, FileState>,
  write: (bytes: Buffer) => string,
): string {
  const open: OpenFolder[] = [{ name: '', entries: [] }];
  const closeTo = (depth: number) => {
    while (open.length > depth) {
      const { name, entries } = open.pop() ?? { name: '', entries: [] };
      const oid = write(encodeTree(format, sortEntries(entries)));
      open.at(-1)?.entries.push({ mode: '40000', name, oid });
    }
  };
  // In this order all paths below a folder come one after another.
  for (const path of [...files.keys()].sort()) {
    const state = files.get(path);
    const fault = relPathFault(path);
    if (fault !== undefined || state === undefined) throw refused(path, fault ?? 'it has no file');
    const names = encodeComponents(path);
    const name = names.pop() ?? '';
    closeTo(1 + sharedDepth(open, names));
    for (const folder of names.slice(open.length - 1)) open.push({ name: folder, entries: [] });
    open.at(-1)?.entries.push({ mode: state.mode, name, oid: state.oid });
  }
  closeTo(1);
  return write(encodeTree(format, sortEntries(open[0]?.entries ?? [])));
}

/** How many of the open folders, below the root, are on the way to a file. */
function sharedDepth(open: readonly OpenFolder[], names: readonly string[]): number {
  let depth = 0;
  while (depth < names.length && open[depth + 1]?.name === names[depth]) depth++;
  return depth;
}

function sortEntries(entries: TreeEntry[]): TreeEntry[] {
  const names = new Set<string>();
  for (const { name } of entries) {
    if (names.has(name)) throw refused(name, 'it is both a file and a folder');
    names.add(name);
  }
  return entries.sort(compareTreeEntries);
}

function refused(path: string, why: string): SafeCoderError {
  return new SafeCoderError(
    'ledger/write-failed',
    `The ledger can't hold the path ${showPath(path)}: ${why}.`,
  );
}
