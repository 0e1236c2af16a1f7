/**
 * Locks that name their owner. A lock is a file `NAME.PID.START.BOOT`: the process, the moment it began, and the boot. Who
 * wants the lock makes its own file and then looks for others; of two at the same moment at least one sees the other and
 * gives way. A file whose process is gone is removed by whoever finds it, and that is never a race: its name can't come to
 * mean a living process, and nobody else's file is ever touched.
 */
import { closeSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { errnoOf } from './errors.ts';
import type { HostPath } from './path-bytes.ts';

export interface OwnerLock extends Disposable {
  readonly file: HostPath;
}

/** How often two that keep meeting each other try again, after a wait by chance. */
const ATTEMPTS = 30;
const LONGEST_WAIT_MS = 8;

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

/** The living process that holds the lock called `file`, or is just taking it. Changes nothing. */
export function liveOwner(file: HostPath): number | undefined {
  return claims(file).find(isAlive)?.pid;
}

/**
 * Takes the lock called `file`, in a folder that exists, or returns the process id of the living one that holds it; a process
 * holds a lock once. Of several that ask at the same moment one gets it. Ends with dispose.
 */
export function takeOwnerLock(file: HostPath): OwnerLock | { heldBy: number } {
  const mine = lockFileOf(file, process.pid) ?? '';
  for (let attempt = 1; ; attempt++) {
    const holder = clearDead(file, '');
    if (holder !== undefined) return { heldBy: holder };
    try {
      closeSync(openSync(mine, 'wx', 0o600));
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return { heldBy: process.pid };
      throw error;
    }
    const other = clearDead(file, mine);
    if (other === undefined) return ownerLock(mine as HostPath);
    rmSync(mine, { force: true });
    if (attempt === ATTEMPTS) return { heldBy: other };
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Math.random() * LONGEST_WAIT_MS);
  }
}

/** The file that stands for a process's hold on a lock; undefined when the process is gone. */
function lockFileOf(file: HostPath, pid: number): HostPath | undefined {
  const identity = processIdentity(pid);
  if (identity === undefined) return undefined;
  return `${file}.${identity.replace(' ', '.')}.${bootId()}` as HostPath;
}

interface Claim {
  path: HostPath;
  pid: number;
}

function claims(file: HostPath): Claim[] {
  const prefix = `${basename(file)}.`;
  return namesIn(dirname(file)).flatMap((name) => {
    const pid = name.startsWith(prefix)
      ? /^(\d{1,10})\.\d+\.[0-9a-f]{8}$/.exec(name.slice(prefix.length))?.[1]
      : undefined;
    return pid === undefined ? [] : [{ path: join(dirname(file), name) as HostPath, pid: Number(pid) }];
  });
}

function isAlive({ path, pid }: Claim): boolean {
  return lockFileOf(path.split('.').slice(0, -3).join('.') as HostPath, pid) === path;
}

/** Removes what dead processes left and returns a living one, other than the claim `mine`. */
function clearDead(file: HostPath, mine: string): number | undefined {
  let owner: number | undefined;
  for (const claim of claims(file)) {
    if (claim.path === mine) continue;
    if (isAlive(claim)) owner ??= claim.pid;
    else rmSync(claim.path, { force: true });
  }
  return owner;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

let boot: string | undefined;
function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
  return boot;
}

function ownerLock(file: HostPath): OwnerLock {
  let isHeld = true;
  return {
    file,
    [Symbol.dispose]() {
      // A second end must not remove what this process took afterwards.
      if (isHeld) rmSync(file, { force: true });
      isHeld = false;
    },
  };
}
