/**
 * One writer per ledger. Each would-be writer first creates a file that names its process, then looks for others; of two at
 * the same moment at least one sees the other and gives way. A file whose process is gone is removed by whoever finds it:
 * its name can't come to mean a living one, since it holds the boot and the moment the process began.
 */
import { closeSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { processIdentity } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { createFile, writeFailure } from '../git/durable.ts';

const PREFIX = 'writer.';

/** Takes the lock; dispose to release it. Throws `ledger/busy` while another writer lives. */
export function takeWriterLock(dir: HostPath): Disposable {
  const name = `${PREFIX}${identityOf(process.pid)}.${bootId()}`;
  const path = join(dir, name);
  try {
    closeSync(createFile(path));
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw busy(dir, process.pid);
    throw writeFailure(error, 'its lock');
  }
  const other = readdirSync(dir).find(
    (entry) => entry.startsWith(PREFIX) && entry !== name && isHeld(dir, entry),
  );
  if (other !== undefined) {
    rmSync(path, { force: true });
    throw busy(dir, Number(other.split('.')[1]));
  }
  let isHeldByUs = true;
  return {
    [Symbol.dispose]() {
      if (isHeldByUs) rmSync(path, { force: true });
      isHeldByUs = false;
    },
  };
}

/** True when the process that the file names lives; otherwise the file goes. */
function isHeld(dir: HostPath, name: string): boolean {
  const [, pid = '', start = '', boot = ''] = name.split('.');
  if (boot === bootId() && identityOf(Number(pid)) === `${pid}.${start}`) return true;
  rmSync(join(dir, name), { force: true });
  return false;
}

function identityOf(pid: number): string | undefined {
  return processIdentity(pid)?.replace(' ', '.');
}

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
}

function busy(dir: HostPath, pid: number): SafeCoderError {
  return new SafeCoderError('ledger/busy', `Another process (${pid}) is writing to the ledger in ${dir}.`, {
    hint: 'Wait until it has ended, or work on another session.',
    details: { pid },
  });
}
