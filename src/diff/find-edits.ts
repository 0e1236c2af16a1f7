/**
 * Where two sequences of lines differ. First by lines that both have exactly once and in the same order, which is how a person
 * reads a change (Bram Cohen's patience diff); in long stretches of lines that repeat by passages that stand alone; what is left
 * between them by the shortest edit script (E. W. Myers, "An O(ND) difference algorithm and its variations", 1986).
 */

import { findPassages } from './find-passages.ts';
import { longestRise } from './longest-rise.ts';
import { shortestScript } from './shortest-script.ts';

/** `removed` lines from `oldAt` on are replaced by `added` lines from `nowAt` on. */
export interface Edit {
  oldAt: number;
  removed: number;
  nowAt: number;
  added: number;
}

/** Lines as numbers: equal lines have equal ones, of 0 up to `kinds`. */
export interface NumberedLines {
  old: Int32Array;
  now: Int32Array;
  kinds: number;
}

export function numberLines(old: readonly string[], now: readonly string[]): NumberedLines {
  const numbers = new Map<string, number>();
  const toNumbers = (lines: readonly string[]) => {
    const out = new Int32Array(lines.length);
    for (let at = 0; at < lines.length; at++) {
      const line = lines[at] ?? '';
      let number = numbers.get(line);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(line, number);
      }
      out[at] = number;
    }
    return out;
  };
  const [oldNumbers, nowNumbers] = [toNumbers(old), toNumbers(now)];
  return { old: oldNumbers, now: nowNumbers, kinds: numbers.size };
}

/**
 * The edits in order; none touches the next. Passages that it would take more than `maxEdits` edits to align, or that are
 * left when the work runs out, are replaced as a whole: the limits are on work, not on time.
 */
export function findEdits(lines: NumberedLines, maxEdits: number): Edit[] {
  const search = new Search(lines, maxEdits);
  search.compare({ oldFrom: 0, oldTo: lines.old.length, nowFrom: 0, nowTo: lines.now.length });
  return search.edits;
}

interface Range {
  oldFrom: number;
  oldTo: number;
  nowFrom: number;
  nowTo: number;
}

/** Steps of all searches of one comparison together. */
const MAX_STEPS = 60_000_000;

class Search {
  readonly edits: Edit[] = [];
  readonly #old: Int32Array;
  readonly #now: Int32Array;
  readonly #maxEdits: number;
  /** How often a line stands in the range at hand; all 0 between uses. */
  readonly #inOld: Int32Array;
  readonly #inNow: Int32Array;
  /** Where a line stands in the old range, if it does so once. */
  readonly #oldPlace: Int32Array;
  #stepsLeft = MAX_STEPS;

  constructor({ old, now, kinds }: NumberedLines, maxEdits: number) {
    this.#old = old;
    this.#now = now;
    this.#maxEdits = maxEdits;
    this.#inOld = new Int32Array(kinds);
    this.#inNow = new Int32Array(kinds);
    this.#oldPlace = new Int32Array(kinds);
  }

