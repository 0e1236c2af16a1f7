/** Takes back what was applied, and takes back the taking back. */
import { createHash } from 'node:crypto';
import { SafeCoderError } from '../base/errors.ts';
import type { RelPath } from '../base/path-bytes.ts';
import {
  type ApplyResult,
  facts,
  openRoot,
  type ProjectOptions,
  type Transaction,
  transact,
} from './apply.ts';
import type { Intent } from './intent.ts';
import type { ApplyRecord, Side, Step } from './journal.ts';
import { readKept } from './kept-content.ts';
import { preflightIntents } from './preflight.ts';
import { type ApplyPreview, toPreview } from './preview.ts';
import { StateStore } from './state-store.ts';

export interface UndoOptions extends ProjectOptions {
  /** A blob of the session's ledger by its id, undefined when it can't be had: what was applied, to tell edits from it. */
  readBlob?: (oid: string) => Promise<Buffer | undefined>;
}

/**
 * Restores what was there before the newest applied plan of the session: bytes, permissions and times. Where the file was
 * edited since and the edits touch nothing that was applied, they stay and the rest is taken back; else the path is left alone
 * and reported: undo again once it is as it was applied. Throws
 * `apply/nothing-to-undo` and whatever apply throws.
 */
export function undo(options: UndoOptions): Promise<ApplyResult> {
  return transact(options, { kind: 'undo', session: options.session }, (store) =>
    reverse(store, options, pickUndo),
  );
}

/** Does again what the newest undo took back, under the same rules. */
export function redo(options: UndoOptions): Promise<ApplyResult> {
  return transact(options, { kind: 'redo', session: options.session }, (store) =>
    reverse(store, options, pickRedo),
  );
}

/** What {@link undo} (or {@link redo}) would do now; nothing is changed. */
export async function previewUndo(
  options: UndoOptions,
  which: 'undo' | 'redo' = 'undo',
): Promise<ApplyPreview> {
  using root = openRoot(options);
  const store = new StateStore(options.stateDir);
  const { intents, preflight } = reverse(store, options, which === 'undo' ? pickUndo : pickRedo);
  return toPreview(await preflightIntents(root, intents, { ...preflight, ...facts(options) }));
}

/** A record and those of its steps that nobody has reversed yet. */
interface Standing {
  record: ApplyRecord;
  steps: Step[];
}

function standing(records: readonly ApplyRecord[]): Standing[] {
  return records
    .map((record) => {
      const reversers = records.filter(({ reverses }) => reverses === record.id);
      const gone = new Set(reversers.flatMap(({ steps }) => steps.map(({ path }) => path)));
      return { record, steps: record.steps.filter(({ path }) => !gone.has(path)) };
    })
    .filter(({ steps }) => steps.length > 0);
}

function pickUndo(records: readonly ApplyRecord[]): Standing {
  const newest = standing(records).findLast(({ record }) => record.kind !== 'undo');
  if (newest) return newest;
  throw new SafeCoderError('apply/nothing-to-undo', 'Nothing of this session is applied.', {
    hint: 'It was undone already, or never applied.',
  });
}

function pickRedo(records: readonly ApplyRecord[]): Standing {
  const newest = standing(records).at(-1);
  if (newest?.record.kind === 'undo') return newest;
  throw new SafeCoderError('apply/nothing-to-undo', 'There is no undo to take back.', {
    hint: 'Use "safe-coder apply" to apply changes again.',
  });
}

function reverse(
  store: StateStore,
  options: UndoOptions,
  pick: (records: readonly ApplyRecord[]) => Standing,
): Transaction {
  const records = store.records(options.session);
  const { record, steps } = pick(records);
  const removable = new Set<RelPath>(record.createdFolders.map(({ path }) => path));
  const folderModes = new Map(record.removedFolders.map((folder) => [folder.path, folder]));
  const source: Source = {
    old: async (sha256) => readKept(store.keptFile(record), record.kept, sha256),
    current: (side) => findContent(store, records, options, side),
  };
  return {
    intents: steps.map((step) => toIntent(step, source)),
    preflight: { format: 'sha1', isRestoring: true, removable, folderModes },
    reverses: record.id,
  };
}

interface Source {
  old(sha256: string): Promise<Buffer>;
  current(side: Side): Promise<Buffer | undefined>;
}

function toIntent({ path, old, new: current, group }: Step, source: Source): Intent {
  return {
    path,
    expected: current && { ...current, load: () => source.current(current) },
    target: old && { ...old, load: () => source.old(old.sha256) },
    ...(group !== undefined && { group }),
  };
}

/** The bytes that a record put in place: kept by it or by another of the session, or in the ledger; undefined when gone. */
async function findContent(
  store: StateStore,
  records: readonly ApplyRecord[],
  { readBlob }: UndoOptions,
  { sha256, oid }: Side,
): Promise<Buffer | undefined> {
  const keeper = records.find(({ kept }) => kept.some((range) => range.sha256 === sha256));
  if (keeper) return readKept(store.keptFile(keeper), keeper.kept, sha256);
  if (oid === undefined || readBlob === undefined) return undefined;
  const bytes = await readBlob(oid);
  return bytes && createHash('sha256').update(bytes).digest('hex') === sha256 ? bytes : undefined;
}
