/**
 * What the virtual machine monitor itself may use of the host, as resource limits that it can't raise: a QEMU that a
 * guest has taken over, or driven into a leak, ends before the host feels it.
 */
import { readFile } from 'node:fs/promises';
import { release } from 'node:os';
import type { MachineSpec } from './machine.ts';

const MIB = 2 ** 20;
/** QEMU's room for translated code when it emulates. */
const TRANSLATED_MIB = 1024;
/** Devices, heap and the stacks of up to 64 threads for disk and file requests, 8 MB each; 300 MB were seen under load. */
const OVERHEAD_MIB = 1024;
/** Beyond what can be written: programs, libraries, and address space that heaps keep in reserve. */
const RESERVED_MIB = 2048;
/** The pool's 64, the processors, and a dozen of QEMU's own. */
const THREADS = 96;
/** QEMU's file server closes what it has too many of by this. */
const FILES = 2048;
/** Since then the kernel counts processes by user namespace: before, all of the person's would count. */
const COUNTS_BY_NAMESPACE = '5.14';

/** By the names of `prlimit`'s options; bytes or numbers. */
export type VmmLimits = Record<'core' | 'nofile' | 'fsize' | 'data' | 'as', number> & { nproc?: number };

/** How each is called in /proc/PID/limits. */
export const LIMIT_NAMES = {
  core: 'Max core file size',
  nofile: 'Max open files',
  fsize: 'Max file size',
  data: 'Max data size',
  as: 'Max address space',
  nproc: 'Max processes',
} as const;

type Size = Pick<MachineSpec, 'accel' | 'cpus' | 'memoryMib'> & { diskBytes: number };

/** The limits of a machine of this size, on this kernel (`release` as uname tells it). */
export function vmmLimits(
  { accel, cpus, memoryMib, diskBytes }: Size,
  kernel: string = release(),
): VmmLimits {
  const data = (memoryMib + (accel === 'tcg' ? TRANSLATED_MIB : 0) + OVERHEAD_MIB) * MIB;
  return {
    core: 0,
    nofile: FILES,
    // It writes two files: the scratch disk, and the memory when its state is saved.
    fsize: Math.max(diskBytes, memoryMib * MIB),
    data,
    as: data + RESERVED_MIB * MIB,
    ...(isAtLeast(kernel, COUNTS_BY_NAMESPACE) ? { nproc: THREADS + cpus } : {}),
  };
}

/** A command that runs `program` within the limits; where the person's own are tighter already, those stay. */
export async function limitedCommand(limits: VmmLimits, program: string): Promise<string[]> {
  const own = await readFile('/proc/self/limits', 'utf8');
  const options = Object.entries(limits).map(([name, value]) => {
    const hard = hardLimit(own, LIMIT_NAMES[name as keyof VmmLimits]);
    return `--${name}=${hard === undefined ? value : Math.min(value, hard)}`;
  });
  return ['prlimit', ...options, '--', program];
}

/** Undefined: unlimited. */
function hardLimit(table: string, name: string): number | undefined {
  const line = table.split('\n').find((one) => one.startsWith(name));
  const hard = line?.slice(name.length).trim().split(/\s+/)[1];
  return hard === undefined || hard === 'unlimited' ? undefined : Number(hard);
}

function isAtLeast(kernel: string, wanted: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number.parseFloat);
  const [wantedMajor = 0, wantedMinor = 0] = wanted.split('.').map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}
