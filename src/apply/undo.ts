/** Takes back what was applied, and takes back the taking back. */
import { SafeCoderError } from '../base/errors.ts';
import type { RelPath } from '../base/path-bytes.ts';
import {
  type ApplyPreview,
  type ApplyResult,
  identity,
  openRoot,
  type ProjectOptions,
  type Transaction,
  toPreview,
  transact,
} from './apply.ts';
import type { Intent } from './intent.ts';
import type { ApplyRecord, Step } from './journal.ts';
import { readKept } from './kept-content.ts';
import { preflightIntents } from './preflight.ts';
import { StateStore } from './state-store.ts';

/**
 * Restores what was there before the newest applied plan of the session: bytes, permissions and times. Paths that the host
 * changed since are left alone and reported; undo again once they are as they were applied. Throws
 * `apply/nothing-to-undo` and whatever apply throws.
 */
export function undo(options: ProjectOptions): Promise<ApplyResult> {
  return transact(options, { kind: 'undo', session: options.session }, (store) =>
    reverse(store, pickUndo(store.records(options.session))),
  );
}

/** Does again what the newest undo took back, under the same rules. */
export function redo(options: ProjectOptions): Promise<ApplyResult> {
  return transact(options, { kind: 'redo', session: options.session }, (store) =>
    reverse(store, pickRedo(store.records(options.session))),
  );
}

/** What {@link undo} would do now; nothing is changed. */
export async function previewUndo(options: ProjectOptions): Promise<ApplyPreview> {
  using root = openRoot(options);
  const store = new StateStore(options.stateDir);
  const { intents, preflight } = reverse(store, pickUndo(store.records(options.session)));
  return toPreview(await preflightIntents(root, intents, { ...preflight, identity: identity() }));
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

function reverse(store: StateStore, { record, steps }: Standing): Transaction {
  const load = async (sha256: string) => readKept(store.keptFile(record), record.kept, sha256);
  const removable = new Set<RelPath>(record.createdFolders.map(({ path }) => path));
  const folderModes = new Map(record.removedFolders.map((folder) => [folder.path, folder]));
  return {
    intents: steps.map((step) => toIntent(step, load)),
    preflight: { format: 'sha1', isRestoring: true, removable, folderModes },
    reverses: record.id,
  };
}

function toIntent({ path, old, new: expected }: Step, load: (sha256: string) => Promise<Buffer>): Intent {
  const target = old === undefined ? undefined : { ...old, load: () => load(old.sha256) };
  return { path, expected, target };
}
