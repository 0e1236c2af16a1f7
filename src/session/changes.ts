/** The change set of a session as things to review. */
import type { ChangeSummary } from '../base/events.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import type { UserRules } from '../policy/risk/user-rules.ts';
import { type ReviewItem, reviewItems, toSummary } from '../review/review-item.ts';

/** Every change from base to final tree, with counts and risks. `userRules` add reasons. Throws what the ledger throws. */
export async function listChanges(
  ledger: LedgerReader,
  base: string,
  final: string,
  isIgnored: (path: string) => boolean = () => false,
  userRules?: UserRules,
): Promise<ReviewItem[]> {
  const changeSet = await ledger.changes(base, final, { renames: true });
  const ignored = new Set(changeSet.changes.map(({ path }) => path as string).filter(isIgnored));
  return reviewItems(changeSet, ledger, { ignored, ...(userRules && { userRules }) });
}

export function summarizeChanges(items: readonly ReviewItem[]): ChangeSummary[] {
  return items.map(toSummary);
}
