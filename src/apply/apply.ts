/** Writes accepted changes to the project: what was reviewed and nothing else, all of it or nothing. */
import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { SafeCoderError } from '../base/errors.ts';
import { type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { FileMode } from '../diff/change-set.ts';
import type { ApplyPlan, PlanItem, PlannedState } from '../review/apply-plan.ts';
import { HostChangedError } from './host-changed.ts';
import { HostRoot, type RootId } from './host-root.ts';
import type { ObjectFormat } from './host-state.ts';
import type { Choice, Expectation, Intent, Target } from './intent.ts';
import type { Identity } from './judge.ts';
import { type Preflight, type PreflightOptions, preflightIntents } from './preflight.ts';
import { type ApplyPreview, pickReports, type Reports, toPreview } from './preview.ts';
import { problemsError } from './problems.ts';
import { recoverRoot } from './recover.ts';
import { type RunContext, type RunInit, type RunOptions, run, stepCounter, toApplyError } from './run.ts';
import { StateStore } from './state-store.ts';

/** Where and for whom. */
export interface ProjectOptions extends RunOptions {
  root: HostPath;
  /** The root's identity when the session began; see `identifyRoot`. Anything else there now is refused. */
  rootId?: RootId;
  /** Safe Coder's private state folder; not inside the project, nor the project in it. */
  stateDir: HostPath;
  session: string;
  /** `skip` (default) leaves paths that conflict alone and does the rest; `stop` does nothing then. */
  onConflict?: 'skip' | 'stop';
  /** What to do about conflicts whose item says nothing; without it such a path is left alone. */
  choice?: Choice;
  /** What a preview showed ({@link ApplyPreview.shown}): where the host holds something else by now is a conflict again. */
  shown?: ReadonlyMap<RelPath, string>;
}

export interface ApplyOptions extends ProjectOptions {
  plan: ApplyPlan;
  /** A blob of the ledger by its id. */
  readBlob: (oid: string) => Promise<Buffer>;
  objectFormat: ObjectFormat;
}

export interface ApplyResult extends Reports {
  applied: RelPath[];
  /** Id of the record that undo goes by; undefined when nothing was written. */
  record: string | undefined;
  /** Of an undo or a redo: the record that it takes back. */
  reversed?: string;
}

/**
 * Applies a plan. Host files that no longer hold the base are left alone and reported. Throws `apply/busy`, `apply/refused`
 * (the root), `apply/host-changed` (`onConflict: 'stop'`), `ledger/damaged`, `environment/disk-full`, `cancelled`,
 * `apply/failed`; the project is then as it was.
 */
export async function applyPlan(options: ApplyOptions): Promise<ApplyResult> {
  return transact(options, { kind: 'apply', session: options.session }, () => ({
    intents: toIntents(options),
    preflight: { format: options.objectFormat, isRestoring: false },
  }));
}

/** What {@link applyPlan} would do now. */
export async function previewPlan(options: ApplyOptions): Promise<ApplyPreview> {
  using root = openRoot(options);
  const found = await preflightIntents(root, toIntents(options), {
    format: options.objectFormat,
    isRestoring: false,
    ...facts(options),
  });
  return toPreview(found);
}

export interface Transaction {
  intents: Intent[];
  preflight: Omit<PreflightOptions, 'identity' | 'choice' | 'shown' | 'stateDir'>;
  reverses?: string;
}

/** The one way to change the project: lock, finish what was interrupted, look, do. `prepare` runs under the lock. */
export async function transact(
  options: ProjectOptions,
  init: RunInit,
  prepare: (store: StateStore) => Transaction,
): Promise<ApplyResult> {
  try {
    using root = openRoot(options);
    const store = new StateStore(options.stateDir);
    using _lock = store.lock(root.id);
    const context: RunContext = { ...options, root, store, before: stepCounter(options.beforeStep) };
    const recovered = recoverRoot(context);
    const result = await attempts(context, init, prepare(store), options);
    result.warnings.push(...recovered);
    return result;
  } catch (error) {
    throw toApplyError(error);
  }
}

/** A host that changes under our hands is looked at anew; three times, then the whole is given up. */
async function attempts(
  context: RunContext,
  init: RunInit,
  transaction: Transaction,
  options: ProjectOptions,
): Promise<ApplyResult> {
  const { intents, preflight, reverses } = transaction;
  for (let attempt = 1; ; attempt++) {
    try {
      const found = await preflightIntents(context.root, intents, { ...preflight, ...facts(options) });
      if (options.onConflict === 'stop') refuseConflicts(found);
      const applied = found.ready.map(({ path }) => path);
      const result: ApplyResult = {
        ...pickReports(found),
        applied,
        record: undefined,
        ...(reverses !== undefined && { reversed: reverses }),
      };
      if (found.ready.length === 0) return result;
      const [problem, ...more] = found.problems;
      if (problem) throw problemsError([problem, ...more]);
      const { id, notes } = await run(context, reverses === undefined ? init : { ...init, reverses }, found);
      result.record = id;
      result.warnings.push(...notes);
      return result;
    } catch (error) {
      if (!(error instanceof HostChangedError)) throw error;
      if (attempt === 3) {
        throw new SafeCoderError(
          'apply/host-changed',
          `${showPath(error.path)} keeps changing on the host.`,
          {
            cause: error,
            hint: 'Nothing was changed. Stop what writes there, then apply again.',
          },
        );
      }
    }
  }
}

function refuseConflicts(found: Preflight): void {
  const [first] = found.conflicts;
  if (first === undefined) return;
  const more = found.conflicts.length > 1 ? ` and ${found.conflicts.length - 1} more` : '';
  throw new SafeCoderError(
    'apply/host-changed',
    `${showPath(first.path)}${more} changed on the host: ${first.reason}.`,
    {
      hint: 'Nothing was changed.',
      details: { conflicts: found.conflicts },
    },
  );
}

/** Opens the project's root and refuses one that overlaps Safe Coder's own state. */
export function openRoot({
  root,
  rootId,
  stateDir,
}: Pick<ProjectOptions, 'root' | 'rootId' | 'stateDir'>): HostRoot {
  const opened = HostRoot.open(root, rootId);
  try {
    const state = realpathSync(new StateStore(stateDir).root);
    if (`${state}/`.startsWith(`${opened.path}/`) || `${opened.path}/`.startsWith(`${state}/`)) {
      throw new SafeCoderError('apply/refused', `${showPath(opened.path)} holds Safe Coder's own state.`, {
        hint: 'Set SAFE_CODER_HOME to a folder outside of the project.',
      });
    }
    return opened;
  } catch (error) {
    opened[Symbol.dispose]();
    throw error;
  }
}

/** Who and what the person chose, for a preflight. */
export function facts(
  options: Pick<ProjectOptions, 'choice' | 'shown' | 'stateDir'>,
): Pick<PreflightOptions, 'identity' | 'choice' | 'shown' | 'stateDir'> {
  const { choice, shown, stateDir } = options;
  return { identity: identity(), stateDir, ...(choice && { choice }), ...(shown && { shown }) };
}

function identity(): Identity {
  const uid = process.geteuid?.() ?? 0;
  return { uid, groups: [process.getegid?.() ?? 0, ...(process.getgroups?.() ?? [])] };
}

function toIntents(options: ApplyOptions): Intent[] {
  return options.plan.items.map((item): Intent => {
    const { path, after, group, onConflict, resolution } = item;
    return {
      path,
      expected: toExpectation(item, options),
      target: after && toTarget(after, options),
      ...(group !== undefined && { group }),
      ...(onConflict && { choice: onConflict }),
      ...(resolution && { resolution: toTarget(resolution, options) }),
    };
  });
}

function toExpectation({ before }: PlanItem, { readBlob }: ApplyOptions): Expectation | undefined {
  if (before === undefined) return undefined;
  return { ...kindOfMode(before.mode), oid: before.oid, load: () => readBlob(before.oid) };
}

function toTarget(state: PlannedState, { plan, readBlob }: ApplyOptions): Target {
  const isComposed = plan.contents?.has(state.oid) ?? false;
  return {
    ...kindOfMode(state.mode),
    sha256: state.sha256,
    load: () => loadChecked(readBlob, state),
    ...(isComposed ? { isComposed } : { oid: state.oid }),
  };
}

function kindOfMode(mode: FileMode): Pick<Expectation, 'kind' | 'executable'> {
  return mode === '120000'
    ? { kind: 'symlink', executable: false }
    : { kind: 'file', executable: mode === '100755' };
}

/** The bytes that were reviewed: SHA-256 binds them, which the ledger's own ids may be too weak for. */
async function loadChecked(
  readBlob: ApplyOptions['readBlob'],
  { oid, sha256 }: PlannedState,
): Promise<Buffer> {
  const bytes = await readBlob(oid);
  if (createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  throw new SafeCoderError(
    'ledger/damaged',
    `The ledger's blob ${oid.slice(0, 12)} is not what was reviewed.`,
    {
      hint: 'Nothing was changed. Check the ledger with "safe-coder log --verify".',
    },
  );
}
