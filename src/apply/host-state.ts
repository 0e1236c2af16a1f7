/** What a path of the project holds at this moment, read without following anything. */
import { createHash, type Hash } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import type { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf } from '../base/errors.ts';

export type ObjectFormat = 'sha1' | 'sha256';

/** A file or symlink: identity of its content, and what is needed to put it back as it was. */
export interface HostEntry {
  kind: 'file' | 'symlink';
  /** Git blob id in the project's object format. */
  oid: string;
  sha256: string;
  /** The owner's exec bit, which is what git records. */
  executable: boolean;
  /** Permission bits with setuid, setgid and sticky. */
  mode: number;
  uid: number;
  gid: number;
  links: number;
  mtimeNs: bigint;
  size: number;
}

export type HostState =
  | HostEntry
  | { kind: 'absent' }
  | { kind: 'directory' }
  /** FIFO, socket, device, another file system, or something that can't be read. */
  | { kind: 'special'; what: string }
  /** A parent is no directory: what it is, and how many components down it stands (0 is the first). */
  | { kind: 'blocked'; depth: number; what: 'file' | 'symlink' | 'mount' | 'special' };

const CHUNK_BYTES = 1 << 20;

/** Reads one name in an open directory. Never blocks on a FIFO, never follows a symlink. */
export function readEntry(directory: DirectoryHandle, name: string, format: ObjectFormat): HostState {
  const path = directory.entry(name);
  let stat: BigIntStats;
  try {
    stat = lstatSync(path, { bigint: true });
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { kind: 'absent' };
    throw error;
  }
  if (stat.isDirectory()) return { kind: 'directory' };
  if (stat.isSymbolicLink()) {
    const target = readlinkSync(path, { encoding: 'buffer' });
    const hashes = new ContentHashes(format, target.length);
    hashes.update(target);
    return { kind: 'symlink', ...hashes.digest(), executable: false, ...facts(stat), size: target.length };
  }
  if (!stat.isFile()) return { kind: 'special', what: describe(stat) };
  return readFileEntry(path, format);
}

function readFileEntry(path: Buffer, format: ObjectFormat): HostState {
  let fd: number;
  try {
    fd = openSync(
      path,
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
  } catch (error) {
    const code = errnoOf(error);
    if (code === 'ENOENT') return { kind: 'absent' };
    if (code === 'EACCES' || code === 'EPERM') return { kind: 'special', what: 'a file that cannot be read' };
    if (code === 'ELOOP' || code === 'ENXIO') return { kind: 'special', what: 'something that just changed' };
    throw error;
  }
  try {
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) return { kind: 'special', what: describe(stat) };
    const hashes = new ContentHashes(format, Number(stat.size));
    const read = forEachChunk(fd, Number(stat.size), (chunk) => hashes.update(chunk));
    if (read !== Number(stat.size)) return { kind: 'special', what: 'a file that is being written' };
    return {
      kind: 'file',
      ...hashes.digest(),
      executable: (stat.mode & 0o100n) !== 0n,
      ...facts(stat),
      size: read,
    };
  } finally {
    closeSync(fd);
  }
}

/**
 * Hands the bytes of a file of that size on in pieces that are valid during the call only; returns how many there were, also
 * when it grew meanwhile.
 */
export function forEachChunk(fd: number, size: number, take: (chunk: Buffer) => void): number {
  const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, size + 1));
  let total = 0;
  for (;;) {
    const count = readSync(fd, buffer, 0, buffer.length, total);
    if (count === 0) return total;
    total += count;
    take(buffer.subarray(0, count));
    // There was room for more, and no more came.
    if (total === size && count < buffer.length) return total;
  }
}

/** The git blob id and the SHA-256 of the same bytes. */
export class ContentHashes {
  readonly #blob: Hash;
  readonly #sha256 = createHash('sha256');

  constructor(format: ObjectFormat, size: number) {
    this.#blob = createHash(format).update(`blob ${size}\0`);
  }

  update(bytes: Uint8Array): void {
    this.#blob.update(bytes);
    this.#sha256.update(bytes);
  }

  digest(): { oid: string; sha256: string } {
    return { oid: this.#blob.digest('hex'), sha256: this.#sha256.digest('hex') };
  }
}

function facts(stat: BigIntStats) {
  return {
    mode: Number(stat.mode & 0o7777n),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    links: Number(stat.nlink),
    mtimeNs: stat.mtimeNs,
  };
}

function describe(stat: BigIntStats): string {
  if (stat.isFIFO()) return 'a FIFO';
  if (stat.isSocket()) return 'a socket';
  if (stat.isBlockDevice() || stat.isCharacterDevice()) return 'a device';
  return 'no ordinary file';
}
