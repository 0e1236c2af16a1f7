/** Before something is written: a look ahead, and what a person says about each conflict. The same for every command. */
import type { ApplyPreview } from '../apply/preview.ts';
import type { RelPath } from '../base/path-bytes.ts';
import type { Decision } from '../review/decision.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { decideAll } from '../review/select.ts';
import { type ApplyRequest, previewChanges, readSidesOfConflict } from '../session/apply-changes.ts';
import { formatPlan } from './apply-plan.ts';
import type { Context } from './context.ts';
import { settleConflicts } from './settle-conflicts.ts';

export interface LookAhead {
  /** With what was chosen about conflicts, and bound to what was shown. */
  request: ApplyRequest;
  plan: ApplyPreview;
}

/**
 * Asks about the conflicts of a plan that was shown, and shows the plan that comes of it. Nobody else may read the terminal
 * meanwhile. Without a conflict that something can be done about it is the plan as it was.
 */
export async function settleRequest(context: Context, { request, plan }: LookAhead): Promise<LookAhead> {
  if (!isSettleable(plan)) return { request: { ...request, shown: plan.shown }, plan };
  const settled = await settleConflicts(context, plan.conflicts, (path) =>
    readSidesOfConflict(request, path),
  );
  const chosen = { ...request, decisions: withSettled(request, settled), shown: plan.shown };
  const next = await previewChanges(chosen);
  showPlan(context, next);
  return { request: { ...chosen, shown: next.shown }, plan: next };
}

/** True when there is a conflict that a person can settle. */
export function isSettleable({ conflicts }: Pick<ApplyPreview, 'conflicts'>): boolean {
  return conflicts.some(({ choices }) => choices.length > 0);
}

/** True when a person is there to be asked. */
export function canSettle(context: Context): boolean {
  return !context.json && context.err.isTerminal && process.stdin.isTTY === true;
}

export function showPlan(context: Context, plan: ApplyPreview): void {
  if (context.json) return;
  context.err.write(`\n${formatPlan(plan, context.err.style)}`);
  for (const warning of plan.warnings) context.err.write(`${context.err.style.red('!')} ${warning}\n`);
}

/** What carries no risk and, as the host is now, no conflict. `request` has the items; its decisions don't matter. */
export async function decideSafe(request: ApplyRequest): Promise<Decision[]> {
  const decisions = decideAll(request.items, 'safe');
  if (decisions.every(({ decision }) => decision === 'reject')) return decisions;
  return decideAll(request.items, 'safe', await conflictsOf({ ...request, decisions }));
}

/** Of the decisions, those that meet no conflict as the host is now. */
export async function withoutConflicts(request: ApplyRequest): Promise<Decision[]> {
  const conflicts = await conflictsOf(request);
  const sources = new Map(request.items.map(({ change }) => [change.path as string, change.from]));
  return request.decisions.filter(
    ({ path }) => !conflicts.has(path) && !conflicts.has(sources.get(path) ?? path),
  );
}

async function conflictsOf({ choice: _, ...request }: ApplyRequest): Promise<Set<string>> {
  const { conflicts } = await previewChanges(request);
  return new Set(conflicts.map(({ path }) => path));
}

/** The decisions with what was chosen about conflicts; a conflict may be named by a renamed file's old path. */
function withSettled(
  { items, decisions }: { items: readonly ReviewItem[]; decisions: readonly Decision[] },
  settled: Awaited<ReturnType<typeof settleConflicts>>,
): Decision[] {
  const sources = new Map(items.map(({ change }) => [change.path as string, change.from]));
  return decisions.map((decision) => {
    const from = sources.get(decision.path);
    const choice = settled.get(decision.path as RelPath) ?? (from && settled.get(from));
    return choice === undefined ? decision : { ...decision, ...choice };
  });
}
