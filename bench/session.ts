/**
 * What a person waits for, in a real VM: start to first result against a plain boot, a tool round trip against the same
 * command on the host, output from guest to host against a pipe between two host processes, a second sandbox against the
 * first. Medians of several runs; ratios within one run.
 *
 *   node bench/session.ts [--runs N]
 */
import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Session } from '../src/session/session.ts';
import { median, printFigure } from './figure.ts';
import { openBenchFolder, PROGRAM_ROOT } from './vm-session.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(values.runs);
const bench = openBenchFolder();
const start = (useSavedStates: boolean) => bench.start({ useSavedStates });

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
  await bench.prepare();
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
    execFileSync(process.execPath, [join(PROGRAM_ROOT, 'dist/cli/main.js'), '--version']),
  );
  const node = await repeat(runs, async () => execFileSync(process.execPath, ['-e', '0']));
  printFigure('start of the command (--version)', median(help), 'node -e 0', median(node), {
    better: 'lower',
  });
} finally {
  bench[Symbol.dispose]();
}
