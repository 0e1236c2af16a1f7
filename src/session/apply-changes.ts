/** From a selection to files in the project: plan, apply, and the ledger's knowledge of it. */
import { type ApplyResult, applyPlan } from '../apply/apply.ts';
import type { RootId } from '../apply/host-root.ts';
import { type Recovery, recover } from '../apply/recover.ts';
import type { Emit } from '../base/events.ts';
import { type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { planSource } from '../review/apply-plan.ts';
import type { Decision } from '../review/decision.ts';
import { planFromDecisions } from '../review/plan.ts';
import type { ReviewItem } from '../review/review-item.ts';

export interface Applied {
  applied: RelPath[];
  conflicts: { path: RelPath; reason: string }[];
}

export interface ApplyRequest {
  project: HostPath;
  /** Which directory the project was when the session began. */
  rootId: RootId | undefined;
  session: string;
  reader: LedgerReader;
  items: readonly ReviewItem[];
  decisions: readonly Decision[];
  state: HostPath;
  emit: Emit;
  signal: AbortSignal;
}

/** Writes what was accepted. Throws `apply/*`, `environment/disk-full`, `cancelled`; then the project is as it was. */
export async function applyChanges(request: ApplyRequest): Promise<ApplyResult> {
  const { reader, emit } = request;
  const readBlob = (oid: string) => reader.readBlob(oid);
  const plan = await planFromDecisions(request.items, request.decisions, readBlob);
  const result = await applyPlan({
    root: request.project,
    ...(request.rootId === undefined ? {} : { rootId: request.rootId }),
    stateDir: request.state,
    session: request.session,
    plan,
    readBlob: planSource(plan, readBlob),
    objectFormat: reader.objectFormat,
    signal: request.signal,
    onProgress: ({ phase, done, total }) =>
      emit({ type: 'progress', phase: PHASES[phase], done, total, unit: 'files' }),
  });
  for (const message of result.warnings) emit({ type: 'warning', code: 'apply/note', message });
  for (const { path, reason } of result.refused) {
    emit({
      type: 'warning',
      code: 'apply/refused',
      message: `${showPath(path)} was not written: ${reason}.`,
    });
  }
  return result;
}

const PHASES = { keep: 'Keeping what is there', stage: 'Preparing files', publish: 'Applying' } as const;

/** Settles what an earlier process left half done, and tells about it. Called before anything else is done to a project. */
export async function settleInterrupted(state: HostPath, emit: Emit): Promise<Recovery[]> {
  const settled = await recover({ stateDir: state });
  for (const { root, kind, outcome, conflicts } of settled) {
    if (outcome === 'busy') continue;
    const told = {
      finished: 'was finished',
      undone: 'was taken back',
      unreachable: 'waits: the project is not where it was',
    }[outcome];
    emit({
      type: 'warning',
      code: 'apply/recovered',
      message: `An interrupted ${kind} in ${showPath(root)} ${told}.`,
    });
    for (const { path, reason } of conflicts) {
      emit({
        type: 'warning',
        code: 'apply/recovered',
        message: `${showPath(path)} was left alone: ${reason}.`,
      });
    }
  }
  return settled;
}
