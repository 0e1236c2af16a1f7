/** Moving the ledger's head: lock, compare with the expected value, rename. */
import { renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { syncFolder, writeFailure } from '../git/durable.ts';
import { HEAD_REF, readHead, writeNewFile } from './layout.ts';

/**
 * Makes `id` the head if it still is `expected`. On the disk when this resolves. Throws `ledger/damaged` when somebody else
 * moved the head, `ledger/write-failed` when it can't be written; the head then is what it was.
 */
export async function moveHead(
  dir: HostPath,
  expected: string | undefined,
  id: string,
  options: { sync: boolean },
): Promise<void> {
  const path = join(dir, HEAD_REF);
  const lock = `${path}.lock`;
  let isMine = false;
  try {
    await writeNewFile(lock, `${id}\n`, options);
    isMine = true;
    if (readHead(dir) !== expected) {
      throw new SafeCoderError('ledger/damaged', "The ledger's head was moved by another program.");
    }
    renameSync(lock, path);
    isMine = false;
    if (options.sync) await syncFolder(dirname(path));
  } catch (error) {
    throw writeFailure(error, 'its head');
  } finally {
    if (isMine) rmSync(lock, { force: true });
  }
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
    rmSync(lock, { force: true });
    await writeNewFile(lock, `${id}\n`, options);
    renameSync(lock, path);
    if (options.sync) await syncFolder(dirname(path));
  } catch (error) {
    rmSync(lock, { force: true });
    throw writeFailure(error, 'a list of skipped paths');
  }
}
