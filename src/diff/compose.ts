/** A file made of an old one and of what was chosen from its hunks: whole hunks, single lines, replaced passages. */
import { SafeCoderError } from '../base/errors.ts';
import { joinLines, splitLines } from './lines.ts';
import type { Hunk } from './text-diff.ts';

/** What is taken of a hunk: all, the lines of change with these indexes, or other bytes in its place. */
export type HunkChoice = { hunk: Hunk } & (
  | { take: 'all' }
  | { take: 'lines'; lines: ReadonlySet<number> }
  | { take: 'replacement'; bytes: Buffer }
);

interface HunkLine {
  sign: string;
  /** With its line feed, if it has one. */
  text: string;
  /** Index into the hunk's `lines`. */
  index: number;
}

/**
 * The old file with the choices applied, which are in the file's order. A line feed is added where a line without one would
 * run into the next, and nowhere else. Throws `bug` when the hunks are not of this file.
 */
export function compose(old: Buffer, choices: readonly HunkChoice[]): Buffer {
  const lines = splitLines(old);
  const out: string[] = [];
  let at = 0;
  for (const choice of choices) {
    const { hunk } = choice;
    const start = hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1;
    if (start < at) throw mismatch();
    for (; at < start; at++) out.push(lines[at] ?? '');
    for (const line of readHunkLines(hunk)) {
      if (line.sign !== '+' && lines[at++] !== line.text) throw mismatch();
      if (isKept(line, choice)) out.push(line.text);
    }
    if (choice.take === 'replacement') for (const line of splitLines(choice.bytes)) out.push(line);
  }
  for (; at < lines.length; at++) out.push(lines[at] ?? '');
  return joinLines(endInnerLines(out));
}

function isKept({ sign, index }: HunkLine, choice: HunkChoice): boolean {
  if (choice.take === 'replacement') return false;
  if (sign === ' ') return true;
  const isTaken = choice.take === 'all' || choice.lines.has(index);
  return (sign === '+') === isTaken;
}

/** A hunk's lines as a file has them. */
function readHunkLines(hunk: Hunk): HunkLine[] {
  const lines: HunkLine[] = [];
  for (const [index, line] of hunk.lines.entries()) {
    if (line.startsWith('\\')) continue;
    const isOpen = hunk.lines[index + 1]?.startsWith('\\') ?? false;
    lines.push({ sign: line.charAt(0), text: line.slice(1) + (isOpen ? '' : '\n'), index });
  }
  return lines;
}

/** Only the last line may lack its line feed: part of a change may put lines after one that had none. */
function endInnerLines(lines: string[]): string[] {
  for (let at = 0; at < lines.length - 1; at++) {
    const line = lines[at] ?? '';
    if (!line.endsWith('\n')) lines[at] = `${line}\n`;
  }
  return lines;
}

function mismatch(): SafeCoderError {
  return new SafeCoderError('bug', 'A hunk does not fit the file it was made for.');
}
