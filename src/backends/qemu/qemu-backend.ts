/** The QEMU backend: a machine of its own for each sandbox, with hardware virtualisation where that works. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../../base/errors.ts';
import { once, throwIfCancelled } from '../../base/lifetime.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { makeOnce, pruneUnused } from '../../image/make-once.ts';
import type { Backend, BackendMissing, Launched, LaunchSpec } from '../backend.ts';
import { guestUser } from '../guest-identity.ts';
import { findProgram, GUEST_PATH, SYSTEM_PATH } from '../programs.ts';
import { type AccelVerdict, decideAccel, hostCpu } from './accel.ts';
import { type BootOptions, bootVm, makeState, probeBoot, type RunningVm, restoreVm } from './boot.ts';
import { planSetup } from './guest-setup.ts';
import { HostCheck } from './host-check.ts';
import { type Images, prepareImages, stateKey } from './images.ts';
import { JAIL } from './machine.ts';
import { readState, type SavedState, statesFolder } from './saved-state.ts';
import { hostTscKhz } from './tsc.ts';

export interface QemuOptions {
  /** For the kernel, images and saved states; the user's own, made 0700. */
  cacheDir: HostPath;
  /** The guest agent, built statically. */
  agentBinary: HostPath;
  /** ripgrep, static. */
  rgBinary: HostPath;
  /** QEMU to use instead of the one in `path`. */
  qemuPath?: HostPath;
  /** Where programs are looked for. Default: the system's folders. */
  path?: string;
  /** Folders of further toolchains that the guest may read, at their own paths; their `bin` joins PATH. */
  toolchainFolders?: readonly HostPath[];
  /** A proxy's variables for apt, where one is needed. */
  downloadEnv?: Record<string, string>;
  /** Forces emulation or hardware virtualisation instead of finding out. */
  accel?: 'kvm' | 'tcg';
  /** Whether machines start from a saved state, made when there is none. Default: true. */
  useSavedStates?: boolean;
  /** Called with what takes time while it is done: fetching the kernel, the first boot. */
  onProgress?: (note: string) => void;
  /** Called when something was wrong that the backend got around, such as a damaged saved state. */
  onWarning?: (message: string) => void;
}

export interface QemuBackend extends Backend {
  imageFile(spec: LaunchSpec): HostPath;
  /** Whether hardware virtualisation works here, and why not; boots a test machine the first time. */
  accelVerdict(signal?: AbortSignal): Promise<AccelVerdict>;
  /** Fetches, builds and saves what launches of this size need, so that the first is as fast as the others. */
  prepare(size: MachineSize, signal?: AbortSignal): Promise<void>;
}

export type MachineSize = Pick<LaunchSpec, 'cpus' | 'memoryBytes' | 'diskBytes'>;

const PROBE_HELLO_MS = 8_000;
/**
 * For an emulated machine on a busy host, by attempt; a boot takes two seconds on a quiet one. Emulated kernels were seen to
 * stand still early in their boot, where a second one came up at once.
 */
const STATE_HELLO_MS = [30_000, 120_000] as const;
/** A state of a 1 GB machine takes about 85 MB. */
const UNUSED_MS = 14 * 24 * 3_600_000;
const PROBE_SIZE: MachineSize = { cpus: 1, memoryBytes: 512 << 20, diskBytes: 64 << 20 };

/** Creates the backend; looks at nothing yet. */
export function createQemuBackend(options: QemuOptions): QemuBackend {
  const host = new QemuHost(options);
  return {
    name: 'qemu',
    level: 'vm',
    missing: () => host.missing(),
    imageFile: (spec) => `${spec.runDir}/${JAIL.project}` as HostPath,
    launch: (spec, signal) => host.launch(spec, signal),
    accelVerdict: (signal) => host.accelVerdict(signal),
    prepare: async (size, signal) => {
      await host.requireAvailable();
      const accel = (await host.accelVerdict(signal)).accel;
      await host.findOrMakeState(await host.bootOptions(accel, size, '' as HostPath, signal), signal);
    },
  };
}

class QemuHost {
  readonly #options: QemuOptions;
  readonly #path: string;
  readonly #check: HostCheck;

