/** Which limit of a sandbox an execution met, in words with numbers. */
import { isSafeCoderError } from '../base/errors.ts';
import { showSize } from '../config/quantities.ts';
import type { SpawnEnd } from '../guest/guest.ts';
import type { Sandbox, SandboxLimits } from './sandbox.ts';

/** What the C library says when a disk has no room or no inodes left. */
const DISK_FULL = 'No space left on device';
const LOOK_BYTES = 4096;
const LOOK_MS = 10_000;

/** Looks through output for a full disk. */
export class DiskFullWatch {
  #tail = '';
  hasSeen = false;

  add(chunk: Buffer): void {
    if (this.hasSeen) return;
    const text = this.#tail + chunk.toString('latin1');
    this.hasSeen = text.includes(DISK_FULL);
    this.#tail = text.slice(-DISK_FULL.length);
  }
}

/** Memory and processes, as the end of an execution tells. */
export function describeLimitsMet(end: SpawnEnd, limits: SandboxLimits): string[] {
  const met: string[] = [];
  if (end.wasKilledForMemory) {
    met.push(`out of memory: killed at ${showSize(limits.memoryBytes)}, the memory of the sandbox`);
  }
  if (end.wasRefusedProcesses) {
    met.push(
      `too many processes: ${limits.pids === 0 ? '' : `${limits.pids}, `}the most that the sandbox may have`,
    );
  }
  return met;
}

/** What of the disk is used up, as the guest tells: a claim, fit to show. */
export async function describeFullDisk(sandbox: Pick<Sandbox, 'exec' | 'limits'>): Promise<string> {
  const size = showSize(sandbox.limits.diskBytes);
  const used = await askDisk(sandbox);
  if (used === undefined) return `disk full: the sandbox has ${size}`;
  if (used.inodes >= used.mostInodes && used.mostInodes > 0)
    return `disk full: ${used.inodes} files of ${used.mostInodes}`;
  return `disk full: ${showSize(used.bytes)} of ${size}`;
}

interface DiskUse {
  bytes: number;
  inodes: number;
  mostInodes: number;
}

async function askDisk(sandbox: Pick<Sandbox, 'exec'>): Promise<DiskUse | undefined> {
  let text = '';
  try {
    const process = await sandbox.exec(
      {
        argv: ['df', '-B1', '--output=size,avail,iused,itotal', '.'],
        onOutput: (chunk) => {
          if (text.length < LOOK_BYTES) text += chunk.toString('latin1');
        },
      },
      AbortSignal.timeout(LOOK_MS),
    );
    await process.ended;
  } catch (error) {
    // The guest has no df, or no room to start one: the size alone is told. What ends the sandbox is not hidden.
    if (isSafeCoderError(error, 'guest/failed') || isSafeCoderError(error, 'cancelled')) return undefined;
    throw error;
  }
  const numbers = /^\s*(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s+(\d{1,15})\s*$/m
    .exec(text)
    ?.slice(1)
    .map(Number);
  if (numbers === undefined) return undefined;
  const [size = 0, available = 0, inodes = 0, mostInodes = 0] = numbers;
  return { bytes: Math.max(0, size - available), inodes, mostInodes };
}
