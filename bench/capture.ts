/**
 * The cost of an entry: ours against `git add -A && git commit` in a shadow repository of the same tree, which is what other
 * tools do after each tool call. Ours takes changed paths with their bytes, as a capture hands them over; finding them is the
 * guest agent's work and is not in these numbers, while git's walk is in its. Prints one JSON object.
 *
 *   node bench/capture.ts [--large] [--rounds N]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { HostPath, RelPath } from '../src/base/path-bytes.ts';
import type { FileState } from '../src/diff/change-set.ts';
import { GIT_ENVIRONMENT } from '../src/git/git-program.ts';
import { hashObject } from '../src/git/object-id.ts';
import { createLedger, type LedgerWriter } from '../src/ledger/writer.ts';

const FILES_PER_FOLDER = 12;
const { values } = parseArgs({
  options: { large: { type: 'boolean', default: false }, rounds: { type: 'string', default: '9' } },
});
const rounds = Number(values.rounds);

interface Result {
  files: number;
  initial: Pair;
  oneFile: Pair;
  thousandFiles: Pair;
}

interface Pair {
  oursMs: number;
  gitMs: number;
  ratio: number;
}

function git(dir: string, worktree: string, ...args: string[]): void {
  execFileSync('git', [`--git-dir=${dir}`, `--work-tree=${worktree}`, ...args], {
    cwd: '/',
    env: {
      ...GIT_ENVIRONMENT,
      GIT_AUTHOR_NAME: 'b',
      GIT_AUTHOR_EMAIL: 'b@b',
      GIT_COMMITTER_NAME: 'b',
      GIT_COMMITTER_EMAIL: 'b@b',
    },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function initRepository(dir: string): void {
  const run = (...args: string[]) => execFileSync('git', args, { cwd: '/', env: { ...GIT_ENVIRONMENT } });
  run('init', '-q', '--bare', dir);
  run(`--git-dir=${dir}`, 'config', 'core.bare', 'false');
  // Its housekeeping would fall into some round by chance.
  run(`--git-dir=${dir}`, 'config', 'gc.auto', '0');
}

const pathOf = (at: number) => {
  const folder = Math.floor(at / FILES_PER_FOLDER);
  return `src/p${Math.floor(folder / 20)}/m${folder % 20}/file${at}.ts`;
};

const textOf = (at: number, round: number) =>
  Array.from({ length: 40 }, (_, line) => `export const value${line} = ${at * 31 + line * round};\n`).join(
    '',
  );

function put(worktree: string, at: number, round: number): void {
  writeFileSync(join(worktree, pathOf(at)), textOf(at, round));
}

function makeTree(worktree: string, count: number): void {
  for (let at = 0; at < count; at++) {
    const path = join(worktree, pathOf(at));
    if (at % FILES_PER_FOLDER === 0) mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, textOf(at, 0));
  }
}

const median = (times: number[]) => times.toSorted((a, b) => a - b)[times.length >> 1] ?? 0;

async function timed(act: () => unknown): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

function pair(ours: number[], gits: number[]): Pair {
  const [oursMs, gitMs] = [median(ours), median(gits)];
  return { oursMs: round(oursMs), gitMs: round(gitMs), ratio: round(gitMs / oursMs) };
}

const round = (number: number) => Math.round(number * 100) / 100;

async function measure(count: number): Promise<Result> {
  const folder = mkdtempSync(join(tmpdir(), 'sc-bench-'));
  try {
    const worktree = join(folder, 'tree');
    makeTree(worktree, count);
    const project = join(folder, 'project.git');
    initRepository(project);
    git(project, worktree, 'add', '-A');
    git(project, worktree, 'commit', '-qm', 'project');
    git(project, worktree, 'gc', '-q');

    const shadow = join(folder, 'shadow.git');
    const gitInitial: number[] = [];
    const ourInitial: number[] = [];
    let ledger: LedgerWriter | undefined;
    for (let at = 0; at < (count > 50_000 ? 1 : 3); at++) {
      rmSync(shadow, { recursive: true, force: true });
      initRepository(shadow);
      gitInitial.push(await timed(() => git(shadow, worktree, 'add', '-A')));
      await ledger?.[Symbol.asyncDispose]();
      rmSync(join(folder, 'ledger'), { recursive: true, force: true });
      const files = filesOf(worktree, count);
      const oids = new Set([...files.values()].map((file) => file.oid));
      ledger = await createLedger({
        dir: join(folder, 'ledger') as HostPath,
        objectFormat: 'sha1',
        session: 'bench',
      });
      ourInitial.push(await timed(() => commitBorrowed(ledger as LedgerWriter, project, files, oids)));
    }
    git(shadow, worktree, 'commit', '-qm', 'initial');
    if (ledger === undefined) throw new Error('no ledger');
    const one = await compare(ledger, shadow, worktree, count, 1, rounds);
    const thousand = await compare(ledger, shadow, worktree, count, 1000, Math.max(3, rounds >> 1));
    await ledger[Symbol.asyncDispose]();
    return { files: count, initial: pair(ourInitial, gitInitial), oneFile: one, thousandFiles: thousand };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What copy-in knows: every path with the id of the bytes it has read. */
