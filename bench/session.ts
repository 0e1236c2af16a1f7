/**
 * What a person waits for, in a real VM: start to first result against a plain boot, a tool round trip against the same
 * command on the host, output from guest to host against a pipe between two host processes, a second sandbox against the
 * first. Medians of several runs; ratios within one run.
 *
 *   node bench/session.ts [--runs N]
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
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
const root = fileURLToPath(new URL('../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sc-bench-')) as HostPath;
const project = join(folder, 'project') as HostPath;
mkdirSync(project);
writeFileSync(join(project, 'a.txt'), 'a\n');
// Images and saved states come from the user's own cache, made by "safe-coder setup".
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
const backend = (useSavedStates: boolean) =>
  createQemuBackend({
    cacheDir: cache,
    agentBinary: join(root, 'guest/build/safe-coder-guest') as HostPath,
    rgBinary: rg as HostPath,
    useSavedStates,
  });
const settings = { ...defaults, cpus: 1, memory: 512 * 2 ** 20, disk: 2 ** 30 };

async function start(useSavedStates: boolean): Promise<Session> {
  return Session.start({
    face: 'exec',
    title: 'bench',
    project,
    home: '/nonexistent' as HostPath,
    directories,
    settings,
    backend: backend(useSavedStates),
    onEvent: () => undefined,
    signal: new AbortController().signal,
  });
}

/** Runs a command in the sandbox to its end. */
async function run(
  session: Session,
  argv: string[],
  onOutput: (chunk: Buffer) => void = () => undefined,
): Promise<void> {
  const child = await session.sandbox.exec({ argv, onOutput }, new AbortController().signal);
  await child.ended;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

async function repeat(times: number, work: () => Promise<unknown>): Promise<number[]> {
  const taken: number[] = [];
  for (let n = 0; n < times; n++) taken.push(await timed(work));
  return taken;
}

try {
  await backend(true).prepare({
    cpus: settings.cpus,
    memoryBytes: settings.memory,
    diskBytes: settings.disk,
  });
  const firstResult = (useSavedStates: boolean) => async () => {
    await using session = await start(useSavedStates);
    await run(session, ['true']);
  };
  const ends: number[] = [];
  const restored: number[] = [];
  const booted: number[] = [];
  for (let n = 0; n < runs; n++) {
    for (const [taken, saved] of [
      [restored, true],
      [booted, false],
    ] as const) {
      const started = performance.now();
      const session = await start(saved);
      await run(session, ['true']);
      taken.push(performance.now() - started);
      ends.push(await timed(() => session.end()));
    }
  }
  printFigure(
    'start to first result (VM, restored)',
    median(restored),
    'plain boot to the same point',
    median(booted),
    { better: 'lower' },
  );
  printFigure('end of a session', median(ends), 'start to first result', median(restored), {
    better: 'lower',
  });

  await using session = await start(true);
  const inside = await repeat(Math.max(20, runs * 4), () => run(session, ['true']));
  const outside = await repeat(Math.max(20, runs * 4), async () => {
    await new Promise((resolve) => spawn('true').on('close', resolve));
  });
  printFigure('tool round trip (`true`)', median(inside), 'spawning it on the host', median(outside), {
    better: 'lower',
  });

  const bytes = 32 * 2 ** 20;
  const out = await repeat(Math.min(3, runs), () => run(session, ['head', '-c', String(bytes), '/dev/zero']));
  const pipe = await repeat(Math.min(3, runs), async () => {
    const child = spawn('head', ['-c', String(bytes), '/dev/zero'], { stdio: ['ignore', 'pipe', 'ignore'] });
    child.stdout.resume();
    await new Promise((resolve) => child.on('close', resolve));
  });
  printFigure(
    '32 MB of output, guest to host',
    median(out),
    'a pipe between two host processes',
    median(pipe),
    { better: 'lower' },
  );

  let captured = 0;
  const capture = await repeat(Math.max(10, runs * 2), async () => {
    await run(session, ['sh', '-c', `echo ${captured++} > a.txt`]);
  });
  const recorded = await repeat(Math.max(10, runs * 2), () =>
    session.exec(
      'exec',
      { argv: ['sh', '-c', `echo ${captured++} > a.txt`], isTold: false },
      new AbortController().signal,
    ),
  );
  printFigure('a command with sweep and entry', median(recorded), 'the command alone', median(capture), {
    better: 'lower',
  });

  const second = await timed(firstResult(true));
  printFigure('a second sandbox while one runs', second, 'the first', median(restored), { better: 'lower' });
  const help = await repeat(runs, async () =>
    execFileSync(process.execPath, [join(root, 'dist/cli/main.js'), '--version']),
  );
  const node = await repeat(runs, async () => execFileSync(process.execPath, ['-e', '0']));
  printFigure('start of the command (--version)', median(help), 'node -e 0', median(node), {
    better: 'lower',
  });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
