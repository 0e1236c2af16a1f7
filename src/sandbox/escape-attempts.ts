/**
 * A dozen harmless attempts to get out of a sandbox, each made as an agent's command would make it. Whether one succeeded is
 * judged on the host wherever the host can see it: a guest that lies about a failure gains nothing.
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { networkInterfaces } from 'node:os';
import { SafeCoderError } from '../base/errors.ts';
import { withDeadline } from '../base/lifetime.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { Sandbox } from './sandbox.ts';

export interface AttemptResult {
  name: string;
  /** What was tried, for people. */
  what: string;
  /** True: the wall held. */
  held: boolean;
  detail: string;
}

type Level = 'vm' | 'container' | 'demo';

interface Attempt {
  name: string;
  what: string;
  /** Where it would mean something. Absent: everywhere. */
  level?: Level;
  /** A shell script for the guest; it prints ESCAPED when it got through. */
  script: (facts: HostFacts) => string;
  /** True when the host saw it get through. */
  wasSeen?: (facts: HostFacts) => boolean;
}

interface HostFacts {
  canaryFile: string;
  canaryText: string;
  port: number;
  pid: number;
  /** MD5 of this process's own command line, as /proc shows it. */
  commandLine: string;
  addresses: string[];
  connections: () => number;
}

const ATTEMPT_MS = 30_000;
const MOST_OUTPUT = 4096;

const refusedUnless = (command: string) => `if (${command}) >/dev/null 2>&1; then echo ESCAPED; fi`;

const ATTEMPTS: readonly Attempt[] = [
  {
    name: 'host-file',
    what: 'read a file of the host by its path, and through other processes’ roots',
    script: ({ canaryFile, canaryText }) =>
      `for root in "" /proc/*/root /proc/*/cwd; do if grep -qs ${canaryText} "$root${canaryFile}"; then echo ESCAPED; fi; done`,
  },
  {
    name: 'host-process',
    what: 'see this process of the host',
    script: ({ pid, commandLine }) =>
      `if [ "$(md5sum < /proc/${pid}/cmdline 2>/dev/null)" = "${commandLine}  -" ]; then echo ESCAPED; fi`,
  },
  {
    name: 'host-loopback',
    what: 'connect to a service on the host’s loopback',
    script: ({ port }) => connectScript(['127.0.0.1', 'localhost', '::1'], port),
    wasSeen: ({ connections }) => connections() > 0,
  },
  {
    name: 'host-network',
    what: 'connect to the host’s own addresses',
    script: ({ addresses, port }) => connectScript(addresses, port),
    wasSeen: ({ connections }) => connections() > 0,
  },
  {
    name: 'routes',
    what: 'find a way out of the network',
    script: () => `if tail -n +2 /proc/net/route 2>/dev/null | grep -q .; then echo ESCAPED; fi`,
  },
  {
    name: 'names',
    what: 'look a name up without the proxy',
    script: () => refusedUnless('getent hosts example.com'),
  },
  {
    name: 'host-disks',
    what: 'read a disk of the host',
    script: () =>
      'for disk in /dev/sd? /dev/nvme?n? /dev/xvd? /dev/kvm; do if head -c 1 "$disk" >/dev/null 2>&1; then echo ESCAPED; fi; done',
  },
  {
    name: 'host-memory',
    what: 'read the memory of the machine',
    level: 'container',
    script: () => refusedUnless('head -c 1 /dev/mem || head -c 1 /dev/kmem || head -c 1 /proc/kcore'),
  },
  {
    name: 'base-image',
    what: 'write to the project’s read-only base',
    level: 'vm',
    script: () => refusedUnless('dd if=/dev/zero of=/dev/vda bs=512 count=1 conv=notrunc oflag=sync'),
  },
  {
    name: 'tools',
    what: 'change the host’s own tools in /usr',
    level: 'vm',
    script: () =>
      refusedUnless(
        'mkdir -p /tmp/t9 && mount -t 9p -o trans=virtio,version=9p2000.L tree /tmp/t9 && touch /tmp/t9/usr/escaped',
      ),
  },
  {
    name: 'hypervisor-sockets',
    what: 'open a socket to the hypervisor',
    script: () =>
      refusedUnless(
        'python3 -c "import socket; s = socket.socket(40, 1); s.settimeout(5); s.connect((2, 1024))"',
      ),
  },
  {
    name: 'namespaces',
    what: 'make namespaces and become root in them',
    level: 'container',
    script: () => refusedUnless('unshare --user --map-root-user true'),
  },
  {
    name: 'mounts',
    what: 'mount, unmount and change the root',
    level: 'container',
    script: () => refusedUnless('mount -t tmpfs none /mnt || umount -l /proc || chroot / true'),
  },
  {
    name: 'layers',
    what: 'reach the layers that the root is made of',
    level: 'container',
    script: () =>
      'for root in /proc/*/root; do if [ -e "$root/scratch" ] || [ -e "$root/newroot" ]; then echo ESCAPED; fi; done',
  },
  {
    name: 'kernel-settings',
    what: 'change settings of the kernel',
    level: 'container',
    script: () =>
      // Opened and not written: where the wall is missing, nothing changes.
      refusedUnless(
        ': >> /proc/sys/kernel/core_pattern || : >> /proc/sys/kernel/panic || : >> /proc/sysrq-trigger',
      ),
  },
  {
    name: 'privileges',
    what: 'gain a capability that was taken away',
    level: 'container',
    script: () =>
      `if [ "$(( 0x$(awk '/^CapEff/ { print $2 }' /proc/self/status) & 0x200000 ))" != 0 ]; then echo ESCAPED; fi`,
  },
];

