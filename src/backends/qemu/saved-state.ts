/**
 * Saved states: a machine that was booted once, up to a guest agent that is ready and has done what every sandbox needs
 * done. Starting from one takes a few hundredths of the time of a boot. Memory is kept as a file with holes that a new
 * machine maps privately, so that only the pages it touches are read; beside it the devices' state, a small stream, and
 * the scratch disk, which the memory knows as mounted: the three are of one moment and useless apart.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { DirectoryHandle } from '../../base/directory-handle.ts';
import { SafeCoderError } from '../../base/errors.ts';
import { withDeadline } from '../../base/lifetime.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { runProcess } from '../../base/process.ts';
import { JAIL } from './machine.ts';
import type { Qmp } from './qmp.ts';
import type { VmProcess } from './vm-process.ts';

const SAVE_MS = 60_000;
const LOAD_MS = 30_000;
const MAX_DEVICE_STATE_BYTES = 64 << 20;
const IGNORE_SHARED = { capabilities: [{ capability: 'x-ignore-shared', state: true }] };

export interface SavedState {
  folder: HostPath;
  memory: HostPath;
  devices: HostPath;
  scratch: HostPath;
}

interface Manifest {
  memoryBytes: number;
  scratchBytes: number;
  devicesSha256: string;
}

export function statesFolder(cacheDir: HostPath): HostPath {
  return `${cacheDir}/states` as HostPath;
}

/** The state in this folder when it is whole, otherwise undefined. Marks it as used. */
export async function readState(folder: HostPath): Promise<SavedState | undefined> {
  const state = {
    folder,
    memory: `${folder}/memory` as HostPath,
    devices: `${folder}/devices` as HostPath,
    scratch: `${folder}/scratch` as HostPath,
  };
  try {
    const manifest = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8')) as Manifest;
    if ((await stat(state.memory)).size !== manifest.memoryBytes) return undefined;
    if ((await stat(state.scratch)).size !== manifest.scratchBytes) return undefined;
    if (sha256(await readFile(state.devices)) !== manifest.devicesSha256) return undefined;
    const now = new Date();
    await utimes(folder, now, now);
    return state;
  } catch {
    // Missing or damaged, whichever: a new one is made, or the machine boots.
    return undefined;
  }
}

/**
 * Writes the state of a running machine, whose memory is the shared file `memory` in its run folder, into `folder`. A
 * stopped machine has no request to its disk under way; what the guest hasn't written yet is in its memory.
 * The machine is stopped afterwards and must be ended by the caller.
 */
export async function writeState(vm: VmProcess, qmp: Qmp, runDir: HostPath, folder: HostPath): Promise<void> {
  await qmp.run('migrate-set-capabilities', IGNORE_SHARED);
  await qmp.run('stop');
  const devices = await receiveMigration(qmp, runDir);
  await vm.end();
  await mkdir(folder, { mode: 0o700 });
  await copyWithHoles(`${runDir}/${JAIL.memory}`, `${folder}/memory`);
  await copyWithHoles(`${runDir}/${JAIL.scratch}`, `${folder}/scratch`);
  await writeFile(`${folder}/devices`, devices, { mode: 0o600 });
  const manifest: Manifest = {
    memoryBytes: (await stat(`${folder}/memory`)).size,
    scratchBytes: (await stat(`${folder}/scratch`)).size,
    devicesSha256: sha256(devices),
  };
  await writeFile(`${folder}/manifest.json`, JSON.stringify(manifest), { mode: 0o600 });
}

/** Loads the devices' state, which the waiting machine has open as descriptor 3, and lets it run. */
export async function loadState(qmp: Qmp): Promise<void> {
  await qmp.run('migrate-set-capabilities', IGNORE_SHARED);
  await qmp.run('migrate-incoming', { uri: 'fd:3' });
  await qmp.finishMigration(LOAD_MS);
  await qmp.run('cont');
}

/** QEMU may start no program and open no file of ours, so it writes to a socket in its run folder. */
async function receiveMigration(qmp: Qmp, runDir: HostPath): Promise<Buffer> {
  using folder = DirectoryHandle.open(runDir);
  const server = createServer();
  try {
    const received = new Promise<Buffer>((resolve, reject) => {
      server.once('error', reject);
      server.once('connection', (socket) => {
        const chunks: Buffer[] = [];
        let size = 0;
        socket.on('data', (chunk: Buffer) => {
          size += chunk.length;
          if (size > MAX_DEVICE_STATE_BYTES) socket.destroy(new Error('the state is too large'));
          else chunks.push(chunk);
        });
        socket.once('error', reject);
        socket.once('end', () => resolve(Buffer.concat(chunks)));
      });
    });
    await new Promise<void>((resolve) => server.listen(`${folder.self}/${JAIL.migration}`, resolve));
    await qmp.run('migrate', { uri: `unix:${JAIL.run}/${JAIL.migration}` });
    await qmp.finishMigration(SAVE_MS);
    return await withDeadline(
      received,
      SAVE_MS,
      () => new SafeCoderError('backend/boot-failed', 'QEMU did not finish writing the state.'),
    );
  } finally {
    server.close();
  }
}

async function copyWithHoles(from: string, to: string): Promise<void> {
  const result = await runProcess('cp', ['--sparse=always', '--no-preserve=all', '--', from, to], {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    timeoutMs: SAVE_MS,
  });
  if (result.exitCode !== 0) {
    throw new SafeCoderError(
      'image/build-failed',
      `The machine's memory could not be saved: ${result.stderr.trim()}`,
      {
        hint: 'Make room on the disk that holds the cache.',
      },
    );
  }
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
