/** The nearest known word to one that was probably misspelt. */

/** The candidate with the smallest edit distance. */
export function nearest(word: string, candidates: readonly string[]): string {
  let best = candidates[0] ?? '';
  let least = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** The candidate with the fewest edits from `word`, unless more than half of it would have to change. */
export function nearestWithin<Word extends string>(
  word: string,
  candidates: readonly Word[],
): Word | undefined {
  let best: { candidate: Word; distance: number } | undefined;
  for (const candidate of candidates) {
    const distance = editDistance(word.slice(0, 64), candidate);
    const limit = Math.max(2, Math.floor(candidate.length / 2));
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { candidate, distance };
  }
  return best?.candidate;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replace, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
