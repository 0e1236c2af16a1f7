/** When deleting files is a matter of its own: for the risk marks of a review and for the question before an apply. */

/** So many deletions are no tidying up, whatever else changed. */
const MANY = 50;
/** From this many on, deletions count when they are most of what changed. */
const SOME = 10;

/** True when so many files go, of so many changes in all, that it is to be said once more. */
export function isMassDeletion(deletions: number, changes: number): boolean {
  return deletions >= MANY || (deletions >= SOME && deletions * 2 > changes);
}
