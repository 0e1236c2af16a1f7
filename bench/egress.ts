/**
 * The way out of a real VM: how long a small request through relay and proxy takes, and how fast bytes come in, against the
 * same client on the host without a proxy. Medians of several runs; ratios within one run.
 *
 *   node bench/egress.ts [--runs N]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createQemuBackend } from '../src/backends/qemu/qemu-backend.ts';
import type { HostPath } from '../src/base/path-bytes.ts';
import { resolveDirectories } from '../src/config/directories.ts';
import { defaults } from '../src/config/schema.ts';
import { Session } from '../src/session/session.ts';
import { median, printFigure } from './figure.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(values.runs);
const SIZE = 16 << 20;
const root = fileURLToPath(new URL('../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sc-bench-')) as HostPath;
const project = join(folder, 'project') as HostPath;
mkdirSync(project);
writeFileSync(join(project, 'a.txt'), 'a\n');
const { cache } = resolveDirectories(process.env, process.env.HOME ?? '/');
const directories = {
  cache,
  state: join(folder, 'state') as HostPath,
  config: join(folder, 'config') as HostPath,
};
for (const path of Object.values(directories)) mkdirSync(path, { recursive: true, mode: 0o700 });
const rg = join(
  dirname(createRequire(import.meta.url).resolve('@vscode/ripgrep-linux-x64/package.json')),
  'bin/rg',
);

const body = Buffer.alloc(SIZE, 'x');
const server = createServer((request, response) => response.end(request.url === '/large' ? body : 'small'));
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
const url = `http://localhost:${port}`;
/** curl's own time from start to end, in seconds. */
const curl = (path: string) => ['curl', '-sS', '-o', '/dev/null', '-w', '%{time_total}', `${url}${path}`];

const session = await Session.start({
  face: 'exec',
  title: 'bench',
  project,
  home: '/nonexistent' as HostPath,
  directories,
  settings: { ...defaults, cpus: 1, memory: 512 * 2 ** 20, disk: 2 ** 30, allow: [`localhost:${port}`] },
  backend: createQemuBackend({
    cacheDir: cache,
    agentBinary: join(root, 'guest/build/safe-coder-guest') as HostPath,
    rgBinary: rg as HostPath,
  }),
  onEvent: () => undefined,
  signal: new AbortController().signal,
});

async function inside(path: string): Promise<number> {
  let said = '';
  await session.exec(
    'exec',
    {
      // The guest's own loopback is not proxied unless it is said.
      argv: [...curl(path), '--noproxy', ''],
      isTold: false,
      onOutput: (chunk) => {
        said += chunk.toString();
      },
    },
    new AbortController().signal,
  );
  return Number(said) * 1000;
}

/** The host's process must be free to answer while curl runs: it is not waited for in a blocking way. */
async function outside(path: string): Promise<number> {
  const { execFile } = await import('node:child_process');
  const [program = '', ...args] = curl(path);
  const said = await new Promise<string>((resolve, reject) =>
    execFile(program, args, (error, stdout) => (error ? reject(error) : resolve(stdout))),
  );
  return Number(said) * 1000;
}

try {
  execFileSync('curl', ['--version'], { stdio: 'ignore' });
  await inside('/small');
  for (const [what, path] of [
    ['egress: a small request', '/small'],
    [`egress: ${SIZE >> 20} MB in`, '/large'],
  ] as const) {
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let run = 0; run < runs; run++) {
      ours.push(await inside(path));
      theirs.push(await outside(path));
    }
    printFigure(what, median(ours), 'curl on the host', median(theirs), { better: 'lower' });
  }
} finally {
  await session.end();
  server.close();
  rmSync(folder, { recursive: true, force: true });
}
