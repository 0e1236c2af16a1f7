/** What one version of a file changed, claiming as kept only lines that every shortest alignment keeps. */
/** The most pairs of equal lines that are looked at. */
const MAX_MATCHES = 4_000_000;

/** Lines `from` to `to` (not included) of the base become those of one side. */
export interface Edit {
  from: number;
  to: number;
  sideFrom: number;
  sideTo: number;
}

/**
 * What a side changed: all between the lines that it certainly kept, whichever shortest way is taken. Undefined when finding out
 * would take too long; the limits are on work, not on time, so the same files always give the same answer.
 */
export function findEdits(base: readonly number[], side: readonly number[]): Edit[] | undefined {
  const pairs = certainPairs(base, side);
  if (pairs === undefined) return undefined;
  const edits: Edit[] = [];
  let [from, sideFrom] = [0, 0];
  for (const [to, sideTo] of [...withoutWeakRuns(pairs, base, side), [base.length, side.length] as const]) {
    if (to > from || sideTo > sideFrom) edits.push({ from, to, sideFrom, sideTo });
    [from, sideFrom] = [to + 1, sideTo + 1];
  }
  return edits;
}

/** A line of the base and the line of a side that is its equal. */
type Pair = readonly [base: number, side: number];

/**
 * The pairs that are in every longest common subsequence: those that the two outermost ones share. A line that is unique and
 * stands in what both files begin (or end) with is in all of them, and so is everything before (after) it; that leaves
 * little to search.
 */
function certainPairs(base: readonly number[], side: readonly number[]): Pair[] | undefined {
  const isUnique = uniqueInBoth(base, side);
  const shorter = Math.min(base.length, side.length);
  let start = 0;
  for (let at = 0; at < shorter && base[at] === side[at]; at++) if (isUnique(base[at])) start = at + 1;
  let end = 0;
  for (let at = 1; at <= shorter - start; at++) {
    const line = base[base.length - at];
    if (line !== side[side.length - at]) break;
    if (isUnique(line)) end = at;
  }
  const middle = searchPairs(base.slice(start, base.length - end), side.slice(start, side.length - end));
  if (middle === undefined) return undefined;
  const first = Array.from({ length: start }, (_, at): Pair => [at, at]);
  const last = Array.from({ length: end }, (_, at): Pair => [base.length - end + at, side.length - end + at]);
  return [...first, ...middle.map(([a, b]): Pair => [a + start, b + start]), ...last];
}

function uniqueInBoth(
  base: readonly number[],
  side: readonly number[],
): (line: number | undefined) => boolean {
  const [inBase, inSide] = [countLines(base), countLines(side)];
  return (line) => line !== undefined && inBase.get(line) === 1 && inSide.get(line) === 1;
}

function countLines(lines: readonly number[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

function searchPairs(base: readonly number[], side: readonly number[]): Pair[] | undefined {
  const [inBase, inSide] = [countLines(base), countLines(side)];
  const baseAt = [...base.keys()].filter((at) => inSide.has(base[at] ?? -1));
  const sideAt = [...side.keys()].filter((at) => inBase.has(side[at] ?? -1));
  let matches = 0;
  for (const at of baseAt) matches += inSide.get(base[at] ?? -1) ?? 0;
  if (matches > MAX_MATCHES) return undefined;
  const shared = baseAt.map((at) => base[at] ?? -1);
  const sharedSide = sideAt.map((at) => side[at] ?? -1);
  const down = longest(shared, sharedSide, matches);
  const up = new Map(
    longest(shared.toReversed(), sharedSide.toReversed(), matches).map(([a, b]) => [
      shared.length - 1 - a,
      sharedSide.length - 1 - b,
    ]),
  );
  return down.filter(([a, b]) => up.get(a) === b).map(([a, b]): Pair => [baseAt[a] ?? 0, sideAt[b] ?? 0]);
}

/**
 * One outermost longest common subsequence: of all, the one that is latest in `a` and earliest in `b`; run on both lists
 * reversed it gives the opposite one, and any other lies between them. Hunt and Szymanski, "A fast algorithm for computing
 * longest common subsequences" (1977), in which an equal end replaces an earlier one.
 */
function longest(a: readonly number[], b: readonly number[], matches: number): Pair[] {
  const places = new Map<number, number[]>();
  for (let at = b.length - 1; at >= 0; at--) {
    const line = b[at] ?? -1;
    const list = places.get(line);
    if (list === undefined) places.set(line, [at]);
    else list.push(at);
  }
  const links = {
    a: new Int32Array(matches + 1),
    b: new Int32Array(matches + 1),
    from: new Int32Array(matches + 1),
  };
  /** For each length less one: where in `b` the best subsequence of that length ends, and its last link. */
  const ends: number[] = [];
  const last: number[] = [];
  let made = 0;
  for (const [at, line] of a.entries()) {
    for (const place of places.get(line) ?? []) {
      const length = firstNotBelow(ends, place);
      made += 1;
      links.a[made] = at;
      links.b[made] = place;
      links.from[made] = length === 0 ? 0 : (last[length - 1] ?? 0);
      ends[length] = place;
      last[length] = made;
    }
  }
  const pairs: Pair[] = [];
  for (let link = last.at(-1) ?? 0; link !== 0; link = links.from[link] ?? 0) {
    pairs.push([links.a[link] ?? 0, links.b[link] ?? 0]);
  }
  return pairs.reverse();
}

function firstNotBelow(sorted: readonly number[], value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * Leaves out runs of kept lines that consist of frequent lines only (blank lines, closing braces) amid changes: they stay by
 * chance as often as by intention, and do not keep two changes apart.
 */
function withoutWeakRuns(pairs: readonly Pair[], base: readonly number[], side: readonly number[]): Pair[] {
  const counts = countLines(side);
  const limit = 2 ** Math.ceil(Math.log2(base.length + 1) / 2);
  const isRare = ([at]: Pair) => (counts.get(base[at] ?? -1) ?? 0) < limit;
  return runsOf(pairs).flatMap((run) => {
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) return [];
    const isAtEdge =
      (first[0] === 0 && first[1] === 0) || (last[0] === base.length - 1 && last[1] === side.length - 1);
    return isAtEdge || run.some(isRare) ? run : [];
  });
}

function runsOf(pairs: readonly Pair[]): Pair[][] {
  const runs: Pair[][] = [];
  for (const pair of pairs) {
    const previous = runs.at(-1)?.at(-1);
    if (previous && previous[0] + 1 === pair[0] && previous[1] + 1 === pair[1]) runs.at(-1)?.push(pair);
    else runs.push([pair]);
  }
  return runs;
}
