/** Debian's Docker engine, started for one test file in a temporary folder, with an image of this machine's own programs. */
import { execFileSync, spawn } from 'node:child_process';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rgPath } from '@vscode/ripgrep';
import type { Backend } from '../../src/backends/backend.ts';
import { createDockerBackend, type DockerOptions } from '../../src/backends/docker/docker-backend.ts';
import { Engine } from '../../src/backends/docker/engine.ts';
import { type EngineAddress, resolveEngine } from '../../src/backends/docker/engine-address.ts';
import { delay } from '../../src/base/lifetime.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const START_TRIES = 600;
/** The image's name; nothing of the kind is anywhere but in the test's own engine. */
export const TEST_IMAGE = 'safe-coder-test:1';

export interface TestEngine {
  address: EngineAddress;
  engine: Engine;
  /** DOCKER_HOST for it. */
  host: string;
  backend(options?: Partial<DockerOptions>): Backend;
  close(): Promise<void>;
}

/** Why no engine can be started here, or undefined. Throws instead where machines are required to be complete. */
export function whyNoEngine(): string | undefined {
  const reason = findLack();
  if (reason !== undefined && process.env.SAFE_CODER_REQUIRE_VM === '1') {
    throw new Error(`A Docker engine is required: ${reason}`);
  }
  return reason;
}

function findLack(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can start a Docker engine';
  try {
    accessSync('/usr/sbin/dockerd', constants.X_OK);
    return undefined;
  } catch {
    // Not installed.
    return 'dockerd is not installed (apt-get install docker.io)';
  }
}

/** Starts the engine and gives it the image. The caller closes it. */
export async function openEngine(): Promise<TestEngine> {
  const folder = mkdtempSync(join(tmpdir(), 'sc-docker-'));
  const host = `unix://${folder}/socket`;
  // Nothing of this machine's own engine counts.
  writeFileSync(`${folder}/daemon.json`, '{}');
  const daemon = spawn(
    'setpriv',
    [
      ...['--pdeathsig', 'TERM', '/usr/sbin/dockerd', '--host', host, '--storage-driver', 'overlay2'],
      ...['--data-root', `${folder}/data`, '--exec-root', `${folder}/exec`, '--pidfile', `${folder}/pid`],
      ...['--iptables=false', '--ip6tables=false', '--bridge=none', '--config-file', `${folder}/daemon.json`],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: folder } },
  );
  let said = '';
  daemon.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000);
  });
  const exited = new Promise<void>((resolve) => daemon.once('exit', () => resolve()));
  const close = async () => {
    daemon.kill('SIGTERM');
    await exited;
    rmSync(folder, { recursive: true, force: true });
  };
  const address = resolveEngine({ host, home: folder as HostPath });
  const engine = new Engine(address);
  try {
    await answer(
      engine,
      () => daemon.exitCode !== null,
      () => said,
    );
    await importImage(engine, folder);
  } catch (error) {
    await close();
    throw error;
  }
  const backend = (options: Partial<DockerOptions> = {}) =>
    createDockerBackend({
      engine: address,
      image: TEST_IMAGE,
      agentBinary: AGENT,
      rgBinary: rgPath as HostPath,
      ...options,
    });
  return { address, engine, host, backend, close };
}

async function answer(engine: Engine, hasEnded: () => boolean, said: () => string): Promise<void> {
  for (let attempt = 0; attempt < START_TRIES && !hasEnded(); attempt++) {
    const status = await engine.ask('GET', '/_ping').then(
      (reply) => reply.status,
      () => 0,
    );
    if (status === 200) return;
    await delay(50);
  }
  throw new Error(`dockerd did not start: ${said()}`);
}

const PROGRAMS =
  'bash sh awk basename cat chmod cp curl cut date dd df dirname echo env find getent grep head id ln ls md5sum mkdir mkfifo mknod mktemp mount mv od printf readlink rm rmdir sed seq setsid sha256sum sleep sort stat stty tail tee test timeout touch tr true umount uname unshare wc xargs yes';

async function importImage(engine: Engine, folder: string): Promise<void> {
  const programs = ['/usr/sbin/chroot', ...PROGRAMS.split(' ')].map((name) =>
    name.startsWith('/') ? name : name.endsWith('sh') ? `/bin/${name}` : `/usr/bin/${name}`,
  );
  const loaded = execFileSync('ldd', programs, { encoding: 'utf8' });
  const libraries = [...loaded.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, path = '']) => path);
  const own = join(folder, 'image');
  mkdirSync(join(own, 'etc'), { recursive: true });
  mkdirSync(join(own, 'usr/src/app'), { recursive: true });
  writeFileSync(
    join(own, 'etc/passwd'),
    'root:x:0:0:root:/root:/bin/bash\nbuilder:x:1234:1234::/home/builder:/bin/sh\n',
  );
  writeFileSync(join(own, 'etc/group'), 'root:x:0:\n');
  writeFileSync(join(own, 'usr/src/app/of-the-image'), '');
  const names = [...new Set([...programs, ...libraries])].map((path) => path.slice(1));
  const archive = join(folder, 'image.tar');
  execFileSync('tar', ['-cf', archive, '-h', '-C', '/', ...names, '-C', own, 'etc', 'usr']);
  await engine.call('POST', '/images/create', {
    query: { fromSrc: '-', repo: 'safe-coder-test', tag: '1', changes: 'ENV OF_IMAGE=yes' },
    tar: readFileSync(archive),
    timeoutMs: 60_000,
  });
  if (existsSync(archive)) rmSync(archive);
}
