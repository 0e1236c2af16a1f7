/** Makes folders of the workspace accessible again to whom they belong. */
import { isSafeCoderError } from '../base/errors.ts';
import type { RelPath } from '../base/path-bytes.ts';
import type { UnpackEntry } from '../guest/guest.ts';
import { parentOf } from './base-index.ts';
import type { Sandbox } from './sandbox.ts';

const OWNER = 0o700;

/** Gives the owner all rights in the folders above these paths, outermost first, where they are missing. Throws `guest/*`. */
export async function openFolders(sandbox: Sandbox, paths: readonly RelPath[]): Promise<void> {
  const folders = new Set<string>();
  for (const path of paths) {
    for (let at = parentOf(path); at !== '' && !folders.has(at); at = parentOf(at)) folders.add(at);
  }
  // A shorter path is never below a longer one: what is above is open by the time it is needed.
  for (const folder of [...folders].sort((a, b) => a.length - b.length)) {
    const entry = await closedFolder(sandbox, folder as RelPath);
    if (entry !== undefined) await sandbox.unpack([entry]);
  }
}

async function closedFolder(sandbox: Sandbox, path: RelPath): Promise<UnpackEntry | undefined> {
  try {
    const { stat } = await sandbox.stat(`${sandbox.workspace}/${path}`, { noFollow: true });
    if (stat.kind !== 'directory' || (stat.mode & OWNER) === OWNER) return undefined;
    return { kind: 'directory', path, mode: (stat.mode | OWNER) & 0o7777, mtimeNs: stat.mtimeNs };
  } catch (error) {
    // Not there, or below something that is no folder.
    if (isSafeCoderError(error, 'guest/failed')) return undefined;
    throw error;
  }
}
