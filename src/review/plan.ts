/** From decisions to an apply plan: only what was looked at, bound to its bytes. */
import { SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import type { Change } from '../diff/change-set.ts';
import { hashObject } from '../git/object-id.ts';
import { type Accepted, badDecision, formatOf, isUntouched, partialResult, sha256 } from './accepted.ts';
import type { ApplyPlan, PlanItem, PlannedState } from './apply-plan.ts';
import { type Decision, fromJsonBytes } from './decision.ts';
import { type ReadBlob, readSides } from './read-sides.ts';
import type { ReviewItem } from './review-item.ts';

/**
 * The plan of what was accepted. What has no decision is not accepted. A rename becomes a deletion and an addition that
 * happen together. `readBlob` reads the ledger's blobs, of partly accepted files only. Throws `usage/bad-argument` for a
 * decision that does not fit the changes or two about one path, `apply/refused` for accepting what apply refuses.
 */
export async function planFromDecisions(
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
  readBlob: ReadBlob,
): Promise<Required<ApplyPlan>> {
  const contents = new Map<string, Buffer>();
  const planned: PlanItem[] = [];
  for (const { item, decision } of pairUp(items, decisions)) {
    const result = await resultOf(item, decision, readBlob);
    if (result === undefined || isUntouched(item.change, result)) continue;
    if (item.refused !== undefined) {
      throw new SafeCoderError(
        'apply/refused',
        `${showPath(decision.path)} can't be applied: ${item.refused}.`,
        {
          hint: 'Reject it. Its content can be seen with "safe-coder diff".',
        },
      );
    }
    if (result.state && result.bytes) contents.set(result.state.oid, result.bytes);
    planned.push(...toPlanItems(item.change, result, conflictChoice(item.change, decision, contents)));
  }
  return { items: planned, contents };
}

/** Each decision with its item. Throws `usage/bad-argument` for one about what did not change, or two about one path. */
export function pairUp(
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
): { item: ReviewItem; decision: Decision }[] {
  const byPath = new Map(items.map((item) => [item.change.path as string, item]));
  const decided = new Set<string>();
  return decisions.map((decision) => {
    const item = byPath.get(decision.path);
    if (item === undefined) throw badDecision(decision.path, 'is about what did not change');
    if (decided.has(decision.path)) throw badDecision(decision.path, 'is not the only one about it');
    decided.add(decision.path);
    return { item, decision };
  });
}

/** The file as decided; undefined when nothing of the change is taken. */
async function resultOf(
  { change, sha256: digest }: ReviewItem,
  decision: Decision,
  readBlob: ReadBlob,
): Promise<Accepted | undefined> {
  if (decision.decision === 'reject') return undefined;
  if (decision.decision === 'partial')
    return partialResult(change, await readSides(change, readBlob), decision);
  const { path, after } = change;
  return { path, ...(after && digest !== undefined && { state: { ...after, sha256: digest } }) };
}

type ConflictChoice = Pick<PlanItem, 'onConflict' | 'resolution'>;

function conflictChoice(change: Change, decision: Decision, contents: Map<string, Buffer>): ConflictChoice {
  const { onConflict, resolution } = decision;
  if (onConflict === undefined) return {};
  if (resolution === undefined) return { onConflict };
  const bytes = fromJsonBytes(resolution);
  const oid = hashObject(formatOf(change), 'blob', bytes);
  contents.set(oid, bytes);
  const mode = (change.after ?? change.before)?.mode ?? '100644';
  return { onConflict, resolution: { mode, oid, sha256: sha256(bytes) } };
}

function toPlanItems({ path, from, before }: Change, result: Accepted, choice: ConflictChoice): PlanItem[] {
  const after: { after?: PlannedState } = result.state === undefined ? {} : { after: result.state };
  const base = from ?? path;
  if (result.path === base) return [{ path: base, ...(before && { before }), ...after, ...choice }];
  const { resolution: _, ...onOld } = choice;
  return [
    { path: base, group: path, ...(before && { before }), ...onOld },
    { path, group: path, ...after, ...choice },
  ];
}
