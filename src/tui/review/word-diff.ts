/** Which words of a replaced line changed. */
import { diffArrays } from 'diff';

/** Places in a text, from (inclusive) and to (exclusive), in code units. */
export type Ranges = readonly (readonly [number, number])[];

export interface WordDiff {
  old: Ranges;
  now: Ranges;
}

/** Longer lines are shown without: nobody reads them word by word, and the search costs. */
const MAX_CHARACTERS = 1000;
const MAX_EDITS = 120;
/** Lines of which less than this share is common are rewritten, not edited: marking all of them says nothing. */
const MIN_COMMON = 0.3;

/**
 * The words that differ between two lines; undefined when the lines have too little in common or are too long. The work
 * is bounded, not timed.
 */
export function diffWords(old: string, now: string): WordDiff | undefined {
  if (old.length > MAX_CHARACTERS || now.length > MAX_CHARACTERS) return undefined;
  const parts = diffArrays(splitWords(old), splitWords(now), { maxEditLength: MAX_EDITS });
  if (parts === undefined) return undefined;
  const ranges = { old: [] as [number, number][], now: [] as [number, number][] };
  let oldAt = 0;
  let nowAt = 0;
  let common = 0;
  for (const part of parts) {
    const text = part.value.join('');
    if (part.removed) push(ranges.old, oldAt, text.length);
    else if (part.added) push(ranges.now, nowAt, text.length);
    else common += text.replace(/\s/g, '').length;
    if (!part.added) oldAt += text.length;
    if (!part.removed) nowAt += text.length;
  }
  const longer = Math.max(old.replace(/\s/g, '').length, now.replace(/\s/g, '').length);
  return longer > 0 && common / longer < MIN_COMMON ? undefined : ranges;
}

function push(ranges: [number, number][], from: number, length: number): void {
  const last = ranges.at(-1);
  if (last !== undefined && last[1] === from) last[1] = from + length;
  else ranges.push([from, from + length]);
}

function splitWords(line: string): string[] {
  return line.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
}
