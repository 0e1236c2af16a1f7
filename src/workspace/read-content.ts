/** Reads files once, straight into the buffer of a block stream, and hashes the very bytes that were kept. */
import { createHash, hash as hashOnce } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import {
  BLOCK_BYTES,
  type BlockStream,
  type Extent,
  HEADROOM_BYTES,
  MAX_RESERVE_BYTES,
} from '../image/block-stream.ts';

export type ObjectFormat = 'sha1' | 'sha256';

/** Larger files are read in chunks. */
export const SMALL_FILE_BYTES = MAX_RESERVE_BYTES;

const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file that changed within this time before it was read is looked at again after, because it may be changing still. */
const RECENT_NS = 2_000_000_000n;
const MAX_TRIES = 3;

/** Opens a file for reading without following a link or waiting for a FIFO's writer. Throws the system's error. */
export function openForReading(path: string | Buffer): { fd: number; stat: BigIntStats } {
  const fd = openSync(path, READ_FLAGS);
  try {
    return { fd, stat: fstatSync(fd, { bigint: true }) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

export interface SmallRead {
  /** A view of the stream's buffer; valid until the stream is used again. */
  bytes: Buffer;
  stat: BigIntStats;
  /** Whether it was still changing at the last try; the bytes are what the last try read. */
  wasUnstable: boolean;
}

/** Reads a whole small file into what `stream` reserves; nothing is kept yet. */
export function readSmall(
  stream: BlockStream,
  fd: number,
  first: BigIntStats,
  startedNs: bigint,
): SmallRead | 'grew' {
  let stat = first;
  for (let tries = 1; ; tries++) {
    const size = Number(stat.size);
    if (size > SMALL_FILE_BYTES) return 'grew';
    const at = stream.reserve(size);
    const read = readFully(fd, stream.buffer, at, size, 0);
    const bytes = stream.buffer.subarray(at, at + read);
    if (read === size && stat.ctimeNs < startedNs - RECENT_NS) return { bytes, stat, wasUnstable: false };
    const after = fstatSync(fd, { bigint: true });
    const isSame = read === size && after.ctimeNs === stat.ctimeNs && after.size === stat.size;
    if (isSame || tries === MAX_TRIES) return { bytes, stat, wasUnstable: !isSame };
    stat = after;
  }
}

/** Reads until `length` bytes are there or the file ends. Returns how many there are. */
export function readFully(fd: number, into: Buffer, at: number, length: number, position: number): number {
  let done = 0;
  while (done < length) {
    const got = readSync(fd, into, at + done, length - done, position + done);
    if (got === 0) break;
    done += got;
  }
  return done;
}

/** The blob id of bytes that a stream has reserved: the header is put in front of them for a moment. */
export function hashReserved(stream: BlockStream, bytes: Buffer, format: ObjectFormat): string {
  const { buffer } = stream;
  const start = bytes.byteOffset - buffer.byteOffset;
  const header = `blob ${bytes.length}\0`;
  const from = start - header.length;
  const saved = Buffer.from(buffer.subarray(from, start));
  buffer.write(header, from, 'latin1');
  const oid = hashOnce(format, buffer.subarray(from, start + bytes.length), 'hex');
  saved.copy(buffer, from);
  return oid;
}

/** The blob id of bytes anywhere. */
export function hashBlob(bytes: Uint8Array, format: ObjectFormat): string {
  return createHash(format).update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

export interface LargeRead {
  extent: Extent;
  oid: string | undefined;
  wasUnstable: boolean;
}

const ZEROS = Buffer.alloc(SMALL_FILE_BYTES);

/**
 * Reads a large file chunk by chunk and keeps it; yields between chunks, so that the caller may let others work. What
 * is copied is at most the size it had when opened. `admit` sees the first chunk, and false leaves the file out.
 */
export function* readLarge(
  stream: BlockStream,
  fd: number,
  stat: BigIntStats,
  format: ObjectFormat | undefined,
  admit: (head: Buffer) => boolean,
): Generator<number, LargeRead | undefined> {
  const size = Number(stat.size);
  const hash = format && createHash(format).update(`blob ${size}\0`);
  let block: number | undefined;
  let done = 0;
  while (done < size) {
    const length = Math.min(SMALL_FILE_BYTES, size - done);
    const at = stream.reserve(length);
    const read = readFully(fd, stream.buffer, at, length, done);
    const bytes = stream.buffer.subarray(at, at + read);
    if (done === 0 && !admit(bytes)) return undefined;
    hash?.update(bytes);
    const isHole = read === ZEROS.length && bytes.equals(ZEROS);
    const kept = isHole ? stream.keepHole(read) : stream.keep(read);
    block ??= kept.block;
    done += read;
    if (read < length) break;
    yield read;
  }
  const extent = { block: block ?? stream.nextBlock, size: done };
  const after = fstatSync(fd, { bigint: true });
  const wasUnstable = done < size || after.ctimeNs !== stat.ctimeNs;
  if (format === undefined || hash === undefined) return { extent, oid: undefined, wasUnstable };
  // The header named a size that the file no longer has: hash again what was kept.
  const oid = done === size ? hash.digest('hex') : hashExtent(stream, extent, format);
  return { extent, oid, wasUnstable };
}

function hashExtent(stream: BlockStream, extent: Extent, format: ObjectFormat): string {
  const hash = createHash(format).update(`blob ${extent.size}\0`);
  for (const chunk of stream.read(extent)) hash.update(chunk);
  return hash.digest('hex');
}

/** A link's target as bytes, or undefined when it is no link any more. */
export function readLink(path: string | Buffer): Buffer | undefined {
  try {
    return readlinkSync(path, { encoding: 'buffer' });
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

/** Compile-time reminder that a header fits in front of a reservation, and that chunks fill whole blocks. */
if (HEADROOM_BYTES < 'blob 9007199254740991\0'.length || SMALL_FILE_BYTES % BLOCK_BYTES !== 0) {
  throw new Error('the block stream no longer suits the reader');
}
