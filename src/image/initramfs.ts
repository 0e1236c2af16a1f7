/** The guest's first root: the guest agent as /init, the kernel's modules, a console. Nothing else. */
import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { HostPath } from '../base/path-bytes.ts';
import { type CpioEntry, encodeCpio } from './cpio.ts';
import type { PreparedKernel } from './kernel.ts';
import { makeOnce } from './make-once.ts';

export interface PreparedInitramfs {
  file: HostPath;
  /** Changes with the guest agent, the kernel and the layout. */
  id: string;
}

/** Raised when the layout below changes. */
const LAYOUT = 1;

/**
 * The initramfs for this kernel and guest agent, made the first time. It is not compressed: it is 4 MB, and the guest
 * would unpack it at an emulated processor's speed.
 */
export async function prepareInitramfs(
  cacheDir: HostPath,
  kernel: PreparedKernel,
  agentBinary: HostPath,
  signal?: AbortSignal,
): Promise<PreparedInitramfs> {
  const agent = await readFile(agentBinary);
  const id = createHash('sha256').update(`${LAYOUT} ${kernel.id} `).update(agent).digest('hex').slice(0, 32);
  const file = `${cacheDir}/initramfs/${id}.cpio` as HostPath;
  await makeOnce(
    file,
    async (temporary) => {
      await writeFile(temporary, encodeCpio(await initramfsEntries(kernel, agent)), { mode: 0o600 });
    },
    signal,
  );
  return { file, id };
}

async function initramfsEntries(kernel: PreparedKernel, agent: Buffer): Promise<CpioEntry[]> {
  const entries: CpioEntry[] = ['dev', 'proc', 'sys', 'modules'].map((path) => ({
    kind: 'directory',
    path,
    mode: 0o755,
  }));
  entries.push({ kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 });
  entries.push({ kind: 'file', path: 'init', mode: 0o755, bytes: agent });
  for (const module of kernel.modules) {
    entries.push({
      kind: 'file',
      path: `modules/${basename(module)}`,
      mode: 0o644,
      bytes: await readFile(module),
    });
  }
  return entries;
}
