/**
 * What a long session costs: entries on a large project, ours against `git add -A && git commit` in a shadow repository of the
 * same files, which is what other tools do after each tool call. Prints one JSON object.
 *
 *   node bench/ledger.ts [--files 50000] [--entries 1000] [--shadow 50]
 *
 * The shadow repository is given fewer steps, since each walks the whole project; its size is of those only.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import type { HostPath, RelPath } from '../src/base/path-bytes.ts';
import type { FileState } from '../src/diff/change-set.ts';
import { GIT_ENVIRONMENT } from '../src/git/git-program.ts';
import { hashObject } from '../src/git/object-id.ts';
import { blameFile } from '../src/ledger/blame.ts';
import { compactLedger } from '../src/ledger/compact.ts';
import { openLedger } from '../src/ledger/reader.ts';
import { createLedger, type LedgerWriter } from '../src/ledger/writer.ts';
import { median } from './figure.ts';

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '50000' },
    entries: { type: 'string', default: '1000' },
    shadow: { type: 'string', default: '50' },
  },
});
const [fileCount, entryCount, shadowSteps] = [values.files, values.entries, values.shadow].map(Number) as [
  number,
  number,
  number,
];
/** As many entries are looked at for the first and the last times. */
const SPAN = Math.min(50, entryCount >> 1);

const pathOf = (at: number) => `src/p${Math.floor(at / 240)}/m${Math.floor(at / 12) % 20}/file${at}.ts`;

/** A file of some 3 KB, of which a step changes one line: an agent's edit. */
const textOf = (at: number, step: number) =>
  Array.from(
    { length: 80 },
    (_, line) => `export const value${line} = ${at * 31 + line * 7 + (line === step % 80 ? step : 0)};\n`,
  ).join('');

/** Mostly the same few files, now and then another one. */
const touched = (step: number) => (step % 5 === 0 ? (step * 7919) % fileCount : step % 4);

function git(dir: string, ...args: string[]): string {
  const who = ['-c', 'user.name=b', '-c', 'user.email=b@b', '-c', 'gc.auto=0'];
  return execFileSync('git', [...who, ...args], {
    cwd: dir,
    env: { ...GIT_ENVIRONMENT },
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
}

async function timed(act: () => unknown): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

/** Bytes and inodes, as `du` counts them. */
function use(folder: string): { bytes: number; inodes: number } {
  const number = (...args: string[]) =>
    Number(execFileSync('du', ['-s', ...args, folder], { encoding: 'utf8' }).split('\t')[0]);
  return { bytes: number('-B1'), inodes: number('--inodes') };
}

/** Bytes that this process has handed to the system to write. */
function written(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'latin1'))?.[1]);
}

function makeProject(project: string): Map<RelPath, FileState> {
  const files = new Map<RelPath, FileState>();
  for (let at = 0; at < fileCount; at++) {
    const path = join(project, pathOf(at));
    if (at % 12 === 0) mkdirSync(dirname(path), { recursive: true });
    const text = Buffer.from(textOf(at, 0));
    writeFileSync(path, text);
    files.set(pathOf(at) as RelPath, { mode: '100644', oid: hashObject('sha1', 'blob', text) });
  }
  git(project, 'init', '-q');
  git(project, 'add', '-A');
  git(project, 'commit', '-qm', 'all');
  git(project, 'gc', '-q');
  return files;
}

const FACTS = { turn: 1, skipped: [], ignored: 0, gitChanged: false };

async function begin(dir: HostPath, project: string, files: Map<RelPath, FileState>): Promise<LedgerWriter> {
  const ledger = await createLedger({ dir, objectFormat: 'sha1', session: 'bench' });
  const oids = new Set([...files.values()].map(({ oid }) => oid));
  await ledger.borrowObjects({ objectsDir: join(project, '.git/objects') as HostPath, oids });
  await ledger.commitInitial({ ...FACTS, title: 'Initial', at: new Date(), files });
  return ledger;
}

