/** The folders that come and go with the files in them. */
import type { RelPath } from '../base/path-bytes.ts';
import type { HostRoot } from './host-root.ts';
import type { ReadyStep } from './intent.ts';
import type { Folder } from './journal.ts';

/** Folders that the steps need and that aren't there, top first, with the modes that are known of them. */
export function foldersToCreate(
  root: HostRoot,
  steps: readonly ReadyStep[],
  known: ReadonlyMap<RelPath, Folder> | undefined,
): Folder[] {
  const missing = new Map<RelPath, Folder>();
  const seen = new Set<RelPath>();
  for (const step of steps) {
    if (step.new === undefined) continue;
    for (const folder of foldersAbove(step.path)) {
      if (seen.has(folder)) continue;
      seen.add(folder);
      if (root.directory(folder) !== undefined) continue;
      missing.set(folder, known?.get(folder) ?? { path: folder });
    }
  }
  return [...missing.values()].sort((a, b) => depthOf(a.path) - depthOf(b.path));
}

/** Folders that the steps empty, deepest first, without those in `needed`; only those in `removable` when it is given. */
export function foldersToRemove(
  root: HostRoot,
  steps: readonly ReadyStep[],
  needed: ReadonlySet<RelPath>,
  removable: ReadonlySet<RelPath> | undefined,
): Folder[] {
  const emptied = new Map<RelPath, Folder>();
  for (const step of steps) {
    if (step.new !== undefined) continue;
    for (const folder of foldersAbove(step.path)) {
      if (needed.has(folder) || emptied.has(folder)) continue;
      if (removable !== undefined && !removable.has(folder)) continue;
      const stat = root.directory(folder);
      if (stat === undefined) continue;
      const mode = Number(stat.mode & 0o7777n);
      emptied.set(folder, { path: folder, mode, uid: Number(stat.uid), gid: Number(stat.gid) });
    }
  }
  return [...emptied.values()].sort((a, b) => depthOf(b.path) - depthOf(a.path));
}

/** Every file, symlink or special file below a folder; folders themselves only when they are empty. */
export function filesBelow(root: HostRoot, folder: RelPath): RelPath[] {
  return root.names(folder).flatMap((name) => {
    const path = `${folder}/${name}` as RelPath;
    if (root.directory(path) === undefined) return [path];
    const below = filesBelow(root, path);
    return below.length === 0 ? [path] : below;
  });
}

/** The folders that a path lies in, outermost first, without the root. */
export function foldersAbove(path: RelPath): RelPath[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/') as RelPath);
}

function depthOf(path: string): number {
  return path.split('/').length;
}
