/** The difference of two files as hunks: data that review shows, narrows and applies. */
import { isBinary } from '../base/is-binary.ts';
import { type Edit, findEdits, numberLines } from './find-edits.ts';
import { countLines, splitLines } from './lines.ts';

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
  /** A side is larger than is compared; the files can still be shown or taken whole. */
  | { kind: 'too-large'; oldLines: number; newLines: number };

export interface DiffLimits {
  /** Unchanged lines around a change. Default 3. */
  context?: number;
  /** The most bytes of either side. Default 8 MiB. */
  maxBytes?: number;
  /** A passage that differs in more lines than this, counting only lines that both sides have, is replaced as a whole. Default 2,000. */
  maxEdits?: number;
}

/** The most bytes of a side that is compared, when nothing else is said. */
export const MAX_DIFF_BYTES = 8 << 20;
export const MAX_EDITS = 2000;

/** Compares two files. The limits are on work, not on time, so the same files always give the same answer. */
export function diffText(before: Buffer, after: Buffer, limits: DiffLimits = {}): TextDiff {
  if (isBinary(before) || isBinary(after)) return { kind: 'binary' };
  const maxBytes = limits.maxBytes ?? MAX_DIFF_BYTES;
  if (before.length > maxBytes || after.length > maxBytes) {
    return { kind: 'too-large', oldLines: countLines(before), newLines: countLines(after) };
  }
  const old = splitLines(before);
  const now = splitLines(after);
  const edits = findEdits(numberLines(old, now), limits.maxEdits ?? MAX_EDITS);
  let added = 0;
  let removed = 0;
  for (const edit of edits) {
    added += edit.added;
    removed += edit.removed;
  }
  return { kind: 'text', hunks: groupEdits(old, now, edits, limits.context ?? 3), added, removed };
}

/** The whole of one file replaced by the whole of another, as one hunk or none. */
export function replaceAll(before: Buffer, after: Buffer): Hunk[] {
  const old = splitLines(before);
  const now = splitLines(after);
  if (before.equals(after)) return [];
  return groupEdits(old, now, [{ oldAt: 0, removed: old.length, nowAt: 0, added: now.length }], 0);
}

/** Edits with their context; those whose contexts touch become one hunk. */
function groupEdits(
  old: readonly string[],
  now: readonly string[],
  edits: readonly Edit[],
  context: number,
): Hunk[] {
  const groups: Edit[][] = [];
  for (const edit of edits) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    if (group && last && edit.oldAt - (last.oldAt + last.removed) <= 2 * context) group.push(edit);
    else groups.push([edit]);
  }
  return groups.map((group) => makeHunk(old, now, group, context));
}

function makeHunk(
  old: readonly string[],
  now: readonly string[],
  group: readonly Edit[],
  context: number,
): Hunk {
  const [first, last] = [group[0], group.at(-1)];
  const from = Math.max(0, (first?.oldAt ?? 0) - context);
  const to = Math.min(old.length, (last ? last.oldAt + last.removed : 0) + context);
  const shift = (first?.nowAt ?? 0) - (first?.oldAt ?? 0);
  const lines: string[] = [];
  let at = from;
  let newLines = to - from;
  for (const { oldAt, removed, nowAt, added } of group) {
    for (; at < oldAt; at++) pushLine(lines, ' ', old[at] ?? '');
    for (; at < oldAt + removed; at++) pushLine(lines, '-', old[at] ?? '');
    for (let index = nowAt; index < nowAt + added; index++) pushLine(lines, '+', now[index] ?? '');
    newLines += added - removed;
  }
  for (; at < to; at++) pushLine(lines, ' ', old[at] ?? '');
  return {
    oldStart: to === from ? from : from + 1,
    oldLines: to - from,
    newStart: newLines === 0 ? from + shift : from + shift + 1,
    newLines,
    lines,
  };
}

function pushLine(lines: string[], sign: string, line: string): void {
  if (line.endsWith('\n')) lines.push(sign + line.slice(0, -1));
  else lines.push(sign + line, NO_NEWLINE);
}
