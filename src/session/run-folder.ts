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
  let removed = 0;
  for (const name of names) {
    const folder = join(root, name);
    if (liveOwner(join(folder, 'owner') as HostPath) !== undefined) continue;
    if (now - statSync(folder).mtimeMs < GRACE_MS && !hasOwner(folder)) continue;
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    removed += 1;
  }
  return removed;
}

function hasOwner(folder: string): boolean {
  return readdirSync(folder).includes('owner');
}
