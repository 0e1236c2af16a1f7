/**
 * Writes a pack, version 2 without deltas, with its index. Objects are kept in memory while they are few, in an unnamed-to-
 * git temporary file once they are many, and become visible all at once by {@link PackWriter.install}.
 */
import { createHash, randomBytes } from 'node:crypto';
import { closeSync, ftruncateSync, readSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { createFile, syncFile, syncFolder, writeFailure, writeFully } from './durable.ts';
import { hashObject, type ObjectFormat, type ObjectType, startObjectHash } from './object-id.ts';
import { encodePackIndex, type PackedObject } from './pack-index.ts';
import { deflateChunks, toZlib } from './zlib-stream.ts';

const HEADER_BYTES = 12;
/** Buffered bytes after which the pack goes to its temporary file. */
const SPILL_BYTES = 8 << 20;
/** Blobs up to this size are made in memory; larger ones are streamed. */
const WHOLE_BLOB_BYTES = 1 << 20;
const COPY_BYTES = 1 << 20;
const KIND: Record<ObjectType, number> = { commit: 1, tree: 2, blob: 3 };

/** Names of temporary files begin so; git ignores them, and the next writer sweeps them. */
export const TEMPORARY_PREFIX = 'tmp_';

export interface InstalledPack {
  stem: HostPath;
  index: Buffer;
}

export class PackWriter implements Disposable {
  readonly #format: ObjectFormat;
  readonly #folder: string;
  readonly #isKnown: (oid: string) => boolean;
  #objects = new Map<string, PackedObject>();
  #parts: Buffer[] = [];
  #partBytes = 0;
  #fileBytes = HEADER_BYTES;
  #file: { fd: number; path: string } | undefined;
  #isInstalled = false;

  /** `folder` is the repository's `objects/pack`; what `isKnown` tells to be there already is not written again. */
  constructor(options: { format: ObjectFormat; folder: HostPath; isKnown: (oid: string) => boolean }) {
    this.#format = options.format;
    this.#folder = options.folder;
    this.#isKnown = options.isKnown;
  }

  /** How many objects it holds. */
  get count(): number {
    return this.#objects.size;
  }

  /** Size of the pack so far. */
  get bytes(): number {
    return this.#fileBytes + this.#partBytes;
  }

  has(oid: string): boolean {
    return this.#objects.has(oid);
  }

  /** Adds an object and returns its id. Throws `ledger/write-failed`; the pack then is as it was before. */
  add(type: ObjectType, bytes: Uint8Array): string {
    const oid = hashObject(this.#format, type, bytes);
    if (!this.#isKnown(oid) && !this.has(oid)) {
      this.#append(oid, [entryHeader(type, bytes.length), toZlib(bytes)]);
    }
    return oid;
  }

  /**
   * Adds a blob of exactly `size` bytes and returns its id. Throws `guest/failed` when the chunks hold more or less, and
   * `ledger/write-failed`; the pack then is as it was before.
   */
  addBlob(size: number, chunks: Iterable<Uint8Array>): string {
    const counted = countChunks(size, chunks);
    return size <= WHOLE_BLOB_BYTES
      ? this.add('blob', Buffer.concat([...counted]))
      : this.#stream(size, counted);
  }

  /** Adds an entry that is already in a pack's form, as it lies there. */
  addRaw(oid: string, crc: number, entry: Buffer): void {
    if (this.has(oid)) return;
    this.#append(oid, [entry], crc);
  }

  /**
   * Makes the objects visible: bytes on the disk first, then the pack's name, then the index's, which is what git goes by.
   * Throws `ledger/write-failed`; nothing is visible then, and it may be tried again.
   */
  async install(options: { sync: boolean }): Promise<InstalledPack> {
    const indexPath = this.#temporary('idx');
    let indexFd: number | undefined;
    try {
      const { fd, path } = this.#spill();
      const packHash = this.#close(fd);
      const index = encodePackIndex(this.#format, [...this.#objects.values()], packHash);
      indexFd = createFile(indexPath);
      writeFully(indexFd, index, 0);
      if (options.sync) await Promise.all([syncFile(fd), syncFile(indexFd)]);
      const stem = join(this.#folder, `pack-${packHash.toString('hex')}`) as HostPath;
      renameSync(path, `${stem}.pack`);
      this.#file = { fd, path: `${stem}.pack` };
      renameSync(indexPath, `${stem}.idx`);
      this.#isInstalled = true;
      if (options.sync) await syncFolder(this.#folder);
      return { stem, index };
    } catch (error) {
      rmSync(indexPath, { force: true });
      throw writeFailure(error, 'new objects');
    } finally {
      if (indexFd !== undefined) closeSync(indexFd);
      if (this.#isInstalled) this[Symbol.dispose]();
    }
  }

  /** Forgets everything that was not installed. */
  [Symbol.dispose](): void {
    const file = this.#file;
    this.#file = undefined;
    this.#parts = [];
    this.#partBytes = 0;
    if (file === undefined) return;
    closeSync(file.fd);
    if (!this.#isInstalled) rmSync(file.path, { force: true });
  }

  #append(oid: string, parts: Buffer[], knownCrc?: number): void {
    const offset = this.bytes;
    let crc = knownCrc ?? 0;
    for (const part of parts) {
      if (knownCrc === undefined) crc = crc32(part, crc);
      this.#parts.push(part);
      this.#partBytes += part.length;
    }
    this.#objects.set(oid, { oid, crc, offset });
    if (this.#partBytes < SPILL_BYTES) return;
    try {
      this.#spill();
    } catch (error) {
      this.#objects.delete(oid);
      for (const part of parts) this.#partBytes -= part.length;
      this.#parts.length -= parts.length;
      throw writeFailure(error, 'new objects');
    }
  }

  /** A blob too large for memory goes straight to the file, and is taken back when it was there already or fails. */
  #stream(size: number, chunks: Iterable<Uint8Array>): string {
    const hash = startObjectHash(this.#format, 'blob', size);
    let start: number | undefined;
    try {
      const { fd } = this.#spill();
      start = this.#fileBytes;
      const header = entryHeader('blob', size);
      let crc = crc32(header);
      writeFully(fd, header, start);
      let at = start + header.length;
      for (const piece of deflateChunks(hashing(hash, chunks))) {
        crc = crc32(piece, crc);
        writeFully(fd, piece, at);
        at += piece.length;
      }
      const oid = hash.digest('hex');
      if (this.#isKnown(oid) || this.has(oid)) ftruncateSync(fd, start);
      else {
        this.#objects.set(oid, { oid, crc, offset: start });
        this.#fileBytes = at;
      }
      return oid;
    } catch (error) {
      if (start !== undefined && this.#file !== undefined) ftruncateSync(this.#file.fd, start);
      throw writeFailure(error, 'a large file');
    }
  }

  /** Moves what is buffered to the temporary file. */
  #spill(): { fd: number; path: string } {
    if (this.#file === undefined) {
      const path = this.#temporary('pack');
      this.#file = { fd: createFile(path), path };
    }
    if (this.#partBytes > 0) {
      writeFully(this.#file.fd, Buffer.concat(this.#parts), this.#fileBytes);
      this.#fileBytes += this.#partBytes;
      this.#parts = [];
      this.#partBytes = 0;
    }
    return this.#file;
  }

  /** Writes the header, now that the count is known, and the closing hash, which it returns. */
  #close(fd: number): Buffer {
    const header = Buffer.alloc(HEADER_BYTES);
    header.write('PACK', 'latin1');
    header.writeUInt32BE(2, 4);
    header.writeUInt32BE(this.count, 8);
    writeFully(fd, header, 0);
    const hash = createHash(this.#format);
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, this.#fileBytes));
    for (let at = 0; at < this.#fileBytes; ) {
      const count = readSync(fd, buffer, 0, Math.min(buffer.length, this.#fileBytes - at), at);
      if (count === 0) throw new Error('the temporary pack was cut short');
      hash.update(buffer.subarray(0, count));
      at += count;
    }
    const packHash = hash.digest();
    writeFully(fd, packHash, this.#fileBytes);
    ftruncateSync(fd, this.#fileBytes + packHash.length);
    return packHash;
  }

  #temporary(kind: string): string {
    return join(this.#folder, `${TEMPORARY_PREFIX}${kind}_${randomBytes(8).toString('hex')}`);
  }
}

/** Type and size of an entry, in git's variable-length form. */
function entryHeader(type: ObjectType, size: number): Buffer {
  const bytes: number[] = [];
  let rest = Math.floor(size / 16);
  let byte = (KIND[type] << 4) | (size % 16);
  while (rest > 0) {
    bytes.push(byte | 0x80);
    byte = rest % 128;
    rest = Math.floor(rest / 128);
  }
  bytes.push(byte);
  return Buffer.from(bytes);
}

function* countChunks(size: number, chunks: Iterable<Uint8Array>): Generator<Uint8Array> {
  let seen = 0;
  for (const chunk of chunks) {
    seen += chunk.length;
    if (seen > size) break;
    yield chunk;
  }
  if (seen !== size) {
    const what = seen > size ? 'more' : `only ${seen}`;
    throw new SafeCoderError(
      'guest/failed',
      `A file was announced with ${size} bytes and came with ${what}.`,
    );
  }
}

function* hashing(
  hash: { update(bytes: Uint8Array): unknown },
  chunks: Iterable<Uint8Array>,
): Generator<Uint8Array> {
  for (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}
