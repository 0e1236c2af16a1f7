/** How many lines come and go. */
import { diffArrays } from 'diff';

/** Beyond so many lines of difference exact counting takes long and tells little. */
const MAX_EDITS = 10_000;

/** Added and removed lines from one text to the other; undefined is no file. */
export function countLines(
  before: Buffer | undefined,
  after: Buffer | undefined,
): { added: number; removed: number } {
  const [old, now] = [linesOf(before), linesOf(after)];
  if (old.length === 0 || now.length === 0) return { added: now.length, removed: old.length };
  const parts = diffArrays(old, now, { maxEditLength: MAX_EDITS, timeout: 2_000 });
  if (parts === undefined) return { added: now.length, removed: old.length };
  let [added, removed] = [0, 0];
  for (const part of parts) {
    if (part.added) added += part.value.length;
    if (part.removed) removed += part.value.length;
  }
  return { added, removed };
}

function linesOf(bytes: Buffer | undefined): string[] {
  return bytes?.toString('utf8').match(/[^\n]*\n|[^\n]+/g) ?? [];
}
