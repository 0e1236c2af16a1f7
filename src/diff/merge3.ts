/** Three-way merge of files, line by line and to the byte: clean only where every shortest alignment agrees (docs/decisions/0100). */
import { isBinary } from '../base/is-binary.ts';
import { type Edit, findEdits } from './certain-edits.ts';
import { joinLines, splitLines } from './lines.ts';

/** Lines of one version, counted from 0. */
export interface LineRange {
  start: number;
  lines: number;
}

/** One place where both sides changed the same lines, each in its own way. */
export interface MergeConflict {
  base: LineRange;
  mine: LineRange;
  theirs: LineRange;
}

export type Merge =
  | { clean: true; bytes: Buffer }
  | {
      clean: false;
      /** `text`: there are places of conflict; else the files can only be taken whole. */
      reason: 'text' | 'binary' | 'too-large';
      /** The merge with both sides between markers, as git writes them; undefined unless `text`. */
      withMarkers: Buffer | undefined;
      conflicts: MergeConflict[];
    };

/** The most bytes of each version. */
const MAX_BYTES = 8 << 20;
/** The most lines of each version. */
const MAX_LINES = 200_000;

const MINE_LABEL = 'mine (the project)';
const THEIRS_LABEL = "theirs (the agent's)";

/**
 * Merges the changes that lead from `base` to `mine` and to `theirs`. Lines are compared with their line ends. The same
 * change on both sides is no conflict; changes that touch are. Binary files, and files that would take too long, merge only
 * when one side left them alone or both are equal.
 */
export function merge3(base: Buffer, mine: Buffer, theirs: Buffer): Merge {
  if (mine.equals(theirs) || theirs.equals(base)) return { clean: true, bytes: mine };
  if (mine.equals(base)) return { clean: true, bytes: theirs };
  const all = [base, mine, theirs];
  if (all.some(isBinary)) return whole('binary');
  if (all.some(isTooLarge)) return whole('too-large');
  const lines = all.map(splitLines) as [string[], string[], string[]];
  const ids = number(lines);
  const mineEdits = findEdits(ids[0], ids[1]);
  const theirEdits = findEdits(ids[0], ids[2]);
  if (mineEdits === undefined || theirEdits === undefined) return whole('too-large');
  return compose(lines, joinEdits(mineEdits, theirEdits));
}

function isTooLarge(bytes: Buffer): boolean {
  if (bytes.length > MAX_BYTES) return true;
  let lines = 0;
  for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1))
    if (++lines > MAX_LINES) return true;
  return false;
}

function whole(reason: 'binary' | 'too-large'): Merge {
  return { clean: false, reason, withMarkers: undefined, conflicts: [] };
}

/** The same number for the same line: the search compares numbers, and a line is never a property's name. */
function number(files: [string[], string[], string[]]): [number[], number[], number[]] {
  const known = new Map<string, number>();
  return files.map((lines) =>
    lines.map((line) => {
      const id = known.get(line) ?? known.size;
      known.set(line, id);
      return id;
    }),
  ) as [number[], number[], number[]];
}

/** Edits of both sides that touch, and the lines of each version that they span together. */
interface Region {
  base: LineRange;
  mine: LineRange;
  theirs: LineRange;
}

type Lines = [base: string[], mine: string[], theirs: string[]];

function joinEdits(mine: readonly Edit[], theirs: readonly Edit[]): Region[] {
  const all = [...mine.map((edit) => ({ edit, side: 0 })), ...theirs.map((edit) => ({ edit, side: 1 }))];
  all.sort((a, b) => a.edit.from - b.edit.from || a.edit.to - b.edit.to);
  const regions: Region[] = [];
  /** How many lines each side is ahead of the base. */
  const shift = [0, 0];
  for (let at = 0; at < all.length; ) {
    const from = all[at]?.edit.from ?? 0;
    let to = from;
    const before = [...shift];
    for (let next = all[at]; next && next.edit.from <= to; next = all[++at]) {
      const { edit, side } = next;
      to = Math.max(to, edit.to);
      shift[side] = edit.sideTo - edit.to;
    }
    const span = (side: number): LineRange => {
      const start = from + (before[side] ?? 0);
      return { start, lines: to + (shift[side] ?? 0) - start };
    };
    regions.push({ base: { start: from, lines: to - from }, mine: span(0), theirs: span(1) });
  }
  return regions;
}

function compose(lines: Lines, regions: readonly Region[]): Merge {
  const merged: string[][] = [];
  const conflicts: MergeConflict[] = [];
  let at = 0;
  for (const region of regions) {
    merged.push(lines[0].slice(at, region.base.start));
    at = region.base.start + region.base.lines;
    const [base, mine, theirs] = [
      pick(lines[0], region.base),
      pick(lines[1], region.mine),
      pick(lines[2], region.theirs),
    ];
    if (isSame(mine, theirs) || isSame(theirs, base)) merged.push(mine);
    else if (isSame(mine, base)) merged.push(theirs);
    else {
      const { top, bottom } = sameEnds(mine, theirs);
      conflicts.push({
        base: region.base,
        mine: { start: region.mine.start + top, lines: region.mine.lines - top - bottom },
        theirs: { start: region.theirs.start + top, lines: region.theirs.lines - top - bottom },
      });
      merged.push(mine.slice(0, top));
      merged.push(
        marked(mine.slice(top, mine.length - bottom), theirs.slice(top, theirs.length - bottom), lines),
      );
      merged.push(mine.slice(mine.length - bottom));
    }
  }
  merged.push(lines[0].slice(at));
  if (conflicts.length === 0) return { clean: true, bytes: joinLines(merged.flat()) };
  return { clean: false, reason: 'text', withMarkers: joinLines(merged.flat()), conflicts };
}

function pick(lines: readonly string[], { start, lines: count }: LineRange): string[] {
  return lines.slice(start, start + count);
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, at) => line === b[at]);
}

/** How many lines at the top and at the bottom both sides of a conflict agree on. */
function sameEnds(a: readonly string[], b: readonly string[]): { top: number; bottom: number } {
  const shorter = Math.min(a.length, b.length);
  let top = 0;
  while (top < shorter && a[top] === b[top]) top++;
  let bottom = 0;
  while (bottom < shorter - top && a[a.length - 1 - bottom] === b[b.length - 1 - bottom]) bottom++;
  return { top, bottom };
}

function marked(mine: readonly string[], theirs: readonly string[], lines: Lines): string[] {
  const end = lines.every((file) => file[0]?.endsWith('\r\n') ?? true) ? '\r\n' : '\n';
  return [
    `<<<<<<< ${MINE_LABEL}${end}`,
    ...endLast(mine, end),
    `=======${end}`,
    ...endLast(theirs, end),
    `>>>>>>> ${THEIRS_LABEL}${end}`,
  ];
}

/** A marker stands on a line of its own, also after a last line without an end. */
function endLast(lines: readonly string[], end: string): string[] {
  return lines.map((line) => (line.endsWith('\n') ? line : line + end));
}
