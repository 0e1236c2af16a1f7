import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortestScript } from '../../../src/diff/shortest-script.ts';

const lines = fc
  .array(fc.integer({ min: 0, max: 3 }), { maxLength: 25 })
  .map((each) => Int32Array.from(each));

/** The length of a longest common subsequence, by the textbook's table. */
function longestCommon(a: Int32Array, b: Int32Array): number {
  let row = new Int32Array(b.length + 1);
  for (const line of a) {
    const next = new Int32Array(b.length + 1);
    for (let at = 1; at <= b.length; at++) {
      next[at] = line === b[at - 1] ? (row[at - 1] ?? 0) + 1 : Math.max(row[at] ?? 0, next[at - 1] ?? 0);
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

describe('the shortest script', () => {
  it('keeps as many lines as can be kept, equal ones and in order', () => {
    fc.assert(
      fc.property(lines, lines, (old, now) => {
        const { pairs } = shortestScript(old, now, 1000, 1_000_000);
        expect(pairs?.length).toBe(longestCommon(old, now));
        let [lastOld, lastNow] = [-1, -1];
        for (const [oldAt, nowAt] of pairs ?? []) {
          expect(old[oldAt]).toBe(now[nowAt]);
          expect(oldAt).toBeGreaterThan(lastOld);
          expect(nowAt).toBeGreaterThan(lastNow);
          [lastOld, lastNow] = [oldAt, nowAt];
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is given up beyond its limits of edits and of steps', () => {
    const [old, now] = [Int32Array.of(0, 1, 2, 3), Int32Array.of(3, 2, 1, 0)];
    expect(shortestScript(old, now, 6, 1000).pairs).toHaveLength(1);
    expect(shortestScript(old, now, 5, 1000).pairs).toBeUndefined();
    expect(shortestScript(old, now, 6, 3)).toMatchObject({ pairs: undefined });
  });
});
