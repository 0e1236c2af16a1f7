/** Passages that two sequences of lines share and that stand alone in each, though their lines repeat: logs, tables, lockfiles. */
import { longestRise } from './longest-rise.ts';

interface Stretch {
  oldFrom: number;
  oldTo: number;
  nowFrom: number;
  nowTo: number;
}

/** Doublings of a passage's length: 4 lines. */
const DOUBLINGS = 2;

/** Pairs of indexes of lines that begin a passage of 4 lines which each side of the stretch has once; in order on both sides. */
export function findPassages(old: Int32Array, now: Int32Array, stretch: Stretch): [number, number][] {
  let before = old.subarray(stretch.oldFrom, stretch.oldTo);
  let after = now.subarray(stretch.nowFrom, stretch.nowTo);
  for (let doubling = 0; doubling < DOUBLINGS; doubling++)
    [before, after] = joinPairs(before, after, 2 ** doubling);
  const oldPlaces = placesOf(before);
  const nowPlaces = placesOf(after);
  const pairs: [number, number][] = [];
  for (const [passage, place] of nowPlaces) {
    const oldPlace = oldPlaces.get(passage) ?? REPEATED;
    if (place !== REPEATED && oldPlace !== REPEATED)
      pairs.push([stretch.oldFrom + oldPlace, stretch.nowFrom + place]);
  }
  return longestRise(pairs.sort((a, b) => a[1] - b[1]));
}

/** Numbers for what stands at each index together with what stands `apart` after it; both sides by the same rule. */
function joinPairs(old: Int32Array, now: Int32Array, apart: number): [Int32Array, Int32Array] {
  const numbers = new Map<number, number>();
  const join = (lines: Int32Array) => {
    const joined = new Int32Array(Math.max(0, lines.length - apart));
    for (let at = 0; at < joined.length; at++) {
      // Both are below 2^26, as no file that is compared has more lines: the sum is exact.
      const key = (lines[at] ?? 0) * 2 ** 26 + (lines[at + apart] ?? 0);
      let number = numbers.get(key);
      if (number === undefined) {
        number = numbers.size;
        numbers.set(key, number);
      }
      joined[at] = number;
    }
    return joined;
  };
  return [join(old), join(now)];
}

const REPEATED = -1;

function placesOf(passages: Int32Array): Map<number, number> {
  const places = new Map<number, number>();
  for (const [at, passage] of passages.entries()) places.set(passage, places.has(passage) ? REPEATED : at);
  return places;
}
