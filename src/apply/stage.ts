/**
 * The stage: a private folder in the project's root where new files wait (`n0`, `n1`, …) and old ones are put aside
 * (`o0`, `o1`, …). It is on the project's own file system, so every move in or out of it is one rename or link.
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { unlink } from 'node:fs/promises';
import type { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf } from '../base/errors.ts';
import { decodePath } from '../base/path-bytes.ts';
import { STAGE_PREFIX } from '../policy/apply-path.ts';
import type { HostRoot } from './host-root.ts';
import { type HostState, readEntry } from './host-state.ts';
import type { Side } from './journal.ts';
import { writeFully } from './write-durably.ts';

/** Who a new file shall belong to; undefined leaves what the system gives it. */
export interface Owner {
  uid: number;
  gid: number;
}

export class Stage implements Disposable {
  readonly handle: DirectoryHandle;

  private constructor(handle: DirectoryHandle) {
    this.handle = handle;
  }

  static newName(): string {
    return `${STAGE_PREFIX}${randomBytes(8).toString('hex')}`;
  }

  /** Makes the folder, 0700, and opens it. The caller closes it with dispose and removes it with {@link removeStage}. */
  static create(root: HostRoot, name: string): Stage {
    mkdirSync(root.handle.entry(name), { mode: 0o700 });
    return new Stage(root.handle.openDirectory(name));
  }

  /** Opens a stage that an earlier process made; undefined when there is none. */
  static openExisting(root: HostRoot, name: string): Stage | undefined {
    try {
      return new Stage(root.handle.openDirectory(name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  read(name: string): HostState {
    return readEntry(this.handle, name, 'sha1');
  }

  has(name: string): boolean {
    return lstatIn(this.handle, name) !== undefined;
  }

  /** Writes one entry with the owner, permissions and time that it shall have. Replaces one of that name. */
  write(
    name: string,
    side: Side,
    bytes: Uint8Array,
    owner: Owner | undefined,
    options: { sync: boolean },
  ): void {
    this.remove(name);
    if (side.kind === 'symlink') this.#writeSymlink(name, side, bytes, owner);
    else this.#writeFile(name, side, bytes, owner, options);
  }

  #writeFile(
    name: string,
    side: Side,
    bytes: Uint8Array,
    owner: Owner | undefined,
    options: { sync: boolean },
  ): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(this.handle.entry(name), flags, side.executable ? 0o755 : 0o644);
    try {
      writeFully(fd, bytes);
      // Owner first: changing it clears permission bits.
      if (owner) changeOwner(fd, owner);
      if (side.mode !== undefined) fchmodSync(fd, side.mode & 0o777);
      if (side.mtimeNs !== undefined) {
        const seconds = toSeconds(side.mtimeNs);
        futimesSync(fd, seconds, seconds);
      }
      if (options.sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #writeSymlink(name: string, side: Side, target: Uint8Array, owner: Owner | undefined): void {
    const path = this.handle.entry(name);
    symlinkSync(Buffer.from(target), path);
    const stat = lstatSync(path);
    if (owner && process.geteuid?.() === 0 && (stat.uid !== owner.uid || stat.gid !== owner.gid)) {
      lchownSync(path, owner.uid, owner.gid);
    }
    if (side.mtimeNs !== undefined) {
      const seconds = toSeconds(side.mtimeNs);
      lutimesSync(path, seconds, seconds);
    }
  }

  remove(name: string): void {
    try {
      unlinkSync(this.handle.entry(name));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }

  [Symbol.dispose](): void {
    this.handle[Symbol.dispose]();
  }
}

/**
 * Removes the files of a stage, several at a time: freeing the old files' blocks is the slowest part of cleaning up, and
 * file systems free several at once. What can't be removed is left to {@link removeStage}.
 */
export async function emptyStage(root: HostRoot, name: string): Promise<void> {
  using stage = Stage.openExisting(root, name);
  if (stage === undefined) return;
  const names = readdirSync(stage.handle.self).filter((entry) => OURS.test(entry));
  const lane = async () => {
    for (let entry = names.pop(); entry !== undefined; entry = names.pop()) {
      await unlink(stage.handle.entry(entry));
    }
  };
  await Promise.allSettled([lane(), lane(), lane(), lane()]);
}

/** Names of files that were put into a stage. */
const OURS = /^[no]\d+$/;

/** Removes a stage and what is left in it. Files that are no files of ours (a folder that was moved in) are kept, and named. */
export function removeStage(root: HostRoot, name: string): string[] {
  using stage = Stage.openExisting(root, name);
  if (stage === undefined) return [];
  const kept: string[] = [];
  for (const bytes of readdirSync(stage.handle.self, { encoding: 'buffer' })) {
    const entry = decodePath(bytes);
    const stat = lstatIn(stage.handle, entry);
    if (stat?.isDirectory() || !OURS.test(entry)) kept.push(`${name}/${entry}`);
    else stage.remove(entry);
  }
  if (kept.length === 0) rmdirSync(root.handle.entry(name));
  return kept;
}

/** Moves an entry to a name that must be free. Throws EEXIST when it isn't. */
export function moveNew(from: DirectoryHandle, fromName: string, to: DirectoryHandle, toName: string): void {
  try {
    linkSync(from.entry(fromName), to.entry(toName));
  } catch (error) {
    if (!lacksHardLinks(error)) throw error;
    // Without hard links there is no move that refuses to overwrite: look first, and move in the next system call.
    if (lstatIn(to, toName) !== undefined) throw Object.assign(new Error('exists'), { code: 'EEXIST' });
    renameSync(from.entry(fromName), to.entry(toName));
    return;
  }
  unlinkSync(from.entry(fromName));
}

/** Keeps a second name for an entry when the file system can; false when it can't. */
export function tryLink(
  from: DirectoryHandle,
  fromName: string,
  to: DirectoryHandle,
  toName: string,
): boolean {
  try {
    linkSync(from.entry(fromName), to.entry(toName));
    return true;
  } catch (error) {
    if (lacksHardLinks(error)) return false;
    throw error;
  }
}

export function lstatIn(directory: DirectoryHandle, name: string) {
  return lstatSync(directory.entry(name), { bigint: true, throwIfNoEntry: false });
}

/** EPERM also comes from the kernel's protection of hard links to other users' files. */
function lacksHardLinks(error: unknown): boolean {
  return ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EINVAL'].includes(errnoOf(error) ?? '');
}

function changeOwner(fd: number, owner: Owner): void {
  const stat = fstatSync(fd);
  if (stat.uid === owner.uid && stat.gid === owner.gid) return;
  try {
    fchownSync(fd, owner.uid, owner.gid);
  } catch (error) {
    // Only the group of a setgid folder that this user is not in comes here: preflight turned other owners away.
    if (errnoOf(error) !== 'EPERM') throw error;
  }
}

function toSeconds(ns: string): number {
  return Number(BigInt(ns) / 1000n) / 1e6;
}
