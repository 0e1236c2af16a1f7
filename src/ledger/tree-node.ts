/**
 * The newest tree in memory: nested folders with their ids, read only where a change needs them. A change makes new nodes on
 * the changed paths and leaves the old ones alone, so an entry that fails to be written costs nothing to take back.
 */
import { SafeCoderError } from '../base/errors.ts';
import { type RelPath, relPathFault, showPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import { compareTreeEntries, encodeTree, parseTree, type TreeEntry } from '../git/tree.ts';
import { encodeComponents } from './name-code.ts';

/** A folder. Without `oid` it is a draft that its maker may change; without `children` it is not read yet. */
export interface FolderNode {
  oid: string | undefined;
  children: Map<string, FolderNode | FileState> | undefined;
}

export interface TreeChange {
  written: readonly { path: RelPath; mode: FileState['mode']; oid: string }[];
  removed: readonly RelPath[];
}

export type ReadTree = (oid: string) => Promise<Buffer>;

/** A draft without files. */
export function createFolder(): FolderNode {
  return { oid: undefined, children: new Map() };
}

/**
 * The tree after a change: what is removed goes first (a folder with all below it), then each file is put in its place, over
 * whatever was there. Throws `ledger/write-failed` for a path that is none, or for two files that can't both be.
 */
export async function changeTree(
  format: ObjectFormat,
  root: FolderNode,
  change: TreeChange,
  read: ReadTree,
): Promise<FolderNode> {
  checkPaths(change);
  const draft = await draftOf(format, root, read);
  for (const path of change.removed) await removeFile(format, draft, encodeComponents(path), read);
  for (const file of change.written) {
    const names = encodeComponents(file.path);
    const name = names.pop() ?? '';
    let folder = draft;
    for (const part of names) folder = await draftChild(format, folder, part, read);
    folder.children?.set(name, { mode: file.mode, oid: file.oid });
  }
  return draft;
}

/** Hands the bytes of every draft folder to `write`, deepest first, drops empty ones, and returns the root's id. */
export function writeDrafts(
  format: ObjectFormat,
  root: FolderNode,
  write: (bytes: Buffer) => string,
): string {
  root.oid = writeDraft(format, root, write) ?? write(Buffer.alloc(0));
  return root.oid;
}

function writeDraft(
  format: ObjectFormat,
  folder: FolderNode,
  write: (bytes: Buffer) => string,
): string | undefined {
  if (folder.oid !== undefined) return folder.oid;
  const entries: TreeEntry[] = [];
  for (const [name, child] of folder.children ?? []) {
    if (!isFolder(child)) entries.push({ mode: child.mode, name, oid: child.oid });
    else {
      const oid = writeDraft(format, child, write);
      if (oid === undefined) folder.children?.delete(name);
      else entries.push({ mode: '40000', name, oid });
    }
  }
  if (entries.length === 0) return undefined;
  folder.oid = write(encodeTree(format, entries.sort(compareTreeEntries)));
  return folder.oid;
}

function isFolder(node: FolderNode | FileState): node is FolderNode {
  return !('mode' in node);
}

async function draftOf(format: ObjectFormat, folder: FolderNode, read: ReadTree): Promise<FolderNode> {
  if (folder.oid === undefined) return folder;
  return { oid: undefined, children: new Map(await loadChildren(format, folder, read)) };
}

async function loadChildren(
  format: ObjectFormat,
  folder: FolderNode,
  read: ReadTree,
): Promise<Map<string, FolderNode | FileState>> {
  if (folder.children === undefined) {
    const entries = folder.oid === undefined ? [] : parseTree(format, await read(folder.oid));
    folder.children = new Map(
      entries.map(({ mode, name, oid }) => [
        name,
        mode === '40000' ? { oid, children: undefined } : { mode, oid },
      ]),
    );
  }
  return folder.children;
}

async function draftChild(
  format: ObjectFormat,
  parent: FolderNode,
  name: string,
  read: ReadTree,
): Promise<FolderNode> {
  const child = parent.children?.get(name);
  if (child !== undefined && isFolder(child) && child.oid === undefined) return child;
  const draft = child !== undefined && isFolder(child) ? await draftOf(format, child, read) : createFolder();
  parent.children?.set(name, draft);
  return draft;
}

async function removeFile(
  format: ObjectFormat,
  root: FolderNode,
  names: readonly string[],
  read: ReadTree,
): Promise<void> {
  let folder = root;
  for (const [at, name] of names.entries()) {
    const child = folder.children?.get(name);
    if (child === undefined) return;
    if (at === names.length - 1) folder.children?.delete(name);
    else if (isFolder(child)) folder = await draftChild(format, folder, name, read);
    else return;
  }
}

function checkPaths(change: TreeChange): void {
  const files = new Set<string>();
  for (const path of [...change.removed, ...change.written.map((file) => file.path)]) {
    const fault = relPathFault(path);
    if (fault !== undefined) throw refused(path, fault);
  }
  for (const { path } of change.written) {
    if (files.has(path)) throw refused(path, 'it is written twice');
    files.add(path);
  }
  for (const path of files) {
    for (let slash = path.indexOf('/'); slash >= 0; slash = path.indexOf('/', slash + 1)) {
      if (files.has(path.slice(0, slash))) throw refused(path, 'its folder is written as a file');
    }
  }
}

function refused(path: string, why: string): SafeCoderError {
  return new SafeCoderError(
    'ledger/write-failed',
    `The ledger can't hold the path ${showPath(path)}: ${why}.`,
  );
}
