/** Everything a machine is made of, prepared in the cache and named by what it depends on. */
import { createHash } from 'node:crypto';
import { chmod, mkdir, open } from 'node:fs/promises';
import type { HostPath } from '../../base/path-bytes.ts';
import { type PreparedInitramfs, prepareInitramfs } from '../../image/initramfs.ts';
import { type PreparedKernel, prepareKernel } from '../../image/kernel.ts';
import { makeScratchDisk } from '../../image/scratch.ts';
import { type PreparedToolchain, prepareToolchain } from '../../image/toolchain.ts';
import { readRootLinks } from '../root-links.ts';
import { planPrepared } from './guest-setup.ts';
import { type JailSpec, jailArguments } from './jail.ts';
import { hostArguments, JAIL, type MachineSpec, machineArguments, PROJECT_DISK_BYTES } from './machine.ts';
import { limitedCommand, vmmLimits } from './vmm-limits.ts';

export interface ImageOptions {
  cacheDir: HostPath;
  agentBinary: HostPath;
  rgBinary: HostPath;
  toolchainFolders: readonly HostPath[];
  /** The environment of apt, see `prepareKernel`. */
  env: Record<string, string>;
  onProgress?: (note: string) => void;
}

export interface Images {
  kernel: PreparedKernel;
  initramfs: PreparedInitramfs;
  toolchain: PreparedToolchain;
  rootLinks: JailSpec['rootLinks'];
}

/** Prepares what is the same for every sandbox; costs a few file checks after the first time. */
export async function prepareImages(options: ImageOptions, signal?: AbortSignal): Promise<Images> {
  await mkdir(options.cacheDir, { recursive: true, mode: 0o700 });
  const [kernel, toolchain, rootLinks] = await Promise.all([
    prepareKernel({
      cacheDir: options.cacheDir,
      env: options.env,
      ...(signal === undefined ? {} : { signal }),
      ...(options.onProgress === undefined ? {} : { onProgress: options.onProgress }),
    }),
    prepareToolchain(
      { cacheDir: options.cacheDir, rgBinary: options.rgBinary, folders: options.toolchainFolders },
      signal,
    ),
    readRootLinks(),
  ]);
  const initramfs = await prepareInitramfs(options.cacheDir, kernel, options.agentBinary, signal);
  return { kernel, initramfs, toolchain, rootLinks };
}

/** The command line: jail, QEMU, machine. */
export async function commandArguments(
  qemu: string,
  images: Images,
  runDir: HostPath,
  machine: MachineSpec,
  diskBytes: number,
  project?: string,
): Promise<string[]> {
  const jail = jailArguments({
    runDir,
    kernel: images.kernel.kernel,
    initramfs: images.initramfs.file,
    toolchain: images.toolchain,
    rootLinks: images.rootLinks,
    usesKvm: machine.accel === 'kvm',
    ...(project === undefined ? {} : { project }),
  });
  const limited = await limitedCommand(vmmLimits({ ...machine, diskBytes }), qemu);
  return [...jail, '--', ...limited, ...machineArguments(machine), ...hostArguments(machine)];
}

/** Puts the project's disk into the run folder. It may be there already, being filled: it only grows. */
export async function makeProjectDisk(runDir: HostPath): Promise<void> {
  await chmod(runDir, 0o700);
  const project = await open(`${runDir}/${JAIL.project}`, 'a', 0o600);
  try {
    if ((await project.stat()).size < PROJECT_DISK_BYTES) await project.truncate(PROJECT_DISK_BYTES);
  } finally {
    await project.close();
  }
}

/** Puts both of a fresh machine's disks into its run folder. */
export async function makeDisks(
  cacheDir: HostPath,
  runDir: HostPath,
  diskBytes: number,
  signal?: AbortSignal,
): Promise<void> {
  await makeProjectDisk(runDir);
  await makeScratchDisk(cacheDir, `${runDir}/${JAIL.scratch}` as HostPath, diskBytes, signal);
}

/** A short name for everything that a saved state depends on. */
export function stateKey(parts: {
  qemuVersion: string;
  hostCpu: string;
  images: Images;
  machine: MachineSpec;
  diskBytes: number;
}): string {
  const text = JSON.stringify([
    2,
    parts.qemuVersion,
    // An emulated processor is the same everywhere.
    parts.machine.accel === 'kvm' ? parts.hostCpu : '',
    parts.images.kernel.id,
    parts.images.initramfs.id,
    machineArguments(parts.machine),
    parts.diskBytes,
    PROJECT_DISK_BYTES,
    planPrepared(parts.images.kernel.release),
  ]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}
