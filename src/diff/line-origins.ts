/** Which line of the old file each line of the new one is. */
import { splitLines } from './lines.ts';
import { longestRise } from './longest-rise.ts';
import { diffText } from './text-diff.ts';

/** Stands for a line that the old file does not have. */
export const NEW_LINE = -1;

/** The most bytes of a side that is compared line by line. */
const MAX_BYTES = 64 << 20;

/**
 * For each line of `after` the index of the line of `before` that it is, or {@link NEW_LINE}. Indexes go up. Files too
 * different to compare are matched by the lines that each has once. Next to a binary file every line is new.
 */
export function lineOrigins(before: Buffer, after: Buffer): Int32Array {
  const diff = diffText(before, after, { context: 0, maxBytes: MAX_BYTES });
  const now = splitLines(after);
  if (diff.kind === 'binary') return new Int32Array(now.length).fill(NEW_LINE);
  if (diff.kind === 'too-large') return matchUnique(splitLines(before), now);
  const origins = new Int32Array(now.length);
  let oldAt = 0;
  let nowAt = 0;
  for (const hunk of diff.hunks) {
    const start = hunk.newLines === 0 ? hunk.newStart : hunk.newStart - 1;
    while (nowAt < start) origins[nowAt++] = oldAt++;
    for (const line of hunk.lines) {
      if (line.startsWith('-')) oldAt++;
      else if (line.startsWith('+')) origins[nowAt++] = NEW_LINE;
    }
  }
  while (nowAt < now.length) origins[nowAt++] = oldAt++;
  return origins;
}

function matchUnique(old: readonly string[], now: readonly string[]): Int32Array {
  const origins = new Int32Array(now.length).fill(NEW_LINE);
  const oldIndexes = indexesOfUnique(old);
  const nowIndexes = indexesOfUnique(now);
  const pairs: [number, number][] = [];
  for (const [line, at] of nowIndexes) {
    const oldAt = oldIndexes.get(line);
    if (at >= 0 && oldAt !== undefined && oldAt >= 0) pairs.push([oldAt, at]);
  }
  for (const [oldAt, at] of longestRise(pairs.sort((a, b) => a[1] - b[1]))) origins[at] = oldAt;
  extend(origins, old, now);
  return origins;
}

/** Lines with their index; below 0 for one that is there more than once. */
function indexesOfUnique(lines: readonly string[]): Map<string, number> {
  const indexes = new Map<string, number>();
  for (const [at, line] of lines.entries()) indexes.set(line, indexes.has(line) ? NEW_LINE : at);
  return indexes;
}

/** Lines next to a match that are the same match too, after it and then before it. */
function extend(origins: Int32Array, old: readonly string[], now: readonly string[]): void {
  const taken = new Set(origins);
  const tryAt = (at: number, oldAt: number) => {
    if (origins[at] !== NEW_LINE || oldAt < 0 || taken.has(oldAt) || old[oldAt] !== now[at]) return;
    origins[at] = oldAt;
    taken.add(oldAt);
  };
  for (let at = 0; at < now.length; at++) {
    const before = at === 0 ? -1 : (origins[at - 1] ?? NEW_LINE);
    if (at === 0 || before !== NEW_LINE) tryAt(at, before + 1);
  }
  for (let at = now.length - 1; at >= 0; at--) {
    const after = at === now.length - 1 ? old.length : (origins[at + 1] ?? NEW_LINE);
    if (after !== NEW_LINE) tryAt(at, after - 1);
  }
}
