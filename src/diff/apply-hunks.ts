/** Hunks put to use: all of a difference, some hunks of it, or some lines of a hunk. */
import { SafeCoderError } from '../base/errors.ts';
import { joinLines, splitLines } from './lines.ts';
import { type Hunk, NO_NEWLINE } from './text-diff.ts';

interface HunkLine {
  sign: string;
  /** With its line feed, if it has one. */
  text: string;
  /** Index into the hunk's `lines`. */
  index: number;
}

/**
 * The old file with the chosen hunks applied (all when `selected` is left out; indexes into `hunks` otherwise). Throws `bug` when
 * the hunks are not of this file.
 */
export function applyHunks(old: Buffer, hunks: readonly Hunk[], selected?: ReadonlySet<number>): Buffer {
  const lines = splitLines(old);
  const out: string[] = [];
  let at = 0;
  for (const [index, hunk] of hunks.entries()) {
    if (selected !== undefined && !selected.has(index)) continue;
    const start = hunk.oldLines === 0 ? hunk.oldStart : hunk.oldStart - 1;
    if (start < at) throw mismatch();
    for (; at < start; at++) out.push(lines[at] ?? '');
    for (const line of readLines(hunk)) {
      if (line.sign !== '+' && lines[at++] !== line.text) throw mismatch();
      if (line.sign !== '-') out.push(line.text);
    }
  }
  out.push(...tail(lines, at));
  return joinLines(endInnerLines(out));
}

/**
 * The hunk with only the chosen lines of change (indexes into `lines`): a removal that isn't chosen stays as context, an addition
 * that isn't chosen is left out. `newStart` is as if the hunk were applied alone.
 */
export function narrowHunk(hunk: Hunk, chosen: ReadonlySet<number>): Hunk {
  const lines: string[] = [];
  let newLines = 0;
  for (const { sign, text, index } of readLines(hunk)) {
    if (sign === '+' && !chosen.has(index)) continue;
    const kept = sign === '-' && !chosen.has(index) ? ' ' : sign;
    if (kept !== '-') newLines += 1;
    if (text.endsWith('\n')) lines.push(kept + text.slice(0, -1));
    else lines.push(kept + text, NO_NEWLINE);
  }
  const first = hunk.oldLines === 0 ? hunk.oldStart + 1 : hunk.oldStart;
  return { ...hunk, newStart: newLines === 0 ? first - 1 : first, newLines, lines };
}

function readLines(hunk: Hunk): HunkLine[] {
  const lines: HunkLine[] = [];
  for (const [index, line] of hunk.lines.entries()) {
    if (line.startsWith('\\')) continue;
    const isOpen = hunk.lines[index + 1]?.startsWith('\\') ?? false;
    lines.push({ sign: line.charAt(0), text: line.slice(1) + (isOpen ? '' : '\n'), index });
  }
  return lines;
}

function* tail(lines: readonly string[], from: number): Generator<string> {
  for (let at = from; at < lines.length; at++) yield lines[at] ?? '';
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
