/** How many lines come and go, without making hunks of them. */
import { isBinary } from '../base/is-binary.ts';
import { findEdits, numberLines } from './find-edits.ts';
import { countLines, splitLines } from './lines.ts';
import { MAX_DIFF_BYTES, MAX_EDITS } from './text-diff.ts';

export type LineCounts = { kind: 'text' | 'too-large'; added: number; removed: number } | { kind: 'binary' };

/** The counts that a comparison with the same limits has; of files too large to compare all lines go and all come. */
export function countChangedLines(before: Buffer, after: Buffer): LineCounts {
  if (isBinary(before) || isBinary(after)) return { kind: 'binary' };
  if (before.length > MAX_DIFF_BYTES || after.length > MAX_DIFF_BYTES) {
    return { kind: 'too-large', added: countLines(after), removed: countLines(before) };
  }
  const { start, beforeEnd, afterEnd } = trimLines(before, after);
  const old = before.subarray(start, beforeEnd);
  const now = after.subarray(start, afterEnd);
  if (old.length === 0 || now.length === 0) {
    return { kind: 'text', added: countLines(now), removed: countLines(old) };
  }
  let added = 0;
  let removed = 0;
  for (const edit of findEdits(numberLines(splitLines(old), splitLines(now)), MAX_EDITS)) {
    added += edit.added;
    removed += edit.removed;
  }
  return { kind: 'text', added, removed };
}

/** The bytes that are left when whole lines that both begin and end with are taken off. */
function trimLines(before: Buffer, after: Buffer): { start: number; beforeEnd: number; afterEnd: number } {
  const shorter = Math.min(before.length, after.length);
  let same = 0;
  while (same < shorter && before[same] === after[same]) same++;
  const start = same === 0 ? 0 : before.lastIndexOf(10, same - 1) + 1;
  let tail = 0;
  while (tail < shorter - start && before[before.length - 1 - tail] === after[after.length - 1 - tail])
    tail++;
  const newline = before.indexOf(10, before.length - tail);
  const cut = tail === 0 || newline < 0 ? 0 : before.length - newline - 1;
  return { start, beforeEnd: before.length - cut, afterEnd: after.length - cut };
}
