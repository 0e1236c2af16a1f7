/** From a selection to files in the project: plan, apply, and the ledger's knowledge of it. */
import { type ApplyOptions, type ApplyResult, applyPlan, previewPlan } from '../apply/apply.ts';
import { type ConflictContents, readConflict } from '../apply/conflict-contents.ts';
import type { RootId } from '../apply/host-root.ts';
import type { ApplyPreview } from '../apply/preview.ts';
import { type Recovery, recover, type Stuck } from '../apply/recover.ts';
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
  /** Of what was applied: where both sides stand between markers, which a person has to settle. */
  marked: RelPath[];
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
  /** For conflicts whose decision says nothing. */
  choice?: ApplyOptions['choice'];
  /** What a preview showed; see {@link ApplyOptions}. */
  shown?: ApplyOptions['shown'];
}

/** What {@link applyChanges} would do now; nothing is changed. */
export async function previewChanges(request: ApplyRequest): Promise<ApplyPreview> {
  return previewPlan(await toOptions(request));
}

/** Both sides of a path that conflicts, as they are now. */
export async function readSidesOfConflict(request: ApplyRequest, path: RelPath): Promise<ConflictContents> {
  return readConflict(await toOptions(request), path);
}

/** Writes what was accepted. Throws `apply/*`, `environment/disk-full`, `cancelled`; then the project is as it was. */
export async function applyChanges(request: ApplyRequest): Promise<ApplyResult> {
  const { emit } = request;
  const result = await applyPlan(await toOptions(request));
  for (const { path } of result.merged) {
    const message = `${showPath(path)} was merged: it had changed on the host as well.`;
    emit({ type: 'warning', code: 'apply/merged', message });
  }
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

async function toOptions(request: ApplyRequest): Promise<ApplyOptions> {
  const { reader, emit, rootId, choice, shown } = request;
  const readBlob = (oid: string) => reader.readBlob(oid);
  const plan = await planFromDecisions(request.items, request.decisions, readBlob);
  return {
    root: request.project,
    ...(rootId && { rootId }),
    stateDir: request.state,
    session: request.session,
    plan,
    readBlob: planSource(plan, readBlob),
    objectFormat: reader.objectFormat,
    signal: request.signal,
    onProgress: ({ phase, done, total }) =>
      emit({ type: 'progress', phase: PHASES[phase], done, total, unit: 'files' }),
    ...(choice && { choice }),
    ...(shown && { shown }),
  };
}

const PHASES = { keep: 'Keeping what is there', stage: 'Preparing files', publish: 'Applying' } as const;

/** Settles what an earlier process left half done, and tells about it. Called before anything else is done to a project. */
export async function settleInterrupted(state: HostPath, emit: Emit): Promise<Recovery[]> {
  const found = await recover({ stateDir: state });
  const settled = found.filter((each) => each.outcome !== 'stuck');
  for (const each of found) if (each.outcome === 'stuck') tellStuck(each, emit);
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

function tellStuck({ error: { message, hint } }: Stuck, emit: Emit): void {
  emit({ type: 'warning', code: 'apply/recovered', message, ...(hint !== undefined && { hint }) });
}