  compare(whole: Range): void {
    const waiting = [whole];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const range = this.#trim(next);
      if (range.oldFrom === range.oldTo || range.nowFrom === range.nowTo) {
        this.#push(range);
        continue;
      }
      this.#stepsLeft -= range.oldTo - range.oldFrom + range.nowTo - range.nowFrom;
      const anchors = this.#stepsLeft > 0 ? this.#findPairs(range) : [];
      if (anchors.length > 0) waiting.push(...between(range, anchors).reverse());
      else this.#push(range);
    }
  }

  #push({ oldFrom, oldTo, nowFrom, nowTo }: Range): void {
    if (oldFrom === oldTo && nowFrom === nowTo) return;
    const last = this.edits.at(-1);
    if (last && last.oldAt + last.removed === oldFrom && last.nowAt + last.added === nowFrom) {
      last.removed += oldTo - oldFrom;
      last.added += nowTo - nowFrom;
    } else
      this.edits.push({ oldAt: oldFrom, removed: oldTo - oldFrom, nowAt: nowFrom, added: nowTo - nowFrom });
  }

  #trim(range: Range): Range {
    let { oldFrom, oldTo, nowFrom, nowTo } = range;
    while (oldFrom < oldTo && nowFrom < nowTo && this.#old[oldFrom] === this.#now[nowFrom]) {
      oldFrom++;
      nowFrom++;
    }
    while (oldFrom < oldTo && nowFrom < nowTo && this.#old[oldTo - 1] === this.#now[nowTo - 1]) {
      oldTo--;
      nowTo--;
    }
    return { oldFrom, oldTo, nowFrom, nowTo };
  }

  /** Lines that each side of the range has once, as far as they are in the same order: pairs of indexes. */
  #findAnchors(range: Range): [number, number][] {
    this.#count(range, 1);
    const pairs: [number, number][] = [];
    for (let at = range.nowFrom; at < range.nowTo; at++) {
      const line = this.#now[at] ?? 0;
      if (this.#inNow[line] === 1 && this.#inOld[line] === 1) pairs.push([this.#oldPlace[line] ?? 0, at]);
    }
    this.#count(range, -1);
    return longestRise(pairs);
  }

  #count({ oldFrom, oldTo, nowFrom, nowTo }: Range, by: 1 | -1): void {
    for (let at = oldFrom; at < oldTo; at++) {
      const line = this.#old[at] ?? 0;
      this.#inOld[line] = (this.#inOld[line] ?? 0) + by;
      this.#oldPlace[line] = at;
    }
    for (let at = nowFrom; at < nowTo; at++) {
      const line = this.#now[at] ?? 0;
      this.#inNow[line] = (this.#inNow[line] ?? 0) + by;
    }
  }

  /** Lines of the range to be kept, from the surest to the best guess; none when it is to be replaced as a whole. */
  #findPairs(range: Range): [number, number][] {
    const unique = this.#findAnchors(range);
    if (unique.length > 0) return unique;
    const isLong = range.oldTo - range.oldFrom + range.nowTo - range.nowFrom > 2 * this.#maxEdits;
    const passages = isLong ? findPassages(this.#old, this.#now, range) : [];
    return passages.length > 0 ? passages : (this.#align(range) ?? []);
  }

  /** The shortest way for a range without anchors. Lines that the other side lacks can't be kept: they are left out first. */
  #align(range: Range): [number, number][] | undefined {
    this.#count(range, 1);
    const oldIndexes = indexesOf(this.#old, range.oldFrom, range.oldTo, this.#inNow);
    const nowIndexes = indexesOf(this.#now, range.nowFrom, range.nowTo, this.#inOld);
    this.#count(range, -1);
    if (oldIndexes.length === 0 || nowIndexes.length === 0) return undefined;
    return this.#shortestPairs(oldIndexes, nowIndexes);
  }

  #shortestPairs(oldIndexes: Int32Array, nowIndexes: Int32Array): [number, number][] | undefined {
    const old = oldIndexes.map((at) => this.#old[at] ?? 0);
    const now = nowIndexes.map((at) => this.#now[at] ?? 0);
    const { pairs, steps } = shortestScript(old, now, this.#maxEdits, this.#stepsLeft);
    this.#stepsLeft -= steps;
    return pairs?.map(([oldAt, nowAt]) => [oldIndexes[oldAt] ?? 0, nowIndexes[nowAt] ?? 0]);
  }
}

function indexesOf(lines: Int32Array, from: number, to: number, inOther: Int32Array): Int32Array {
  const found = new Int32Array(to - from);
  let count = 0;
  for (let at = from; at < to; at++) if ((inOther[lines[at] ?? 0] ?? 0) > 0) found[count++] = at;
  return found.subarray(0, count);
}

/** What lies before, between and after pairs of equal lines. */
function between(range: Range, pairs: readonly [number, number][]): Range[] {
  const ranges: Range[] = [];
  let { oldFrom, nowFrom } = range;
  for (const [oldAt, nowAt] of pairs) {
    if (oldAt > oldFrom || nowAt > nowFrom) ranges.push({ oldFrom, oldTo: oldAt, nowFrom, nowTo: nowAt });
    oldFrom = oldAt + 1;
    nowFrom = nowAt + 1;
  }
  ranges.push({ oldFrom, oldTo: range.oldTo, nowFrom, nowTo: range.nowTo });
  return ranges;
}
