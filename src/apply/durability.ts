/**
 * When bytes are on the disk. Few files are synced one by one; many are written first and synced with the whole file
 * system at once, which costs a third as much (docs/decisions/0062).
 */
import { fsyncSync } from 'node:fs';
import { errnoOf, isSafeCoderError } from '../base/errors.ts';
import type { HostPath, RelPath } from '../base/path-bytes.ts';
import { runProcess } from '../base/process.ts';
import { BlockedError, type HostRoot } from './host-root.ts';
import { fsyncFolder } from './write-durably.ts';

/** Up to so many files each is synced by itself. */
export const SYNC_EACH_LIMIT = 64;

/** Makes everything written to the file system of `path` durable. False when this machine has no way to do that. */
async function syncFileSystem(path: HostPath): Promise<boolean> {
  try {
    const { exitCode } = await runProcess('sync', ['-f', path], {
      env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
      timeoutMs: 120_000,
    });
    return exitCode === 0;
  } catch (error) {
    if (
      isSafeCoderError(error, 'environment/tool-missing') ||
      isSafeCoderError(error, 'environment/tool-failed')
    ) {
      return false;
    }
    throw error;
  }
}

/** Makes files written in `folder` without sync durable, by one call for all of them or one by one. */
export async function settleFolder(folder: HostPath, fallback: () => void): Promise<void> {
  if (await syncFileSystem(folder)) return;
  fallback();
  fsyncFolder(folder);
}

/** Makes the names in these folders of the project durable; folders that are gone need nothing. */
export async function settleNames(
  root: HostRoot,
  folders: ReadonlySet<RelPath | ''>,
  options: { syncEach: boolean },
): Promise<void> {
  if (!options.syncEach && (await syncFileSystem(root.path))) return;
  for (const folder of folders) {
    try {
      root.inside(folder, (directory) => fsyncSync(directory.fd));
    } catch (error) {
      // Some network file systems can't sync a folder (EINVAL); there is no more that can be done there.
      if (!(error instanceof BlockedError) && errnoOf(error) !== 'EINVAL') throw error;
    }
  }
}
