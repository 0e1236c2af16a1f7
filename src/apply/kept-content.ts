/**
 * What was there before: the old contents of one apply or undo, one after another in one file, so that keeping a thousand
 * files costs one file's sync. Each is found by the SHA-256 of its bytes.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, fsyncSync, openSync, readlinkSync, readSync } from 'node:fs';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { HostPath, RelPath } from '../base/path-bytes.ts';
import { HostChangedError } from './host-changed.ts';
import { BlockedError, type HostRoot } from './host-root.ts';
import { forEachChunk } from './host-state.ts';
import type { KeptRange, Side } from './journal.ts';
import { writeFully } from './write-durably.ts';

/** Writes the file of kept contents; ends with dispose. */
export class ContentKeeper implements Disposable {
  readonly #fd: number;
  readonly #ranges = new Map<string, KeptRange>();
  #size = 0;
  #isOpen = true;

  /** Makes the file, 0600. */
  constructor(file: HostPath) {
    this.#fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  }

  /** Keeps the bytes that are at `path` now. Throws {@link HostChangedError} when they are not `old`. */
  keep(root: HostRoot, path: RelPath, old: Side): void {
    if (this.#ranges.has(old.sha256)) return;
    const offset = this.#size;
    const hash = createHash('sha256');
    const take = (chunk: Uint8Array) => {
      hash.update(chunk);
      writeFully(this.#fd, chunk);
      this.#size += chunk.length;
    };
    try {
      root.within(path, (directory, name) => {
        if (old.kind === 'symlink') take(readlinkSync(directory.entry(name), { encoding: 'buffer' }));
        else readFileAt(directory.entry(name), take);
      });
    } catch (error) {
      throw isAnotherKind(error) ? new HostChangedError(path) : error;
    }
    if (hash.digest('hex') !== old.sha256) throw new HostChangedError(path);
    this.#ranges.set(old.sha256, { sha256: old.sha256, offset, size: this.#size - offset });
  }

  /** Keeps bytes that are to come and are nowhere else. */
  keepBytes(sha256: string, bytes: Uint8Array): void {
    if (this.#ranges.has(sha256)) return;
    writeFully(this.#fd, bytes);
    this.#ranges.set(sha256, { sha256, offset: this.#size, size: bytes.length });
    this.#size += bytes.length;
  }

  /** Makes all of it durable and tells where each content is. */
  finish(): KeptRange[] {
    fsyncSync(this.#fd);
    return [...this.#ranges.values()];
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }
}

/** What opening or reading says when something else is there than a moment ago. */
function isAnotherKind(error: unknown): boolean {
  return (
    error instanceof BlockedError ||
    ['ENOENT', 'ELOOP', 'EINVAL', 'EISDIR', 'ENXIO'].includes(errnoOf(error) ?? '')
  );
}

function readFileAt(path: Buffer, take: (chunk: Uint8Array) => void): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    forEachChunk(fd, fstatSync(fd).size, take);
  } finally {
    closeSync(fd);
  }
}

/** One kept content, checked. Throws `session/damaged` when it is not there or not what it was. */
export function readKept(file: HostPath, ranges: readonly KeptRange[], sha256: string): Buffer {
  const range = ranges.find((each) => each.sha256 === sha256);
  const hint =
    'Nothing was changed. What the project held before this session can also be read with "safe-coder diff".';
  let bytes: Buffer | undefined;
  try {
    bytes = range === undefined ? undefined : readRange(file, range);
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    const gone = errno === 'ENOENT' ? 'gone: it was given back to the disk' : `not readable (${errno})`;
    throw new SafeCoderError('session/damaged', `What was kept for undo in ${file} is ${gone}.`, {
      cause,
      hint,
    });
  }
  if (bytes && createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  throw new SafeCoderError(
    'session/damaged',
    `The content ${sha256.slice(0, 12)} kept in ${file} is damaged.`,
    { hint },
  );
}

function readRange(file: HostPath, { offset, size }: KeptRange): Buffer {
  const fd = openSync(file, constants.O_RDONLY);
  try {
    const bytes = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      const count = readSync(fd, bytes, at, size - at, offset + at);
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}
