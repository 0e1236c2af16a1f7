/** Things in the cache are made once, whole or not at all, also when several processes want them at the same moment. */
import { mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { delay, throwIfCancelled } from '../base/lifetime.ts';
import { takeOwnerLock } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';

/** Longer than the slowest build (a kernel's download); after that the other process is taken for stuck. */
const WAIT_FOR_OTHER_MS = 15 * 60_000;
const POLL_MS = 40;

/**
 * Makes sure that `target` (a file or a folder) exists, calling `build` with a fresh path beside it when it doesn't;
 * what `build` leaves at that path is renamed into place. One builder at a time per target, others wait and find it
 * made. The folder above is made 0700. Throws what `build` throws, with nothing left behind; `cancelled` on abort.
 */
export async function makeOnce(
  target: HostPath,
  build: (temporary: HostPath) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  if (await exists(target)) return markUsed(target);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  using _lock = await waitForLock(`${target}.lock` as HostPath, signal);
  if (await exists(target)) return;
  const temporary = `${target}.making` as HostPath;
  // Under the lock nobody else builds here: what is there was left by a builder that was killed.
  await rm(temporary, { recursive: true, force: true });
  try {
    await build(temporary);
    throwIfCancelled(signal);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    throw error;
  }
}

async function waitForLock(file: HostPath, signal: AbortSignal | undefined): Promise<Disposable> {
  const until = Date.now() + WAIT_FOR_OTHER_MS;
  for (;;) {
    throwIfCancelled(signal);
    // A promise of this very process would find its own lock "held by a living owner", which is right: it waits too.
    const lock = takeOwnerLock(file);
    if (!('heldBy' in lock)) return lock;
    if (Date.now() > until) {
      throw new SafeCoderError(
        'image/build-failed',
        `Process ${lock.heldBy} has been preparing ${file} for too long.`,
        {
          hint: `End process ${lock.heldBy}, or remove the lock file.`,
        },
      );
    }
    await delay(POLL_MS, signal).catch(() => throwIfCancelled(signal));
  }
}

/** What the cache holds is removed when it was not used for long: see `pruneUnused`. */
async function markUsed(target: HostPath): Promise<void> {
  const now = new Date();
  await utimes(target, now, now);
}

/** Removes what {@link makeOnce} made in a folder and nobody asked for since `before`. */
export async function pruneUnused(folder: HostPath, before: Date): Promise<void> {
  const names = await readdir(folder).catch(() => []); // Nothing made yet.
  for (const name of names.filter((one) => !/\.lock\.|\.making$/.test(one))) {
    const found = await stat(`${folder}/${name}`).catch(() => undefined); // Removed by another process.
    if (found !== undefined && found.mtimeMs < before.getTime()) {
      await rm(`${folder}/${name}`, { recursive: true, force: true });
    }
  }
}

/** Whether there is something at the path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
