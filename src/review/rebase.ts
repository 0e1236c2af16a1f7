/** Decisions carried over to a later state of the same session. */
import type { Change, FileState } from '../diff/change-set.ts';
import type { Decision } from './decision.ts';

/**
 * Keeps what was decided about changes that are the same to the byte; what was decided about others falls, by name. `before` and
 * `after` are the changes from the same base to the tree that was reviewed, and to that of now.
 */
export function rebaseDecisions(
  decisions: readonly Decision[],
  before: readonly Change[],
  after: readonly Change[],
): { kept: Decision[]; dropped: string[] } {
  const reviewed = new Map(before.map((change) => [change.path as string, change]));
  const present = new Map(after.map((change) => [change.path as string, change]));
  const kept: Decision[] = [];
  const dropped: string[] = [];
  for (const decision of decisions) {
    const [old, now] = [reviewed.get(decision.path), present.get(decision.path)];
    if (old && now && isSame(old, now)) kept.push(decision);
    else dropped.push(decision.path);
  }
  return { kept, dropped };
}

function isSame(a: Change, b: Change): boolean {
  return a.from === b.from && isSameState(a.before, b.before) && isSameState(a.after, b.after);
}

function isSameState(a: FileState | undefined, b: FileState | undefined): boolean {
  return a?.oid === b?.oid && a?.mode === b?.mode;
}
