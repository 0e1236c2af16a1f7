/** The difference of two files as hunks: data that review shows, narrows and applies. */
import { diffArrays } from 'diff';
import { isBinary } from '../base/is-binary.ts';
import { splitLines } from './lines.ts';

/**
 * Part of a difference. Line numbers count from 1; where a side has no lines its start is the line before, as in a unified
 * patch. Each of `lines` begins with ` `, `-` or `+`, then come the line's bytes (latin1) without its line feed;
 * {@link NO_NEWLINE} follows a line that has none.
 */
export interface Hunk {
  oldStart: number;
  oldLines: number;
  newStart: number;
  newLines: number;
  lines: string[];
}

export const NO_NEWLINE = '\\ No newline at end of file';

export type TextDiff =
  | { kind: 'text'; hunks: Hunk[]; added: number; removed: number }
  /** At least one side is not text. */
  | { kind: 'binary' }
  /** Finding the difference would take too long; the files can still be shown or taken whole. */
  | { kind: 'too-large'; oldLines: number; newLines: number };

export interface DiffLimits {
  /** Unchanged lines around a change. Default 3. */
  context?: number;
  /** The most bytes of either side. Default 8 MiB. */
  maxBytes?: number;
  /** The most lines that both sides have but in other places. Default 2,000. */
  maxEdits?: number;
}

/** Lines taken out and lines put in at one place. */
interface Edit {
  /** Index of the first old line that is replaced. */
  at: number;
  removed: string[];
  added: string[];
}

/** Compares two files. The limits are on work, not on time, so the same files always give the same answer. */
export function diffText(before: Buffer, after: Buffer, limits: DiffLimits = {}): TextDiff {
  if (isBinary(before) || isBinary(after)) return { kind: 'binary' };
  const old = splitLines(before);
  const now = splitLines(after);
  const maxBytes = limits.maxBytes ?? 8 << 20;
  const isTooLarge = before.length > maxBytes || after.length > maxBytes;
  const edits = isTooLarge ? undefined : findEdits(old, now, limits.maxEdits ?? 2000);
  if (edits === undefined) return { kind: 'too-large', oldLines: old.length, newLines: now.length };
  let added = 0;
  let removed = 0;
  for (const edit of edits) {
    added += edit.added.length;
    removed += edit.removed.length;
  }
  return { kind: 'text', hunks: groupEdits(old, edits, limits.context ?? 3), added, removed };
}

/** The whole of one file replaced by the whole of another, as one hunk or none. */
export function replaceAll(before: Buffer, after: Buffer): Hunk[] {
  const old = splitLines(before);
  const now = splitLines(after);
  return before.equals(after) ? [] : groupEdits(old, [{ at: 0, removed: old, added: now }], 0);
}

function findEdits(old: readonly string[], now: readonly string[], maxEdits: number): Edit[] | undefined {
  const shorter = Math.min(old.length, now.length);
  let start = 0;
  while (start < shorter && old[start] === now[start]) start++;
  let end = 0;
  while (end < shorter - start && old[old.length - 1 - end] === now[now.length - 1 - end]) end++;
  const oldMiddle = old.slice(start, old.length - end);
  const nowMiddle = now.slice(start, now.length - end);
  const pairs = matchLines(oldMiddle, nowMiddle, maxEdits);
  if (pairs === undefined) return undefined;
  pairs.push([oldMiddle.length, nowMiddle.length]);
  const edits: Edit[] = [];
  let oldAt = 0;
  let nowAt = 0;
  for (const [oldIndex, nowIndex] of pairs) {
    const removed = oldMiddle.slice(oldAt, oldIndex);
    const added = nowMiddle.slice(nowAt, nowIndex);
    if (removed.length + added.length > 0) edits.push({ at: start + oldAt, removed, added });
    oldAt = oldIndex + 1;
    nowAt = nowIndex + 1;
  }
  return edits;
}

/**
 * A longest common subsequence, as pairs of indexes; undefined when the search is cut off. Lines that the other side does not
 * have at all can't be part of it, and leaving them out first makes the search for a rewritten passage short.
 */
function matchLines(
  old: readonly string[],
  now: readonly string[],
  maxEdits: number,
): [number, number][] | undefined {
  const oldIndexes = indexesOfShared(old, new Set(now));
  const nowIndexes = indexesOfShared(now, new Set(old));
  const parts = diffArrays(
    oldIndexes.map((at) => old[at]),
    nowIndexes.map((at) => now[at]),
    { maxEditLength: maxEdits },
  );
  if (parts === undefined) return undefined;
  const pairs: [number, number][] = [];
  let oldAt = 0;
  let nowAt = 0;
  for (const part of parts) {
    for (let each = 0; each < part.value.length; each++) {
      const oldIndex = part.added ? undefined : oldIndexes[oldAt++];
      const nowIndex = part.removed ? undefined : nowIndexes[nowAt++];
      if (oldIndex !== undefined && nowIndex !== undefined) pairs.push([oldIndex, nowIndex]);
    }
  }
  return pairs;
}

function indexesOfShared(lines: readonly string[], other: ReadonlySet<string>): number[] {
  return [...lines.keys()].filter((at) => other.has(lines[at] ?? ''));
}

/** Edits with their context; those whose contexts touch become one hunk. */
function groupEdits(old: readonly string[], edits: readonly Edit[], context: number): Hunk[] {
  const groups: Edit[][] = [];
  for (const edit of edits) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group && last && edit.at - (last.at + last.removed.length) <= 2 * context) group.push(edit);
    else groups.push([edit]);
  }
  let shift = 0;
  return groups.map((group) => {
    const hunk = makeHunk(old, group, context, shift);
    for (const edit of group) shift += edit.added.length - edit.removed.length;
    return hunk;
  });
}

function makeHunk(old: readonly string[], group: readonly Edit[], context: number, shift: number): Hunk {
  const first = group[0]?.at ?? 0;
  const last = group.at(-1);
  const from = Math.max(0, first - context);
  const to = Math.min(old.length, (last ? last.at + last.removed.length : 0) + context);
  const lines: string[] = [];
  let at = from;
  let growth = 0;
  for (const edit of group) {
    for (; at < edit.at; at++) pushLine(lines, ' ', old[at] ?? '');
    for (const line of edit.removed) pushLine(lines, '-', line);
    for (const line of edit.added) pushLine(lines, '+', line);
    at += edit.removed.length;
    growth += edit.added.length - edit.removed.length;
  }
  for (; at < to; at++) pushLine(lines, ' ', old[at] ?? '');
  const oldLines = to - from;
  const newLines = oldLines + growth;
  return {
    oldStart: oldLines === 0 ? from : from + 1,
    oldLines,
    newStart: newLines === 0 ? from + shift : from + shift + 1,
    newLines,
    lines,
  };
}

function pushLine(lines: string[], sign: string, line: string): void {
  if (line.endsWith('\n')) lines.push(sign + line.slice(0, -1));
  else lines.push(sign + line, NO_NEWLINE);
}
