import { mkdirSync, writeFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { Launched, LaunchSpec } from '../../src/backends/backend.ts';
import type { QemuBackend } from '../../src/backends/qemu/qemu-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openGuest } from '../../src/guest/client.ts';
import type { Deadlines } from '../../src/guest/deadlines.ts';
import type { Guest, SpawnEnd } from '../../src/guest/guest.ts';
import type { SetupOperation } from '../../src/protocol/setup.ts';
import { temporaryFolder } from './temp.ts';
import { testQemu, vmSpec } from './vm.ts';

export interface VmSandbox {
  launched: Launched;
  guest: Guest;
  runDir: HostPath;
  /** Runs a shell command in the workspace, as root of the guest. */
  sh(command: string): Promise<SpawnEnd & { text: string }>;
}

/** A machine that is set up on a project with one file, `a.txt`; ended when the test is over. */
export async function startVm(
  backend: QemuBackend = testQemu(),
  changeSetup: (operations: SetupOperation[]) => SetupOperation[] = (operations) => operations,
  size: Partial<Pick<LaunchSpec, 'pids'>> = {},
  deadlines: Partial<Deadlines> = {},
): Promise<VmSandbox> {
  const folder = temporaryFolder();
  const runDir = `${folder}/run` as HostPath;
  mkdirSync(runDir, { mode: 0o700 });
  mkdirSync(`${folder}/project`);
  writeFileSync(`${folder}/project/a.txt`, 'content of a\n');
  const spec = { ...vmSpec(runDir, `${folder}/project` as HostPath), ...size };
  const launched = await backend.launch(spec, new AbortController().signal);
  onTestFinished(() => launched.end());
  const guest = await openGuest(launched.channel, { restored: launched.restored, deadlines });
  await guest.setClock(BigInt(Date.now()) * 1_000_000n);
  await guest.addEntropy(crypto.getRandomValues(new Uint8Array(64)));
  await guest.setup(changeSetup(launched.setup));
  const sh = async (command: string) => {
    const chunks: Buffer[] = [];
    const running = await guest.spawn({
      argv: ['/bin/sh', '-c', command],
      env: launched.info.env,
      cwd: spec.workspace,
      uid: 0,
      gid: 0,
      mergeStderr: true,
      onOutput: (chunk) => {
        chunks.push(Buffer.from(chunk));
      },
    });
    const end = await running.ended;
    return { ...end, text: Buffer.concat(chunks).toString('utf8') };
  };
  return { launched, guest, runDir, sh };
}
