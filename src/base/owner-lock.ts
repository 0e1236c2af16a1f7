/**
 * Locks that name their owner. A lock file holds a process id and that process's start time, so that a lock whose
 * owner is gone is recognised, also when the id has been given to another process since.
 */
import { closeSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
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
      const fd = openSync(file, 'wx', 0o600);
      try {
        writeSync(fd, processIdentity(process.pid) ?? '');
      } finally {
        closeSync(fd);
      }
      return { file, [Symbol.dispose]: () => release(file) };
    } catch (error) {
      if (errnoOf(error) !== 'EEXIST' || attempt > 4) throw error;
    }
    const owner = liveOwner(file);
    if (owner !== undefined) return { heldBy: owner };
    release(file);
  }
}

function release(file: HostPath): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