  constructor(options: QemuOptions) {
    this.#options = options;
    this.#path = options.path ?? SYSTEM_PATH;
    const { cacheDir, qemuPath } = options;
    this.#check = new HostCheck({
      cacheDir,
      path: this.#path,
      ...(qemuPath === undefined ? {} : { qemuPath }),
    });
  }

  missing(): Promise<BackendMissing | undefined> {
    return this.#check.missing();
  }

  async requireAvailable(): Promise<void> {
    refuse(await this.#check.missing());
  }

  /** For a failure: when this machine can't run the backend any more, that is what there is to tell. */
  async #requireStillAvailable(): Promise<void> {
    refuse(await this.#check.missingNow());
  }

  async launch(spec: LaunchSpec, signal: AbortSignal): Promise<Launched> {
    throwIfCancelled(signal);
    await this.requireAvailable();
    const { accel } = await this.accelVerdict(signal);
    // The workspace has the path that the project has on the host.
    const options = await this.bootOptions(accel, spec, spec.runDir, signal);
    const boot = { ...options, project: spec.workspace };
    const started = (await this.#tryRestore(boot, signal)) ?? {
      ...(await this.#boot(boot, signal)),
      restored: false,
    };
    return this.#describe(spec, boot, started);
  }

  async accelVerdict(signal?: AbortSignal): Promise<AccelVerdict> {
    const forced = this.#options.accel;
    if (forced !== undefined) return { accel: forced, reason: 'asked for by the settings' };
    return decideAccel({
      cacheDir: this.#options.cacheDir,
      qemuVersion: await this.#check.qemuVersion(),
      probe: () =>
        this.#withRunDir(async (runDir) => {
          this.#options.onProgress?.('testing hardware virtualisation');
          await probeBoot(await this.bootOptions('kvm', PROBE_SIZE, runDir, signal), PROBE_HELLO_MS, signal);
        }),
    });
  }

  async bootOptions(
    accel: 'kvm' | 'tcg',
    size: MachineSize,
    runDir: HostPath,
    signal?: AbortSignal,
  ): Promise<BootOptions> {
    return {
      bwrap: await this.#program('bwrap'),
      qemu: await this.#program('qemu-system-x86_64'),
      cacheDir: this.#options.cacheDir,
      images: await this.#images(signal),
      runDir,
      machine: {
        accel,
        cpus: size.cpus,
        memoryMib: Math.ceil(size.memoryBytes / 2 ** 20),
        tscKhz: await hostTscKhz(),
      },
      diskBytes: size.diskBytes,
    };
  }

  /** The saved state for these options; made by one boot when there is none. */
  async findOrMakeState(boot: BootOptions, signal?: AbortSignal): Promise<SavedState> {
    const key = stateKey({
      qemuVersion: await this.#check.qemuVersion(),
      hostCpu: hostCpu(),
      images: boot.images,
      machine: { ...boot.machine, memory: { kind: 'fresh' }, incoming: false },
      diskBytes: boot.diskBytes,
    });
    const folder = `${statesFolder(boot.cacheDir)}/${key}` as HostPath;
    const found = await readState(folder);
    if (found !== undefined) return found;
    await rm(folder, { recursive: true, force: true });
    await makeOnce(
      folder,
      (temporary) =>
        this.#withRunDir(async (runDir) => {
          this.#options.onProgress?.('booting the virtual machine once to save its state');
          await this.#makeStateTwice({ ...boot, runDir }, temporary, signal);
        }),
      signal,
    );
    await this.#prune();
    const made = await readState(folder);
    if (made === undefined)
      throw new SafeCoderError('image/build-failed', `The saved state ${folder} is damaged.`);
    return made;
  }

  /** A machine that stands still is ended and another one booted, once. */
  async #makeStateTwice(boot: BootOptions, folder: HostPath, signal?: AbortSignal): Promise<void> {
    const [first, second] = STATE_HELLO_MS;
    try {
      await makeState(boot, folder, first, signal);
    } catch (error) {
      if (!isSafeCoderError(error, 'backend/boot-failed') || error.details?.phase !== 'hello') throw error;
      this.#options.onProgress?.('booting another virtual machine: the first one stood still');
      for (const name of [JAIL.project, JAIL.scratch, JAIL.memory])
        await rm(`${boot.runDir}/${name}`, { force: true });
      await makeState(boot, folder, second, signal);
    }
  }

  /** Undefined when a saved state can't be had or used: the machine is booted then, which is slower and as good. */
  async #tryRestore(boot: BootOptions, signal: AbortSignal) {
    if (this.#options.useSavedStates === false) return undefined;
    let state: SavedState | undefined;
    try {
      state = await this.findOrMakeState(boot, signal);
      return { ...(await restoreVm(boot, state, signal)), restored: true };
    } catch (error) {
      throwIfCancelled(signal);
      await this.#requireStillAvailable();
      if (state !== undefined) await rm(state.folder, { recursive: true, force: true });
      await rm(`${boot.runDir}/${JAIL.scratch}`, { force: true });
      await rm(`${boot.runDir}/${JAIL.memory}`, { force: true });
      const why = toSafeCoderError(error).message;
      this.#options.onWarning?.(`The virtual machine is booted instead of restored: ${why}`);
      return undefined;
    }
  }

  async #boot(boot: BootOptions, signal: AbortSignal): Promise<RunningVm> {
    try {
      return await bootVm(boot, signal);
    } catch (error) {
      throwIfCancelled(signal);
      await this.#requireStillAvailable();
      throw error;
    }
  }

  #describe(spec: LaunchSpec, boot: BootOptions, started: RunningVm & { restored: boolean }): Launched {
    const { vm, channel, restored } = started;
    const kernelRelease = boot.images.kernel.release;
    const user = guestUser(spec.uid);
    const folders = (this.#options.toolchainFolders ?? []).map((folder) => `${folder}/bin`);
    const end = once(async () => {
      channel.destroy();
      await vm.end();
    });
    return {
      channel,
      info: {
        backend: 'qemu',
        level: 'vm',
        accel: boot.machine.accel,
        workspace: spec.workspace,
        capture: 'overlay',
        env: {
          ...spec.env,
          PATH: [...folders, GUEST_PATH].join(':'),
          HOME: user.home,
          USER: user.name,
          LOGNAME: user.name,
          SHELL: '/bin/bash',
          LANG: 'C.UTF-8',
        },
      },
      setup: planSetup(spec, { kernelRelease, isPrepared: restored }),
      populate: { by: 'image', file: `${spec.runDir}/${JAIL.project}` as HostPath },
      restored,
      consoleTail: async () => vm.console.text(),
      ended: vm.ended,
      end,
      [Symbol.asyncDispose]: end,
    };
  }

  async #images(signal: AbortSignal | undefined): Promise<Images> {
    const { cacheDir, agentBinary, rgBinary, toolchainFolders, downloadEnv, onProgress } = this.#options;
    const env = { PATH: this.#path, ...downloadEnv };
    const images = { cacheDir, agentBinary, rgBinary, toolchainFolders: toolchainFolders ?? [], env };
    return prepareImages(onProgress === undefined ? images : { ...images, onProgress }, signal);
  }

  async #program(name: string): Promise<string> {
    if (name === 'qemu-system-x86_64' && this.#options.qemuPath !== undefined) return this.#options.qemuPath;
    const found = await findProgram(name, this.#path);
    if (found !== undefined) return found;
    throw new SafeCoderError('environment/tool-missing', `The program ${name} was not found.`, {
      hint: 'Run "safe-coder setup" to install what is missing.',
    });
  }

  /** Removes states and images of earlier versions and other sizes, and run folders of processes that were killed. */
  async #prune(): Promise<void> {
    const before = new Date(Date.now() - UNUSED_MS);
    for (const folder of ['states', 'initramfs', 'toolchain', 'scratch', 'runs']) {
      await pruneUnused(`${this.#options.cacheDir}/${folder}` as HostPath, before);
    }
  }

  /** A run folder for a machine that lives only for one step. */
  async #withRunDir<T>(step: (runDir: HostPath) => Promise<T>): Promise<T> {
    const runs = `${this.#options.cacheDir}/runs`;
    await mkdir(runs, { recursive: true, mode: 0o700 });
    const runDir = (await mkdtemp(`${runs}/`)) as HostPath;
    try {
      return await step(runDir);
    } finally {
      await rm(runDir, { recursive: true, force: true });
    }
  }
}

function refuse(lack: BackendMissing | undefined): void {
  if (lack === undefined) return;
  throw new SafeCoderError('backend/unavailable', lack.reason, { hint: `Run: ${lack.mend}` });
}
