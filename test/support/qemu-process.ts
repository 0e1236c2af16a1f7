/** The processes of a virtual machine, as this machine's kernel sees them. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface QemuProcess {
  pid: number;
  /** Of /proc/PID/status. */
  status: Record<string, string>;
  /** Of /proc/PID/limits: soft and hard, by name. */
  limits: Record<string, [string, string]>;
  /** Where each descriptor leads, and whether it can be written through. */
  files: { to: string; isWritable: boolean }[];
  namespaces: Record<string, string>;
}

/** All processes of the machine of this run folder: the jail's two, then QEMU. */
export function processesOf(runDir: string): number[] {
  const jail = findJail(runDir);
  return jail === undefined ? [] : withDescendants(jail);
}

/** The jail's command line. */
export function jailOf(runDir: string): string[] {
  return read(`/proc/${findJail(runDir)}/cmdline`).split('\0');
}

function findJail(runDir: string): number | undefined {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((pid) => {
      const words = read(`/proc/${pid}/cmdline`).split('\0');
      return words[0]?.endsWith('bwrap') && words.includes(runDir) && !isChildOfSame(pid);
    });
}

export function qemuOf(runDir: string): QemuProcess {
  const pid = processesOf(runDir).find((one) => read(`/proc/${one}/comm`).startsWith('qemu'));
  if (pid === undefined) throw new Error(`no QEMU for ${runDir}`);
  return {
    pid,
    status: Object.fromEntries(
      read(`/proc/${pid}/status`)
        .split('\n')
        .map((line) => line.split(/:\s*/, 2) as [string, string]),
    ),
    limits: Object.fromEntries(
      read(`/proc/${pid}/limits`)
        .split('\n')
        .map((line) => line.split(/\s{2,}/))
        .map(([name = '', soft = '', hard = '']) => [name, [soft, hard]]),
    ),
    files: readdirSync(`/proc/${pid}/fd`).map((fd) => ({
      to: readlinkSync(`/proc/${pid}/fd/${fd}`),
      isWritable: /^flags:\s*\d*[12]$/m.test(read(`/proc/${pid}/fdinfo/${fd}`)),
    })),
    namespaces: namespacesOf(pid),
  };
}

export function namespacesOf(pid: number | 'self'): Record<string, string> {
  const names = ['user', 'mnt', 'pid', 'net', 'ipc', 'uts', 'cgroup'];
  return Object.fromEntries(names.map((name) => [name, readlinkSync(`/proc/${pid}/ns/${name}`)]));
}

function isChildOfSame(pid: number): boolean {
  const parent = /^PPid:\s*(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1];
  return read(`/proc/${parent}/cmdline`) === read(`/proc/${pid}/cmdline`);
}

function withDescendants(pid: number): number[] {
  const children = read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap(withDescendants)];
}

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // A process that is gone by now.
    return '';
  }
}
