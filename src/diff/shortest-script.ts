/** The shortest edit script of two sequences of numbered lines, within limits of work. */

/** Pairs of equal lines on a shortest way, or none when it has more than `maxEdits` edits or takes more than `maxSteps`. */
export function shortestScript(
  old: Int32Array,
  now: Int32Array,
  maxEdits: number,
  maxSteps: number,
): { pairs: [number, number][] | undefined; steps: number } {
  const limit = Math.min(maxEdits, old.length + now.length);
  const reach = new Int32Array(2 * limit + 3);
  const middle = limit + 1;
  /** For each number of edits what had been reached before, on its diagonals. */
  const trace: Int32Array[] = [];
  let steps = 0;
  for (let edits = 0; edits <= limit; edits++) {
    trace.push(reach.slice(middle - edits - 1, middle + edits + 2));
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      const isDown =
        diagonal === -edits ||
        (diagonal !== edits && (reach[middle + diagonal - 1] ?? 0) < (reach[middle + diagonal + 1] ?? 0));
      let oldAt = isDown ? (reach[middle + diagonal + 1] ?? 0) : (reach[middle + diagonal - 1] ?? 0) + 1;
      let nowAt = oldAt - diagonal;
      while (oldAt < old.length && nowAt < now.length && old[oldAt] === now[nowAt]) {
        oldAt++;
        nowAt++;
        steps++;
      }
      reach[middle + diagonal] = oldAt;
      steps++;
      if (oldAt >= old.length && nowAt >= now.length) return { pairs: walkBack(trace, old, now), steps };
    }
    if (steps > maxSteps) break;
  }
  return { pairs: undefined, steps };
}

/** Follows the way from its end to its start and notes the lines that it keeps. */
function walkBack(trace: readonly Int32Array[], old: Int32Array, now: Int32Array): [number, number][] {
  const pairs: [number, number][] = [];
  let oldAt = old.length;
  let nowAt = now.length;
  for (let edits = trace.length - 1; edits >= 0; edits--) {
    const reach = trace[edits] ?? new Int32Array(0);
    const middle = edits + 1;
    const diagonal = oldAt - nowAt;
    const isDown =
      diagonal === -edits ||
      (diagonal !== edits && (reach[middle + diagonal - 1] ?? 0) < (reach[middle + diagonal + 1] ?? 0));
    const before = isDown ? diagonal + 1 : diagonal - 1;
    const oldStart = edits === 0 ? 0 : (reach[middle + before] ?? 0);
    const nowStart = edits === 0 ? 0 : oldStart - before;
    const keptFrom = edits === 0 ? 0 : isDown ? oldStart : oldStart + 1;
    while (oldAt > keptFrom) pairs.push([--oldAt, --nowAt]);
    oldAt = oldStart;
    nowAt = nowStart;
  }
  return pairs.reverse();
}
