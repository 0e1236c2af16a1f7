/** What the QEMU backend needs from this machine, and what is missing of it. */
import { basename, dirname } from 'node:path';
import { runProcess } from '../../base/process.ts';
import type { BackendMissing } from '../backend.ts';
import { findProgram } from '../programs.ts';

export interface Requirement {
  program: string;
  /** The Debian package that brings it. */
  package: string;
  reason: string;
}

const QEMU_PACKAGE = 'qemu-system-x86';
export const QEMU = 'qemu-system-x86_64';

const REQUIREMENTS: readonly Requirement[] = [
  { program: QEMU, package: QEMU_PACKAGE, reason: 'runs the virtual machine' },
  { program: 'bwrap', package: 'bubblewrap', reason: 'jails the virtual machine monitor' },
  { program: 'prlimit', package: 'util-linux', reason: 'limits the virtual machine monitor' },
  { program: 'mkfs.ext4', package: 'e2fsprogs', reason: "formats the sandbox's disk" },
  { program: 'dpkg-deb', package: 'dpkg', reason: "unpacks the guest's kernel" },
  { program: 'apt-get', package: 'apt', reason: "fetches the guest's kernel" },
  { program: 'xz', package: 'xz-utils', reason: "unpacks the guest's kernel" },
];

/** `microvm` with ACPI, and what a saved state relies on, are in from this version on. */
const OLDEST_QEMU = [7, 2] as const;

/** Every program that the backend runs, for `setup` and `doctor`. */
export function describeRequirements(): readonly Requirement[] {
  return REQUIREMENTS;
}

/** What is not there at all, with the exact mend; undefined when everything is. Runs nothing. */
export async function findLacking(path: string, qemuPath?: string): Promise<BackendMissing | undefined> {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    return {
      reason: `The QEMU backend runs on Linux on x86-64; this is ${process.platform} on ${process.arch}.`,
      mend: 'Use such a machine.',
    };
  }
  const lacking: Requirement[] = [];
  for (const requirement of REQUIREMENTS) {
    const isGiven = requirement.program === QEMU && qemuPath !== undefined;
    if (!isGiven && (await findProgram(requirement.program, path)) === undefined) lacking.push(requirement);
  }
  if (lacking.length > 0) {
    const programs = lacking.map((one) => `${one.program} (${one.reason})`).join(', ');
    const packages = [...new Set(lacking.map((one) => one.package))].join(' ');
    const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
    return {
      reason: `Missing: ${programs}.`,
      mend: `${sudo}apt-get install -y --no-install-recommends ${packages}`,
    };
  }
  if (qemuPath !== undefined && (await findProgram(basename(qemuPath), dirname(qemuPath))) === undefined) {
    return {
      reason: `${qemuPath} is not there or can't be run.`,
      mend: `sudo apt-get install -y ${QEMU_PACKAGE}`,
    };
  }
  return undefined;
}

/** What is wrong with programs that are there: a QEMU that is too old, a jail that can't be made. Runs both. */
export async function tryPrograms(qemu: string, bwrap: string): Promise<BackendMissing | undefined> {
  const [tooOld, jail] = await Promise.all([qemuFault(qemu), jailFault(bwrap)]);
  return tooOld ?? jail;
}

async function qemuFault(program: string): Promise<BackendMissing | undefined> {
  const version = await qemuVersion(program);
  const numbers = /(\d+)\.(\d+)/.exec(version);
  const [major, minor] = [Number(numbers?.[1] ?? 0), Number(numbers?.[2] ?? 0)];
  const [oldMajor, oldMinor] = OLDEST_QEMU;
  if (major > oldMajor || (major === oldMajor && minor >= oldMinor)) return undefined;
  return {
    reason: `${program} is ${version === '' ? 'of an unknown version' : `version ${version}`}; ${oldMajor}.${oldMinor} or newer is needed.`,
    mend: 'Install QEMU from a newer release of your distribution (Debian 12 or newer has it).',
  };
}

/** Some systems forbid ordinary users the namespaces that the jail is made of; trying takes milliseconds. */
async function jailFault(bwrap: string): Promise<BackendMissing | undefined> {
  const args = ['--unshare-all', '--ro-bind', '/', '/', '--dev', '/dev', '--proc', '/proc', '/bin/true'];
  const result = await runProcess(bwrap, args, { env: {}, timeoutMs: 10_000 });
  if (result.exitCode === 0) return undefined;
  return {
    reason: `bubblewrap can't make its jail here: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
    mend: 'sudo sysctl -w kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=15000',
  };
}

const versions = new Map<string, string>();

/** The version as QEMU prints it, with the distribution's own; asked once per program and run. */
export async function qemuVersion(program: string): Promise<string> {
  const known = versions.get(program);
  if (known !== undefined) return known;
  const result = await runProcess(program, ['--version'], { env: { LC_ALL: 'C' }, timeoutMs: 10_000 });
  const version = /version (.*)/.exec(result.stdout.toString('utf8'))?.[1] ?? '';
  versions.set(program, version);
  return version;
}
