/**
 * The way back from guest to project, by the project's size: capture and entry, rollback, opening a review, apply, undo; of
 * one changed file and of a thousand. Against what others do with the same files in the same run: `git add -A && git commit`
 * in a shadow repository, `git stash`, `git diff`, `cp -a`. The guest is the agent over a real overlay, without a machine
 * around it; needs root. Prints a JSON object for each figure.
 *
 *   node bench/way-back.ts [--large] [--files N] [--rounds N] [--folder DIR]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { applyPlan } from '../src/apply/apply.ts';
import { undo } from '../src/apply/undo.ts';
import type { HostPath, RelPath } from '../src/base/path-bytes.ts';
import { GIT_ENVIRONMENT } from '../src/git/git-program.ts';
import { hashObject } from '../src/git/object-id.ts';
import type { Entry } from '../src/ledger/ledger.ts';
import { createLedger, type LedgerWriter } from '../src/ledger/writer.ts';
import { planSource } from '../src/review/apply-plan.ts';
import { planFromDecisions } from '../src/review/plan.ts';
import type { ReviewItem } from '../src/review/review-item.ts';
import { decideAll } from '../src/review/select.ts';
import { openSandbox } from '../src/sandbox/open.ts';
import type { BaseFile, ProjectSource } from '../src/sandbox/project-source.ts';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { listChanges } from '../src/session/changes.ts';
import { EntryRecorder } from '../src/session/entry-recorder.ts';
import { restoreTree } from '../src/session/restore-tree.ts';
import { createOverlayBackend } from '../test/support/overlay-backend.ts';
import { plainSpec } from '../test/support/plain-spec.ts';
import { median, printFigure } from './figure.ts';

const { values } = parseArgs({
  options: {
    large: { type: 'boolean', default: false },
    files: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() },
  },
});
const rounds = Number(values.rounds);
const FILES_PER_FOLDER = 12;
const LINES = 40;

const pathOf = (at: number) => {
  const folder = Math.floor(at / FILES_PER_FOLDER);
  return `src/p${Math.floor(folder / 20)}/m${folder % 20}/file${at}.ts`;
};

/** A file in some round: one line in eight is another one than in round 0. */
const textOf = (at: number, round: number) =>
  Array.from(
    { length: LINES },
    (_, line) => `export const value${line} = ${at * 31 + (line % 8 === 0 ? line * round : line)};\n`,
  ).join('');

function git(folder: string, ...args: string[]): void {
  execFileSync('git', ['-c', 'user.name=b', '-c', 'user.email=b@b', '-c', 'gc.auto=0', ...args], {
    cwd: folder,
    env: { ...GIT_ENVIRONMENT },
    stdio: ['ignore', 'ignore', 'pipe'],
    maxBuffer: 1 << 28,
  });
}

async function timed(act: () => unknown): Promise<number> {
  const start = performance.now();
  await act();
  return performance.now() - start;
}

interface Bench {
  files: number;
  /** The host's project, with git. */
  project: HostPath;
  /** What others work on: the same files in a repository of their own. */
  peer: string;
  ledger: LedgerWriter;
  initial: Entry;
  sandbox: Sandbox;
  recorder: EntryRecorder;
  state: HostPath;
  scratch: string;
}

function makeTree(root: string, count: number): Map<RelPath, BaseFile> {
  const files = new Map<RelPath, BaseFile>();
  for (let at = 0; at < count; at++) {
    const path = join(root, pathOf(at));
    if (at % FILES_PER_FOLDER === 0) mkdirSync(join(path, '..'), { recursive: true });
    const bytes = Buffer.from(textOf(at, 0));
    writeFileSync(path, bytes);
    files.set(pathOf(at) as RelPath, {
      mode: '100644',
      oid: hashObject('sha1', 'blob', bytes),
      size: bytes.length,
    });
  }
  return files;
}

/** The tree is there as the overlay's base already. */
function sourceOf(files: Map<RelPath, BaseFile>): ProjectSource {
  const manifest = { files, isIgnored: () => false };
  return {
    writeImage: async () => manifest,
    async *entries() {
      // An overlay is never unpacked into.
    },
    manifest: async () => manifest,
  };
}

