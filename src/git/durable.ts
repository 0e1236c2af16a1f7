/** Bytes that are still there after a power cut: whole writes, fsync of files and of the folders that name them. */
import { closeSync, constants, fsync, openSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { errnoOf, SafeCoderError } from '../base/errors.ts';

const fsyncAsync = promisify(fsync);
const OUT_OF_SPACE: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** Writes all of `bytes` at `position`. A short write is no error of the system's, so it goes on. */
export function writeFully(fd: number, bytes: Uint8Array, position: number): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
}

/** Creates a file that must not exist yet, only its owner may use it, and returns it open for reading and writing. */
export function createFile(path: string): number {
  return openSync(
    path,
    constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
}

/** Waits until the open file's bytes are on the disk. */
export async function syncFile(fd: number): Promise<void> {
  await fsyncAsync(fd);
}

/** Waits until the names in a folder are on the disk. */
export async function syncFolder(path: string): Promise<void> {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await fsyncAsync(fd);
  } finally {
    closeSync(fd);
  }
}

/** A failed write to the ledger as the error that a person reads; a SafeCoderError stays as it is. */
export function writeFailure(error: unknown, what: string): SafeCoderError {
  if (error instanceof SafeCoderError) return error;
  const errno = errnoOf(error);
  const isFull = errno !== undefined && OUT_OF_SPACE.has(errno);
  return new SafeCoderError('ledger/write-failed', `The ledger could not write ${what}.`, {
    cause: error,
    hint: isFull
      ? 'The disk is full. Free some space (for example with "safe-coder rm ID"). Every entry so far is intact: "safe-coder apply" writes it.'
      : 'Check that the state directory is writable. Every entry so far is intact: "safe-coder apply" writes it.',
    details: { errno: errno ?? 'unknown' },
  });
}