/** All that mean something at this level, one after another. Throws `guest/*` when the guest is lost. */
export async function attemptEscapes(
  sandbox: Sandbox,
  options: { runDir: HostPath; signal: AbortSignal },
): Promise<AttemptResult[]> {
  const { level } = sandbox.isolation;
  const canaryFile = `${options.runDir}/canary-${randomBytes(12).toString('hex')}`;
  const canaryText = randomBytes(12).toString('hex');
  await writeFile(canaryFile, `${canaryText}\n`, { flag: 'wx', mode: 0o644 });
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  // On all addresses, for the moment it takes: who connects is told nothing and counted.
  const port = await new Promise<number>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, () => {
      const address = server.address();
      resolve(address === null || typeof address === 'string' ? 0 : address.port);
    });
  });
  const facts: HostFacts = {
    canaryFile,
    canaryText,
    port,
    pid: process.pid,
    commandLine: createHash('md5')
      .update(await readFile('/proc/self/cmdline'))
      .digest('hex'),
    addresses: Object.values(networkInterfaces()).flatMap((all) =>
      (all ?? []).filter(({ internal }) => !internal).map(({ address }) => address.replace(/%.*/, '')),
    ),
    connections: () => connections,
  };
  try {
    const results: AttemptResult[] = [];
    for (const attempt of ATTEMPTS) {
      if (attempt.level === undefined || attempt.level === level)
        results.push(await tryOne(sandbox, attempt, facts, options.signal));
    }
    return results;
  } finally {
    server.close();
    await rm(canaryFile, { force: true });
  }
}

async function tryOne(
  sandbox: Sandbox,
  { name, what, script, wasSeen }: Attempt,
  facts: HostFacts,
  signal: AbortSignal,
): Promise<AttemptResult> {
  let said = '';
  const running = await sandbox.exec(
    {
      argv: ['/bin/bash', '-c', script(facts)],
      onOutput: (chunk) => {
        if (said.length < MOST_OUTPUT) said += chunk.toString('latin1');
      },
    },
    signal,
  );
  try {
    await withDeadline(
      running.ended,
      ATTEMPT_MS,
      () => new SafeCoderError('guest/timeout', `${name} took too long.`),
    );
  } catch (error) {
    running.kill();
    await running.ended.catch(() => undefined);
    if (signal.aborted) throw error;
  }
  const escaped = said.includes('ESCAPED') || wasSeen?.(facts) === true;
  return { name, what, held: !escaped, detail: escaped ? 'it got through' : 'refused' };
}

function connectScript(addresses: readonly string[], port: number): string {
  const tries = addresses.map(
    (address) =>
      `timeout 5 bash -c ${quote(`exec 3<>/dev/tcp/${address}/${port}`)} 2>/dev/null && echo ESCAPED`,
  );
  return `${tries.join('; ')}; true`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
