/**
 * The proof of isolation, taken before the first tool call and kept in the ledger's first entry. Two of its checks can't be
 * talked past by a lying guest (nothing reached the host's listener; the host made the canary's name up), the others
 * are claims that catch a mistaken set-up rather than an attack.
 */
import { randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { release } from 'node:os';
import { isSafeCoderError } from '../base/errors.ts';
import type { IsolationProof } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Guest } from '../guest/guest.ts';

type Check = IsolationProof['checks'][number];

export interface ProofOptions {
  level: 'vm' | 'container' | 'demo';
  /** A folder on the host, outside the project, for the canary. */
  runDir: HostPath;
}

/** Never throws for a failed check; throws what the guest's verbs throw when the guest is lost. */
export async function proveIsolation(guest: Guest, options: ProofOptions): Promise<IsolationProof> {
  const parts = [kernelChecks(guest), canaryCheck(guest, options.runDir), networkChecks(guest)];
  const checks = (await Promise.all(parts)).flat();
  // A container shares the host's kernel by design; what it must show is that it sees neither files nor network.
  const needed = checks.filter((check) => options.level === 'vm' || !KERNEL_CHECKS.includes(check.name));
  return { isolated: options.level !== 'demo' && needed.every((check) => check.ok), checks };
}

const KERNEL_CHECKS = ['boot-id', 'kernel'];

async function kernelChecks(guest: Guest): Promise<Check[]> {
  const bootId = (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
  const { hello } = guest;
  const hasOwnBoot = hello.bootId !== '' && hello.bootId !== bootId;
  const hasOtherRelease = hello.kernel !== '' && hello.kernel !== release();
  const kernel = hasOtherRelease
    ? `guest ${hello.kernel}, host ${release()}`
    : `both ${release()}${hasOwnBoot ? ', but booted apart' : ''}`;
  return [
    {
      name: 'boot-id',
      ok: hasOwnBoot,
      detail: hasOwnBoot ? 'the guest booted on its own' : "the guest runs on the host's kernel",
    },
    // The guest may well run the release that the host runs: then the boot id alone tells them apart.
    { name: 'kernel', ok: hasOtherRelease || hasOwnBoot, detail: kernel },
  ];
}

/** A file that is on the host must not be in the guest. */
async function canaryCheck(guest: Guest, runDir: HostPath): Promise<Check[]> {
  const canary = `${runDir}/canary-${randomBytes(12).toString('hex')}`;
  await writeFile(canary, '', { flag: 'wx', mode: 0o600 });
  try {
    await guest.stat(canary, { uid: 0, gid: 0, noFollow: true });
    return [{ name: 'canary', ok: false, detail: "a file of the host's is visible in the guest" }];
  } catch (error) {
    if (!isSafeCoderError(error, 'guest/failed')) throw error;
    const reason = String(error.details?.errnoName);
    const detail = `looking for it in the guest gives ${reason}`;
    return [{ name: 'canary', ok: reason === 'ENOENT', detail }];
  } finally {
    await rm(canary, { force: true });
  }
}

/** A listener on the host's loopback must not be reachable, and there must be no other way out. */
async function networkChecks(guest: Guest): Promise<Check[]> {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  const port = await listen(server);
  try {
    const probe = await guest.probe(port);
    // The kernel completes a connect before our listener hears of it.
    await new Promise((resolve) => setImmediate(resolve));
    const isReached = probe.errno === 0 || connections > 0;
    return [
      {
        name: 'host-loopback',
        ok: !isReached,
        detail: isReached ? "the guest reached a listener on the host's loopback" : 'not reachable',
      },
      {
        name: 'interfaces',
        ok: probe.otherInterfaces === 0,
        detail: `${probe.otherInterfaces} beside the loopback`,
      },
    ];
  } finally {
    server.close();
  }
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') reject(new Error('a TCP listener without a port'));
      else resolve(address.port);
    });
  });
}