function filesOf(worktree: string, count: number): Map<RelPath, FileState> {
  const files = new Map<RelPath, FileState>();
  for (let at = 0; at < count; at++) {
    const oid = hashObject('sha1', 'blob', readFileSync(join(worktree, pathOf(at))));
    files.set(pathOf(at) as RelPath, { mode: '100644', oid });
  }
  return files;
}

async function commitBorrowed(
  ledger: LedgerWriter,
  project: string,
  files: Map<RelPath, FileState>,
  oids: Set<string>,
): Promise<void> {
  const there = await ledger.borrowObjects({ objectsDir: join(project, 'objects') as HostPath, oids });
  if (there.size !== oids.size) throw new Error('not all objects could be borrowed');
  await ledger.commitInitial({
    title: 'Initial snapshot - Safe Coder VM',
    at: new Date(),
    turn: 0,
    skipped: [],
    ignored: 0,
    gitChanged: false,
    files,
  });
}

async function compare(
  ledger: LedgerWriter,
  shadow: string,
  worktree: string,
  count: number,
  changed: number,
  times: number,
): Promise<Pair> {
  const ours: number[] = [];
  const gits: number[] = [];
  for (let time = 1; time <= times; time++) {
    const step = Math.max(1, Math.floor(count / changed));
    const chosen = Array.from({ length: changed }, (_, at) => (at * step + time) % count);
    for (const at of chosen) put(worktree, at, time + changed);
    gits.push(
      await timed(() => {
        git(shadow, worktree, 'add', '-A');
        git(shadow, worktree, 'commit', '-qm', 'step');
      }),
    );
    const files = chosen.map((at) => ({
      path: pathOf(at) as RelPath,
      bytes: Buffer.from(textOf(at, time + changed)),
    }));
    ours.push(
      await timed(() => {
        const sink = ledger.blobSink();
        const written = files.map(({ path, bytes }) => ({
          path,
          mode: '100644' as const,
          oid: sink.writeBlob(bytes.length, [bytes]),
        }));
        return ledger.append({
          title: 'Agent executed: bash',
          at: new Date(),
          kind: 'tool',
          turn: 1,
          skipped: [],
          ignored: 0,
          gitChanged: false,
          written,
          removed: [],
        });
      }),
    );
  }
  return pair(ours, gits);
}

const results: Result[] = [];
for (const count of values.large ? [2000, 20_000, 200_000] : [2000, 20_000])
  results.push(await measure(count));
const first = results[0]?.oneFile.oursMs ?? 0;
const last = results.at(-1)?.oneFile.oursMs ?? 0;
console.log(
  JSON.stringify({
    bench: 'capture',
    cpus: cpus().length,
    node: process.version,
    git: execFileSync('git', ['--version'], { encoding: 'utf8' }).trim(),
    rounds,
    results,
    growth: round(last / first),
  }),
);
