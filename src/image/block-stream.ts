/**
 * A file written in 4 KiB blocks from one reused buffer. Callers read file content straight into the buffer, so
 * nothing is copied, and write(2) is called once per some megabytes.
 */
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { encodePath, type HostPath, showPath } from '../base/path-bytes.ts';

export const BLOCK_BYTES = 4096;

/** Room that callers may scribble on in front of every reserved range (a hash header, say), to be put back after. */
export const HEADROOM_BYTES = 64;

/** Most bytes that one {@link BlockStream.reserve} may ask for. */
export const MAX_RESERVE_BYTES = 1 << 20;

const BUFFER_BYTES = 4 << 20;

/** Where content lies in the file: first block, and length in bytes. */
export interface Extent {
  readonly block: number;
  readonly size: number;
}

/** Number of blocks that hold `bytes` bytes. */
export function blocksFor(bytes: number): number {
  return Math.ceil(bytes / BLOCK_BYTES);
}

export class BlockStream implements Disposable {
  readonly buffer = Buffer.allocUnsafeSlow(HEADROOM_BYTES + BUFFER_BYTES);
  readonly #path: HostPath;
  readonly #fd: number;
  /** Block at which the buffer will be written. */
  #flushedBlocks: number;
  /** End of what the buffer holds. */
  #end = HEADROOM_BYTES;
  #isOpen = true;

  private constructor(path: HostPath, fd: number, firstBlock: number) {
    this.#path = path;
    this.#fd = fd;
    this.#flushedBlocks = firstBlock;
  }

  /**
   * Makes a new file, 0600; content starts at `firstBlock`. A file that is all hole is taken too: a machine that starts at
   * the same time may have made it, with the size that it expects. The caller owns file and stream.
   */
  static create(path: HostPath, firstBlock: number): BlockStream {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const fd = openSync(encodePath(path), flags, 0o600);
    const found = fstatSync(fd);
    if (!found.isFile() || found.blocks > 0) {
      closeSync(fd);
      throw new SafeCoderError(
        'image/build-failed',
        `There is something in the image file ${showPath(path)} already.`,
      );
    }
    return new BlockStream(path, fd, firstBlock);
  }

  /** The block at which the next content will lie. */
  get nextBlock(): number {
    return this.#flushedBlocks + (this.#end - HEADROOM_BYTES) / BLOCK_BYTES;
  }

  /** Makes room for `bytes` bytes and returns their offset in {@link buffer}; valid until the next call. */
  reserve(bytes: number): number {
    if (bytes > MAX_RESERVE_BYTES) throw new RangeError(`${bytes} bytes are more than one reservation holds`);
    if (this.#end + blocksFor(bytes) * BLOCK_BYTES > this.buffer.length) this.flush();
    return this.#end;
  }

  /** Keeps the first `length` bytes of what was reserved last. The rest of the last block becomes zeros. */
  keep(length: number): Extent {
    const block = this.nextBlock;
    const end = this.#end + length;
    this.#end += blocksFor(length) * BLOCK_BYTES;
    this.buffer.fill(0, end, this.#end);
    return { block, size: length };
  }

  /** Keeps `length` zero bytes without writing them: they stay a hole of the file. */
  keepHole(length: number): Extent {
    this.flush();
    const block = this.#flushedBlocks;
    this.#flushedBlocks += blocksFor(length);
    return { block, size: length };
  }

  /** Writes what the buffer holds. Throws `environment/disk-full` when there is no room, `image/build-failed` otherwise. */
  flush(): void {
    this.writeAt(this.buffer.subarray(HEADROOM_BYTES, this.#end), this.#flushedBlocks * BLOCK_BYTES);
    this.#flushedBlocks = this.nextBlock;
    this.#end = HEADROOM_BYTES;
  }

  /** Writes bytes at a place of their own, past the buffer. */
  writeAt(bytes: Uint8Array, position: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
      }
    } catch (error) {
      throw writeFailure(this.#path, error);
    }
  }

  /** Reads kept content back, in chunks that the caller may hold on to. */
  *read(extent: Extent, chunkBytes = MAX_RESERVE_BYTES): Generator<Buffer> {
    this.flush();
    for (let done = 0; done < extent.size; ) {
      const chunk = Buffer.alloc(Math.min(chunkBytes, extent.size - done));
      // Past the end of the file lies a hole that nothing was written behind: zeros, as the buffer already holds.
      readSync(this.#fd, chunk, 0, chunk.length, extent.block * BLOCK_BYTES + done);
      done += chunk.length;
      yield chunk;
    }
  }

  /** Forgets all content and starts again at `block`; for a stream that is only a passing store. */
  rewind(block: number): void {
    if (this.#flushedBlocks > block) ftruncateSync(this.#fd, block * BLOCK_BYTES);
    this.#flushedBlocks = block;
    this.#end = HEADROOM_BYTES;
  }

  /** Writes all that is left and gives the file its full length. Returns that length in blocks. */
  finish(): number {
    this.flush();
    ftruncateSync(this.#fd, this.#flushedBlocks * BLOCK_BYTES);
    return this.#flushedBlocks;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }
}

/** Never the bare error of the system, which a reader of many files could take for one of them. */
function writeFailure(path: HostPath, cause: unknown): SafeCoderError {
  const errno = errnoOf(cause);
  if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'EFBIG') {
    return new SafeCoderError('environment/disk-full', `No room left to write ${showPath(path)}.`, {
      cause,
      hint: 'Free some disk space ("safe-coder rm ID" deletes a session) and start again.',
    });
  }
  return new SafeCoderError('image/build-failed', `${showPath(path)} can't be written (${errno}).`, {
    cause,
    hint: 'Check the disk that holds it, and start again.',
  });
}
