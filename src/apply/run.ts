/**
 * One apply or undo from preflight to record, in the order that makes a kill at any moment harmless: keep what is there,
 * write the journal, stage what comes, put it in place, mark the journal committed, clean up.
 */
import { randomBytes } from 'node:crypto';
import { closeSync, constants, fsyncSync, openSync } from 'node:fs';
import { errnoOf, isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import { SYNC_EACH_LIMIT, settleFolder, settleNames } from './durability.ts';
import { foldersAbove } from './folders.ts';
import { HostChangedError } from './host-changed.ts';
import { BlockedError, type HostRoot } from './host-root.ts';
import type { ReadyStep, Refusal } from './intent.ts';
import type { ApplyRecord, Journal, Step } from './journal.ts';
import { ContentKeeper, readKept } from './kept-content.ts';
import { type Progress, paced, pacer } from './pace.ts';
import type { Preflight } from './preflight.ts';
import { emptyStage, type Owner, removeStage, Stage } from './stage.ts';
import type { StateStore } from './state-store.ts';
import { ownerFor, publish, revert, type Work } from './transaction.ts';

export interface RunOptions {
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
  /** For tests: called before each thing that changes the disk, with a running number and a name. */
  beforeStep?: (n: number, name: string) => void;
}

export interface RunContext extends RunOptions {
  root: HostRoot;
  store: StateStore;
  /** Counts the steps of {@link RunOptions.beforeStep} over everything one call does. */
  before: (name: string) => void;
}

/** What is recorded of the run besides its steps. */
export type RunInit = Pick<ApplyRecord, 'kind' | 'session'> & { reverses?: string };

/** Makes the counting `before` of a context. */
export function stepCounter(beforeStep: RunOptions['beforeStep']): (name: string) => void {
  let n = 0;
  return (name) => beforeStep?.(n++, name);
}

/**
 * Does what preflight found ready, all of it or nothing. Throws {@link HostChangedError} when the host changed since, after
 * everything was put back. Any other error also leaves the project as it was; if even that fails, the journal stays and
 * the next start finishes the way back. Returns the record's id and notes about what is left to do or was kept.
 */
export async function run(
  context: RunContext,
  init: RunInit,
  preflight: Preflight,
): Promise<{ id: string; notes: string[] }> {
  const { root, store, before } = context;
  const syncEach = preflight.ready.length <= SYNC_EACH_LIMIT;
  const record = makeRecord(root, init, preflight);
  try {
    record.kept = await keepOld(context, record, preflight.ready);
  } catch (error) {
    store.dropKept(record);
    throw error;
  }
  const journal: Journal = { state: 'working', stage: Stage.newName(), record };
  before('journal');
  store.writeJournal(journal);
  try {
    before('stage');
    using stage = Stage.create(root, journal.stage);
    await stageNew(context, preflight.ready, stage, syncEach);
    const work: Work = { ...record, root, stage, before };
    await paced(context, 'publish', preflight.ready.length, publish(work));
    before('settle');
    await settleNames(root, touchedFolders(record), { syncEach });
    before('commit');
    store.writeJournal({ ...journal, state: 'committed' });
  } catch (error) {
    goBack(context, journal, error);
    throw error;
  }
  // From here on it is done. What can't be tidied now is tidied at the next start, which finds the journal.
  try {
    await emptyStage(root, journal.stage);
    const kept = finish(context, { ...journal, state: 'committed' });
    return {
      id: record.id,
      notes: kept.map((name) => `Something unexpected was kept as ${showPath(name)}.`),
    };
  } catch (error) {
    const why = errnoOf(error);
    if (why === undefined && !isSafeCoderError(error)) throw error;
    const message = `Everything was written, but the record of it could not be (${why ?? String(error)}): the next start makes up for it.`;
    return { id: record.id, notes: [message] };
  }
}

/** Everything after the point of no return: the record, then the traces. */
export function finish({ root, store, before }: RunContext, journal: Journal): string[] {
  before('record');
  store.addRecord(journal.record);
  before('clean');
  const kept = removeStage(root, journal.stage);
  before('forget');
  store.removeJournal(journal.record.root);
  return kept;
}

/** Puts back what a run in this process did before it failed with `cause`. */
function goBack(context: RunContext, journal: Journal, cause: unknown): void {
  try {
    undoJournal(context, journal);
  } catch (error) {
    throw new SafeCoderError('apply/failed', 'Applying failed, and so did putting everything back.', {
      cause: error,
      hint: 'Nothing is lost: the next start of Safe Coder in this project goes on putting it back.',
      details: { first: String(cause) },
    });
  }
}

/** Takes back a journal's work, by the state of each path. Can be interrupted and repeated. */
export function undoJournal(
  { root, store, before }: RunContext,
  journal: Journal,
): { conflicts: Refusal[]; kept: string[] } {
  const { record } = journal;
  const readOld = (sha256: string) => readKept(store.keptFile(record), record.kept, sha256);
  const conflicts = withStage(root, journal.stage, (stage) =>
    revert({ ...journal.record, root, stage, before }, readOld),
  );
  for (const folder of touchedFolders(journal.record)) syncQuietly(root, folder);
  before('clean');
  const kept = removeStage(root, journal.stage);
  before('forget');
  store.removeJournal(record.root);
  // With conflicts the old contents may be the only ones left of those paths.
  if (conflicts.length === 0) store.dropKept(record);
  return { conflicts, kept };
}

function withStage<T>(root: HostRoot, name: string, use: (stage: Stage) => T): T {
  using stage = Stage.openExisting(root, name) ?? Stage.create(root, name);
  return use(stage);
}

function syncQuietly(root: HostRoot, folder: RelPath | ''): void {
  try {
    root.inside(folder, (directory) => fsyncSync(directory.fd));
  } catch {
    // The folder is gone or can't be synced; going back is judged by state, and is repeated if the names were lost.
  }
}

async function keepOld(
  context: RunContext,
  record: ApplyRecord,
  steps: readonly ReadyStep[],
): Promise<ApplyRecord['kept']> {
  const { root, store, before } = context;
  before('keep');
  using keeper = new ContentKeeper(store.keptFile(record));
  const pace = pacer(context, 'keep', steps.length);
  for (const { path, old, intent } of steps) {
    await pace();
    if (intent.target?.isComposed) keeper.keepBytes(intent.target.sha256, await intent.target.load());
    if (old === undefined) continue;
    before(`keep ${path}`);
    keeper.keep(root, path, old);
  }
  const kept = keeper.finish();
  store.settleKept(record);
  return kept;
}

async function stageNew(
  context: RunContext,
  steps: readonly ReadyStep[],
  stage: Stage,
  syncEach: boolean,
): Promise<void> {
  const pace = pacer(context, 'stage', steps.length);
  const owners = new Map<RelPath | '', Owner | undefined>();
  for (const [at, step] of steps.entries()) {
    await pace();
    const { new: side, intent } = step;
    if (side === undefined || intent.target === undefined) continue;
    const bytes = await intent.target.load();
    context.before(`stage ${step.path}`);
    const owner =
      side.uid !== undefined && side.gid !== undefined
        ? { uid: side.uid, gid: side.gid }
        : newOwner(context.root, step.path, owners);
    stage.write(`n${at}`, side, bytes, owner, { sync: syncEach });
  }
  if (!syncEach) {
    await settleFolder(context.root.path, () => {
      for (const [at, step] of steps.entries()) {
        if (step.new?.kind === 'file') fsyncFile(stage.handle.entry(`n${at}`));
      }
    });
  }
}

/** The owner for a new file: that of the nearest folder above it that exists. Each folder is asked once. */
function newOwner(
  root: HostRoot,
  path: RelPath,
  known: Map<RelPath | '', Owner | undefined>,
): Owner | undefined {
  const above = foldersAbove(path);
  const parent = above.at(-1) ?? '';
  if (known.has(parent)) return known.get(parent);
  const nearest = above.findLast((folder) => root.directory(folder) !== undefined) ?? '';
  try {
    const owner = root.inside(nearest, ownerFor);
    known.set(parent, owner);
    return owner;
  } catch (error) {
    throw error instanceof BlockedError ? new HostChangedError(path) : error;
  }
}

function fsyncFile(path: string | Buffer): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function makeRecord(root: HostRoot, init: RunInit, preflight: Preflight): ApplyRecord {
  return {
    version: 1,
    id: randomBytes(8).toString('hex'),
    ...init,
    at: new Date().toISOString(),
    root: { path: root.path, ...root.id },
    steps: preflight.ready.map(({ intent: _, oldSize: __, ...step }): Step => step),
    kept: [],
    createdFolders: preflight.createdFolders,
    removedFolders: preflight.removedFolders,
  };
}

/** Folders in which names come or go. */
function touchedFolders(record: ApplyRecord): Set<RelPath | ''> {
  const paths = [...record.steps, ...record.createdFolders, ...record.removedFolders].map(({ path }) => path);
  return new Set(paths.map((path) => foldersAbove(path).at(-1) ?? ''));
}

/** A thrown value in words for the person who started the apply. */
export function toApplyError(error: unknown): unknown {
  if (error instanceof SafeCoderError || error instanceof HostChangedError) return error;
  const code = errnoOf(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new SafeCoderError(
      'environment/disk-full',
      'The disk is full; nothing in the project was changed.',
      {
        cause: error,
        hint: 'Free some space, then apply again.',
      },
    );
  }
  if (code === undefined) return error;
  return new SafeCoderError(
    'apply/failed',
    `Applying failed (${code}); nothing in the project was changed.`,
    {
      cause: error,
    },
  );
}
