/** One writer per ledger. */
import { join } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import { takeOwnerLock } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { writeFailure } from '../git/durable.ts';

/** Takes the lock; dispose to release it. Throws `ledger/busy` while another writer lives. */
export function takeWriterLock(dir: HostPath): Disposable {
  let lock: ReturnType<typeof takeOwnerLock>;
  try {
    lock = takeOwnerLock(join(dir, 'writer') as HostPath);
  } catch (error) {
    throw writeFailure(error, 'its lock');
  }
  if (!('heldBy' in lock)) return lock;
  const pid = lock.heldBy;
  throw new SafeCoderError('ledger/busy', `Another process (${pid}) is writing to the ledger in ${dir}.`, {
    hint: 'Wait until it has ended, or work on another session.',
    details: { pid },
  });
}
