/**
 * Private folders for running sandboxes: sockets, disks, console. Each names its owner, so that what a killed process
 * left behind is recognised and removed at the next start.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { liveOwner, takeOwnerLock } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';

/** A folder without an owner that is younger than this may just be being made. */
const GRACE_MS = 60_000;

export class RunFolder implements Disposable {
  readonly id: string;
  /** Empty, 0700, and short enough for a socket's address where the state folder's own path is. */
  readonly path: HostPath;
  readonly #folder: HostPath;

  private constructor(folder: HostPath, id: string) {
    this.id = id;
    this.#folder = folder;
    this.path = join(folder, 'vm') as HostPath;
  }

  static create(state: HostPath): RunFolder {
    const root = join(state, 'run');
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const id = randomBytes(4).toString('hex');
    const folder = join(root, id) as HostPath;
    mkdirSync(folder, { mode: 0o700 });
    takeOwnerLock(join(folder, 'owner') as HostPath);
    const run = new RunFolder(folder, id);
    mkdirSync(run.path, { mode: 0o700 });
    return run;
  }

  /** Removes everything. The guest must have ended. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Removes what processes that are gone have left. Returns how many folders. */
export function sweepRunFolders(state: HostPath, now: number): number {
  const root = join(state, 'run');
  let names: string[];
  try {
    names = readdirSync(root);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 0;
    throw error;
  }
  return names.filter((name) => removeAbandoned(join(root, name), now)).length;
}

/** True when the folder was nobody's and is gone. Others may make, end and sweep theirs meanwhile. */
function removeAbandoned(folder: string, now: number): boolean {
  const owner = join(folder, 'owner') as HostPath;
  try {
    // A folder without an owner may be one that is just being made: its age is looked at before its owner.
    const isYoung = now - statSync(folder).mtimeMs < GRACE_MS;
    if (isYoung && !readdirSync(folder).some((name) => name.startsWith('owner.'))) return false;
    if (liveOwner(owner) !== undefined) return false;
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    return true;
  } catch (error) {
    // Its owner ended it while we looked, or another start swept it; or it is no folder, and so none of ours.
    if (['ENOENT', 'ENOTEMPTY', 'ENOTDIR'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}