async function append(ledger: LedgerWriter, step: number): Promise<void> {
  const at = touched(step);
  const text = Buffer.from(textOf(at, step));
  const oid = ledger.blobSink().writeBlob(text.length, [text]);
  await ledger.append({
    ...FACTS,
    title: 'Agent executed: edit',
    kind: 'tool',
    tool: 'edit',
    call: `call-${step}`,
    at: new Date(),
    written: [{ path: pathOf(at) as RelPath, mode: '100644', oid }],
    removed: [],
  });
}

async function reading(dir: HostPath) {
  await using ledger = await openLedger(dir);
  const logMs = await timed(() => ledger.entries());
  const verifyMs = await timed(async () => {
    const { faults } = await ledger.verify();
    if (faults.length > 0) throw new Error(faults[0]);
  });
  const blameMs = await timed(() => blameFile(ledger, pathOf(1) as RelPath));
  return { logMs: round(logMs), verifyMs: round(verifyMs), blameMs: round(blameMs) };
}

const round = (value: number) => Math.round(value * 10) / 10;
const firstAndLast = (times: number[]) => ({
  firstMs: round(median(times.slice(0, SPAN))),
  lastMs: round(median(times.slice(-SPAN))),
});

async function shadow(project: string, folder: string) {
  const dir = join(folder, 'shadow.git');
  git(folder, 'init', '-q', '--bare', dir);
  git(folder, `--git-dir=${dir}`, 'config', 'core.bare', 'false');
  const inShadow = (...args: string[]) => git(folder, `--git-dir=${dir}`, `--work-tree=${project}`, ...args);
  const step = () => {
    inShadow('add', '-A');
    inShadow('commit', '-qm', 'step', '--allow-empty');
  };
  const initialMs = await timed(step);
  const initial = use(dir);
  const times: number[] = [];
  for (let at = 1; at <= shadowSteps; at++) {
    writeFileSync(join(project, pathOf(touched(at))), textOf(touched(at), at));
    times.push(await timed(step));
  }
  const after = use(dir);
  const bytesPerStep = Math.round((after.bytes - initial.bytes) / shadowSteps);
  return {
    steps: shadowSteps,
    initialMs: round(initialMs),
    initial,
    stepMs: round(median(times)),
    bytesPerStep,
  };
}

const folder = mkdtempSync(join(tmpdir(), 'sc-ledger-'));
try {
  const project = join(folder, 'project');
  mkdirSync(project);
  const files = makeProject(project);
  const dir = join(folder, 'ledger') as HostPath;
  let ledger: LedgerWriter | undefined;
  const initialMs = await timed(async () => {
    ledger = await begin(dir, project, files);
  });
  if (ledger === undefined) throw new Error('no ledger');
  const initial = use(dir);
  const before = written();
  const times: number[] = [];
  for (let step = 1; step <= entryCount; step++)
    times.push(await timed(() => append(ledger as LedgerWriter, step)));
  const entryBytesWritten = written() - before;
  const borrowing = use(dir);
  const settleMs = await timed(() => (ledger as LedgerWriter).settle());
  await ledger[Symbol.asyncDispose]();
  const alone = use(dir);
  const read = await reading(dir);
  const gcMs = await timed(() => compactLedger(dir));
  const result = {
    what: 'a long session',
    files: fileCount,
    entries: entryCount,
    projectGit: use(join(project, '.git')),
    ours: {
      initialMs: round(initialMs),
      initial,
      entry: firstAndLast(times),
      whileItRuns: borrowing,
      writtenPerKept: round(entryBytesWritten / (borrowing.bytes - initial.bytes)),
      settleMs: round(settleMs),
      settled: alone,
      ...read,
      gcMs: round(gcMs),
      collected: use(dir),
      afterGc: await reading(dir),
    },
    shadow: await shadow(project, folder),
  };
  process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