async function withBench(count: number, use: (bench: Bench) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(values.folder, 'sc-bench-'));
  const runDir = join(folder, 'run') as HostPath;
  const [project, peer, state, scratch] = ['project', 'peer', 'state', 'scratch'].map((name) =>
    join(folder, name),
  ) as [HostPath, string, HostPath, string];
  try {
    for (const path of [runDir, project, peer, state, scratch]) mkdirSync(path, { mode: 0o700 });
    mkdirSync(join(runDir, 'lower'));
    const files = makeTree(join(runDir, 'lower'), count);
    makeTree(project, count);
    makeTree(peer, count);
    for (const each of [project, peer]) {
      git(each, 'init', '-q');
      git(each, 'add', '-A');
      git(each, 'commit', '-qm', 'base');
    }
    git(project, 'gc', '-q');
    await using ledger = await createLedger({
      dir: join(folder, 'ledger') as HostPath,
      objectFormat: 'sha1',
      session: 'bench',
    });
    const oids = new Set([...files.values()].map(({ oid }) => oid));
    await ledger.borrowObjects({ objectsDir: join(project, '.git/objects') as HostPath, oids });
    const facts = { at: new Date(), turn: 0, skipped: [], ignored: 0, gitChanged: false };
    const initial = await ledger.commitInitial({
      ...facts,
      title: 'Initial snapshot - Safe Coder VM',
      files,
    });
    const sandbox = await openSandbox({
      backend: createOverlayBackend(),
      spec: plainSpec(runDir, 'bench'),
      source: sourceOf(files),
      signal: new AbortController().signal,
      emit: () => undefined,
    });
    try {
      const recorder = new EntryRecorder(sandbox, ledger, () => new Date());
      await use({ files: count, project, peer, ledger, initial, sandbox, recorder, state, scratch });
    } finally {
      await sandbox.end();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Which files a round changes: spread over the whole tree, others in each round. */
function chosen({ files }: Bench, changed: number, round: number): number[] {
  const step = Math.max(1, Math.floor(files / changed));
  return Array.from({ length: changed }, (_, at) => (at * step + round) % files);
}

/** Writes the round's files below a folder. */
function writeRound(folder: string, at: readonly number[], round: number): void {
  for (const file of at) {
    mkdirSync(join(folder, pathOf(file), '..'), { recursive: true });
    writeFileSync(join(folder, pathOf(file)), textOf(file, round));
  }
}

type Act = 'capture and entry' | 'open review' | 'apply' | 'undo' | 'rollback';
type Times = Record<Act, number>;

async function ours(bench: Bench, bundle: string): Promise<Times> {
  const { ledger, recorder, sandbox, initial, project, state } = bench;
  // Not `cp -a`: a working agent leaves new times.
  const child = await sandbox.exec({ argv: ['cp', '-r', `${bundle}/.`, '.'], onOutput: () => undefined });
  if ((await child.ended).exitCode !== 0) throw new Error('the change could not be made');
  const facts = { title: 'Agent executed: bash', kind: 'tool' as const, turn: 1 };
  const capture = await timed(() => recorder.record(facts, { sweep: false }));
  const { tree } = await ledger.head();
  let items: ReviewItem[] = [];
  const review = await timed(async () => {
    items = await listChanges(ledger, initial.tree, tree);
  });
  const readBlob = (oid: string) => ledger.readBlob(oid);
  const options = { root: project, stateDir: state, session: 'bench' };
  const apply = await timed(async () => {
    const plan = await planFromDecisions(items, decideAll(items, 'all'), readBlob);
    await applyPlan({ ...options, plan, readBlob: planSource(plan, readBlob), objectFormat: 'sha1' });
  });
  const takeBack = await timed(() => undo(options));
  const back = { title: 'Rollback', kind: 'rollback' as const, turn: 1 };
  const rollback = await timed(() => restoreTree({ sandbox, recorder, ledger }, initial.tree, back));
  return { 'capture and entry': capture, 'open review': review, apply, undo: takeBack, rollback };
}

async function theirs(
  { peer, scratch }: Bench,
  at: readonly number[],
  round: number,
  bundle: string,
): Promise<Times> {
  writeRound(peer, at, round);
  const review = await timed(() => git(peer, 'diff', 'HEAD'));
  const rollback = await timed(() => git(peer, 'stash'));
  git(peer, 'stash', 'pop', '-q');
  const capture = await timed(() => {
    git(peer, 'add', '-A');
    git(peer, 'commit', '-qm', 'step');
  });
  const copy = () => {
    const target = mkdtempSync(join(scratch, 'copy-'));
    execFileSync('cp', ['-a', `${bundle}/.`, target]);
    execFileSync('sync', ['-f', target]);
  };
  return {
    'capture and entry': capture,
    'open review': review,
    apply: await timed(copy),
    undo: await timed(copy),
    rollback,
  };
}

const BASELINES: Record<Act, string> = {
  'capture and entry': 'git add -A && git commit',
  'open review': 'git diff HEAD',
  apply: 'cp -a and sync of these files',
  undo: 'cp -a and sync of these files',
  rollback: 'git stash',
};

async function measure(bench: Bench, changed: number): Promise<void> {
  const found: { mine: Times; others: Times }[] = [];
  for (let round = 1; round <= rounds; round++) {
    const at = chosen(bench, changed, round);
    const bundle = mkdtempSync(join(bench.scratch, 'bundle-'));
    writeRound(bundle, at, round);
    const others = await theirs(bench, at, round, bundle);
    found.push({ mine: await ours(bench, bundle), others });
  }
  for (const [name, baseline] of Object.entries(BASELINES) as [Act, string][]) {
    printFigure(
      `${name}, ${changed.toLocaleString('en-US')} of ${bench.files.toLocaleString('en-US')} files`,
      median(found.map(({ mine }) => mine[name])),
      baseline,
      median(found.map(({ others }) => others[name])),
      { better: 'lower' },
    );
  }
}

const sizes =
  values.files === undefined ? [2000, 20_000, ...(values.large ? [200_000] : [])] : [Number(values.files)];
for (const count of sizes) {
  await withBench(count, async (bench) => {
    for (const changed of [1, 1000]) await measure(bench, changed);
  });
}
