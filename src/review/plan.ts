/** From decisions to an apply plan: only what was looked at, bound to its bytes. */
import { SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import type { ApplyPlan, PlanItem, PlannedState } from './apply-plan.ts';
import type { Decision } from './decision.ts';
import type { ReviewItem } from './review-item.ts';

/**
 * The plan of what was accepted. A change without a decision is not accepted. A rename becomes a deletion and an addition
 * that happen together. Throws `usage/bad-argument` for a decision about a path that did not change, or two about one
 * path, and `apply/refused` for accepting what apply refuses.
 */
export function planFromDecisions(items: readonly ReviewItem[], decisions: readonly Decision[]): ApplyPlan {
  const byPath = new Map(items.map((item) => [item.change.path as string, item]));
  const decided = new Set<string>();
  const accepted: ReviewItem[] = [];
  for (const { path, decision } of decisions) {
    const item = byPath.get(path);
    if (item === undefined) throw badDecision(path, 'did not change');
    if (decided.has(path)) throw badDecision(path, 'is decided twice');
    decided.add(path);
    if (decision !== 'accept') continue;
    if (item.refused !== undefined) {
      throw new SafeCoderError('apply/refused', `${showPath(path)} can't be applied: ${item.refused}.`, {
        hint: 'Reject it. Its content can be seen with "safe-coder diff".',
      });
    }
    accepted.push(item);
  }
  return { items: accepted.flatMap(toPlanItems) };
}

function toPlanItems({ change, sha256 }: ReviewItem): PlanItem[] {
  const { path, from, before, after } = change;
  const next: PlannedState | undefined = after && sha256 !== undefined ? { ...after, sha256 } : undefined;
  if (from !== undefined) {
    return [
      { path: from, group: path, ...(before && { before }) },
      { path, group: path, ...(next && { after: next }) },
    ];
  }
  return [{ path, ...(before && { before }), ...(next && { after: next }) }];
}

function badDecision(path: string, what: string): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', `A decision names ${showPath(path)}, which ${what}.`, {
    hint: 'See the changes with "safe-coder diff --stat".',
  });
}
