/** One machine brought to life: booted, or started from a saved state; and the making of such a state. */
import { rm } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { SafeCoderError } from '../../base/errors.ts';
import { withDeadline } from '../../base/lifetime.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { copySparse } from '../../image/scratch.ts';
import { encodeSetup } from '../../protocol/encode-setup.ts';
import { encodeFrame, FRAME, FrameDecoder } from '../../protocol/frames.ts';
import type { SetupOperation } from '../../protocol/setup.ts';
import { planPrepared } from './guest-setup.ts';
import { commandArguments, type Images, makeDisks, makeProjectDisk } from './images.ts';
import { JAIL, type MachineSpec } from './machine.ts';
import { loadState, type SavedState, writeState } from './saved-state.ts';
import { VmProcess } from './vm-process.ts';

/** Any number does: a session that starts from the state begins its streams anew. */
const SETUP_STREAM = 1;

export interface BootOptions {
  bwrap: string;
  qemu: string;
  cacheDir: HostPath;
  images: Images;
  runDir: HostPath;
  /** The host's folder that the machine works on a copy of, if any. */
  project?: string;
  machine: Omit<MachineSpec, 'memory' | 'incoming'>;
  diskBytes: number;
}

export interface RunningVm {
  vm: VmProcess;
  channel: Duplex;
}

/** Boots a machine from its kernel. The caller owns what is returned; on a throw nothing is left running. */
export async function bootVm(options: BootOptions, signal?: AbortSignal): Promise<RunningVm> {
  await makeDisks(options.cacheDir, options.runDir, options.diskBytes, signal);
  const vm = await startQemu(options, { kind: 'fresh' }, undefined);
  return endOnFailure(vm, 'boot', async () => ({ vm, channel: await vm.connectTo(JAIL.agent, signal) }));
}

/** Starts a machine from a saved state. The caller owns what is returned; on a throw nothing is left running. */
export async function restoreVm(
  options: BootOptions,
  state: SavedState,
  signal?: AbortSignal,
): Promise<RunningVm> {
  const memory = `${options.runDir}/${JAIL.memory}` as HostPath;
  await Promise.all([
    makeProjectDisk(options.runDir),
    copySparse(state.scratch, `${options.runDir}/${JAIL.scratch}` as HostPath, signal),
    // A copy, so that no machine can write into what others start from: QEMU opens memory files for writing.
    copySparse(state.memory, memory, signal),
  ]);
  const vm = await startQemu(options, { kind: 'file', path: inJail(JAIL.memory), isShared: false }, state);
  return endOnFailure(vm, 'restore', async () => {
    using qmp = await vm.openQmp(signal);
    // QEMU has it open by now; without a name it is gone when QEMU is.
    await rm(memory);
    // Connected before the machine runs: the guest saw a connected host when it was saved, and sees no change.
    const channel = await vm.connectTo(JAIL.agent, signal);
    await loadState(qmp);
    return { vm, channel };
  });
}

/** Boots a machine, has its guest agent prepare what every sandbox needs, and saves it into `folder`, which must not exist. */
export async function makeState(
  options: BootOptions,
  folder: HostPath,
  helloMs: number,
  signal?: AbortSignal,
): Promise<void> {
  await makeDisks(options.cacheDir, options.runDir, options.diskBytes, signal);
  const memory = { kind: 'file', path: inJail(JAIL.memory), isShared: true } as const;
  const vm = await startQemu(options, memory, undefined);
  await endOnFailure(vm, 'save', async () => {
    const channel = await vm.connectTo(JAIL.agent, signal);
    await awaitHello(vm, channel, helloMs, signal, planPrepared(options.images.kernel.release));
    using qmp = await vm.openQmp(signal);
    await writeState(vm, qmp, options.runDir, folder);
  });
  await vm.end();
}

/** Boots a machine and returns once its guest agent greeted; throws when it doesn't in time. Nothing is left. */
export async function probeBoot(options: BootOptions, helloMs: number, signal?: AbortSignal): Promise<void> {
  const { vm, channel } = await bootVm(options, signal);
  try {
    await awaitHello(vm, channel, helloMs, signal);
  } finally {
    await vm.end();
  }
}

async function startQemu(
  options: BootOptions,
  memory: MachineSpec['memory'],
  state: SavedState | undefined,
): Promise<VmProcess> {
  const machine: MachineSpec = { ...options.machine, memory, incoming: state !== undefined };
  return VmProcess.start({
    bwrap: options.bwrap,
    args: await commandArguments(
      options.qemu,
      options.images,
      options.runDir,
      machine,
      options.diskBytes,
      options.project,
    ),
    runDir: options.runDir,
    ...(state === undefined ? {} : { stateFile: state.devices }),
  });
}

async function endOnFailure<T>(vm: VmProcess, phase: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    await vm.end();
    if (error instanceof SafeCoderError && error.code !== 'backend/boot-failed') throw error;
    if (error instanceof SafeCoderError && error.details?.phase !== undefined) throw error;
    // What QEMU said when it ended tells more than "the socket closed".
    const why = error instanceof Error ? error.message : String(error);
    throw vm.failure(phase, `${why} ${await vm.ended}`, error);
  }
}

/**
 * The guest agent's unasked greeting, read here only to know that it came, and the end of the set-up that it is sent
 * then, if there is any.
 */
async function awaitHello(
  vm: VmProcess,
  channel: Duplex,
  ms: number,
  signal: AbortSignal | undefined,
  operations: readonly SetupOperation[] = [],
): Promise<void> {
  const decoder = new FrameDecoder('guest');
  const hello = new Promise<void>((resolve, reject) => {
    channel.on('data', (chunk: Buffer) => {
      try {
        decoder.push(chunk, (frame) => {
          if (frame.type === FRAME.hello && operations.length > 0) {
            channel.write(encodeFrame(FRAME.setup, SETUP_STREAM, encodeSetup(operations)));
          } else if (frame.type === FRAME.hello || frame.type === FRAME.end) resolve();
          else if (frame.type === FRAME.error) {
            reject(vm.failure('prepare', frame.payload.toString('latin1', 6)));
          }
        });
      } catch (error) {
        reject(error);
      }
    });
    channel.on('error', () => {
      // A reset: QEMU is going, and what it says when it is gone tells why.
    });
    void vm.ended.then((why) => reject(vm.failure('hello', why)));
    signal?.addEventListener('abort', () => reject(new SafeCoderError('cancelled', 'Cancelled.')), {
      once: true,
    });
  });
  await withDeadline(hello, ms, () =>
    vm.failure('hello', `the guest agent did not answer within ${ms / 1000} s`),
  );
}

function inJail(name: string): string {
  return `${JAIL.run}/${name}`;
}
