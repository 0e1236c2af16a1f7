/**
 * Brings the workspace of a running sandbox to the tree of an entry, and proves that it did: everything is read again
 * afterwards, and what was found is the entry. So it can be undone like anything else, by going back to the entry before.
 */
import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { restoreFiles } from '../sandbox/restore.ts';
import type { RestoreFile, RestorePlan } from '../sandbox/restore-plan.ts';
import type { Capture, Sandbox } from '../sandbox/sandbox.ts';
import type { EntryFacts, EntryRecorder, Recorded } from './entry-recorder.ts';

export interface RestoreParts {
  sandbox: Sandbox;
  recorder: EntryRecorder;
  ledger: LedgerReader;
}

/** Skipped files of these kinds keep their state in the ledger, while the workspace holds other bytes. */
const UNCAPTURED = new Set(['too-large', 'unreadable', 'too-deep', 'unstable', 'budget', 'mount']);

/**
 * Records what no entry has yet, restores `tree` and appends the entry that `facts` describe. Executions stand still
 * meanwhile. Throws `session/in-the-way` when something that is in no entry would be lost (then nothing was changed),
 * `session/not-restored` with the paths when the workspace is not that tree afterwards, `guest/*`, `ledger/*`. Whatever
 * goes wrong later than that, the entry that is appended says what the workspace holds.
 */
export function restoreTree(parts: RestoreParts, tree: string, facts: EntryFacts): Promise<Recorded> {
  const { sandbox, recorder, ledger } = parts;
  return recorder.alone((own) =>
    sandbox.whileFrozen(async () => {
      await own.sweep({ title: 'Sweep before a rollback', kind: 'sweep', turn: facts.turn });
      const plan = await planRestore(ledger, (await ledger.head()).tree, tree);
      refuseUncaptured(plan, recorder.leftOut.skipped);
      const failure = await restoreFiles(sandbox, plan, (oid) => ledger.readBlob(oid)).catch(
        (error: unknown) => error,
      );
      // Nothing was touched, or nobody can say what the guest holds.
      if (failure !== undefined && !isSafeCoderError(failure, 'guest/failed')) throw failure;
      const capture = await own.capture(plan.write.map(({ path }) => path));
      const different = findDifferences(plan, capture);
      const recorded = await own.append({ ...facts, ok: different.length === 0 }, capture);
      if (failure !== undefined || different.length > 0 || recorded.entry.tree !== tree) {
        throw notRestored(recorded, different, failure);
      }
      return recorded;
    }),
  );
}

/** What has to be done to a workspace that holds the tree `from`. */
async function planRestore(ledger: LedgerReader, from: string, to: string): Promise<RestorePlan> {
  const { changes } = await ledger.changes(from, to, { renames: false });
  return planChanges(changes);
}

export function planChanges(
  changes: readonly { path: RelPath; before?: FileState | undefined; after?: FileState | undefined }[],
): RestorePlan {
  const remove: RelPath[] = [];
  const write: RestoreFile[] = [];
  for (const { path, before, after } of changes) {
    if (after === undefined) remove.push(path);
    else write.push({ path, mode: after.mode, oid: after.oid, isNew: before === undefined });
  }
  return { remove, write };
}

/** Files that are to be replaced or removed, and whose bytes no entry holds. Throws `session/in-the-way`. */
function refuseUncaptured(plan: RestorePlan, skipped: Capture['skipped']): void {
  const uncaptured = new Map(
    skipped.filter(({ reason }) => UNCAPTURED.has(reason)).map((one) => [one.path, one.reason]),
  );
  const paths = [...plan.remove, ...plan.write.map(({ path }) => path)].filter((path) =>
    uncaptured.has(path),
  );
  if (paths.length === 0) return;
  const named = paths.slice(0, 5).map((path) => `${showPath(path)} (${uncaptured.get(path)})`);
  throw new SafeCoderError(
    'session/in-the-way',
    `Nothing was changed, because what is in no entry would be lost: ${named.join(', ')}${paths.length > 5 ? ` and ${paths.length - 5} more` : ''}.`,
    { hint: 'Move or remove it in the sandbox, then try again.', details: { paths: paths.slice(0, 1000) } },
  );
}

/** Paths where a capture is not what the plan was to bring about. */
export function findDifferences(plan: RestorePlan, capture: Capture): string[] {
  const wanted = new Map<string, string>(plan.write.map(({ path, mode, oid }) => [path, `${mode} ${oid}`]));
  for (const path of plan.remove) wanted.set(path, 'gone');
  const different: string[] = [];
  const check = (path: string, state: string) => {
    if (wanted.get(path) !== state) different.push(path);
    wanted.delete(path);
  };
  for (const { path, mode, oid } of capture.written) check(path, `${mode} ${oid}`);
  for (const path of capture.removed) check(path, 'gone');
  return [...different, ...wanted.keys()].sort();
}

function notRestored(recorded: Recorded, different: readonly string[], cause: unknown): SafeCoderError {
  const { seq } = recorded.entry.trailers;
  const named = different.slice(0, 5).map(showPath).join(', ');
  const more = different.length > 5 ? ` and ${different.length - 5} more` : '';
  const why = cause instanceof Error ? ` ${cause.message}` : '';
  return new SafeCoderError(
    'session/not-restored',
    `The workspace is not as it was: ${different.length === 0 ? 'its tree differs' : `${named}${more} could not be brought back`}.${why}`,
    {
      cause,
      hint: `Entry #${seq} says what it holds now. Nothing is lost: every state before is still in the ledger.`,
      details: { paths: different.slice(0, 1000), entry: recorded.entry.id },
    },
  );
}
