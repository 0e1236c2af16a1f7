/** Moving the ledger's head: lock, compare with the expected value, rename. */
import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { syncFolder, writeFailure } from '../git/durable.ts';
import { HEAD_REF, readHead, writeNewFile } from './layout.ts';

/** The head's next value, on the disk under another name. Dispose it to forget it. */
export interface PreparedHead extends Disposable {
  /**
   * Makes it the head if the head still is `expected`. On the disk when this resolves. Throws `ledger/damaged` when somebody
   * else moved the head, `ledger/write-failed`; the head then is what it was.
   */
  move(expected: string | undefined): Promise<void>;
}

/** Takes the ref's lock and writes `id` into it. Throws `ledger/write-failed`. */
export async function prepareHead(
  dir: HostPath,
  id: string,
  options: { sync: boolean },
): Promise<PreparedHead> {
  const path = join(dir, HEAD_REF);
  const lock = `${path}.lock`;
  try {
    await writeNewFile(lock, `${id}\n`, options);
  } catch (error) {
    // Held by another program, which keeps it; otherwise half written by us.
    if (errnoOf(error) !== 'EEXIST') rmSync(lock, { force: true });
    throw writeFailure(error, 'its head');
  }
  let isMine = true;
  return {
    async move(expected) {
      try {
        if (readHead(dir) !== expected) {
          throw new SafeCoderError('ledger/damaged', "The ledger's head was moved by another program.");
        }
        renameSync(lock, path);
        isMine = false;
        if (options.sync) await syncFolder(dirname(path));
      } catch (error) {
        throw writeFailure(error, 'its head');
      }
    },
    [Symbol.dispose]() {
      if (isMine) rmSync(lock, { force: true });
      isMine = false;
    },
  };
}

/** Adds a ref that keeps an object reachable; it may be there already. */
export async function keepReachable(
  dir: HostPath,
  folder: string,
  id: string,
  options: { sync: boolean },
): Promise<void> {
  const path = join(dir, folder, id);
  const lock = `${path}.lock`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    rmSync(lock, { force: true });
    await writeNewFile(lock, `${id}\n`, options);
    renameSync(lock, path);
    if (options.sync) await syncFolder(dirname(path));
  } catch (error) {
    rmSync(lock, { force: true });
    throw writeFailure(error, 'what it has to keep');
  }
}
