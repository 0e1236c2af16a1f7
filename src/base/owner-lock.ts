/**
 * Locks that name their owner. A lock file holds a process id and that process's start time, so that a lock whose
 * owner is gone is recognised, also when the id has been given to another process since.
 */
import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { errnoOf } from './errors.ts';
import type { HostPath } from './path-bytes.ts';

export interface OwnerLock extends Disposable {
  readonly file: HostPath;
}

/** Identity of a running process: id and start time (in clock ticks since boot, from /proc); undefined when it is gone. */
export function processIdentity(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The program's name may hold spaces and parentheses: fields are counted after the last one.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? undefined : `${pid} ${fields[19]}`;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return undefined;
    throw error;
  }
}

/** The owner written in a lock file, when that very process still runs. */
export function liveOwner(file: HostPath): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'latin1').trim();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  const pid = Number(/^(\d{1,10}) \d+$/.exec(text)?.[1] ?? Number.NaN);
  return Number.isInteger(pid) && processIdentity(pid) === text ? pid : undefined;
}

/** Takes the lock, or returns the process id of the living owner that holds it. Ends with dispose. */
export function takeOwnerLock(file: HostPath): OwnerLock | { heldBy: number } {
  for (let attempt = 0; ; attempt++) {
    try {
      publish(file);
      return ownerLock(file);
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' || attempt > 4) throw error;
    }
    const owner = liveOwner(file);
    if (owner !== undefined) return { heldBy: owner };
    clearStale(file);
  }
}

/** Makes the lock file with its owner in it, at once: a lock seen empty would be taken for one of nobody. Throws EEXIST. */
function publish(file: HostPath): void {
  const temporary = besides(file);
  writeFileSync(temporary, processIdentity(process.pid) ?? '', { mode: 0o600, flag: 'wx' });
  try {
    linkSync(temporary, file);
  } finally {
    unlinkSync(temporary);
  }
}

/** Removes a lock whose owner is gone. One that somebody took since it was looked at is put back. */
function clearStale(file: HostPath): void {
  const aside = besides(file);
  try {
    renameSync(file, aside);
    if (liveOwner(aside) !== undefined) linkSync(aside, file);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'EEXIST') throw error;
  }
  rmSync(aside, { force: true });
}

function besides(file: HostPath): HostPath {
  return `${file}.${randomBytes(6).toString('hex')}` as HostPath;
}

function ownerLock(file: HostPath): OwnerLock {
  let isHeld = true;
  return {
    file,
    [Symbol.dispose]() {
      // A second end must not remove the lock of whoever came next.
      if (isHeld) rmSync(file, { force: true });
      isHeld = false;
    },
  };
}
