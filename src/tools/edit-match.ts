/**
 * Where a text that a model quotes is in a file. Exact first; then only differences that can't change which place is
 * meant: whitespace at line ends, typographic characters, one uniform shift of indentation. Nothing fuzzier: a guess
 * edits the wrong place without anybody noticing.
 */

export interface Match {
  start: number;
  end: number;
  /** What goes there, fitted to how the place differs from the quote. */
  replacement: string;
}

export type MatchManner = 'exact' | 'line ends' | 'typography' | 'indentation';

export interface MatchSet {
  manner: MatchManner;
  /** In order; may overlap one another. */
  matches: Match[];
  /** False when there may be more: nobody should change only the first so many. */
  isComplete: boolean;
}

/** All places of `old` in `text` by the first manner that finds any; an empty set when none does. */
export function findMatches(text: string, old: string, replacement: string): MatchSet {
  const manners: [MatchManner, () => Match[]][] = [
    ['exact', () => findExact(text, old, replacement)],
    ['line ends', () => findLines(text, old, replacement, compareTrimmed)],
    ['typography', () => findTypography(text, old, replacement)],
    ['indentation', () => findLines(text, old, replacement, compareShifted)],
  ];
  for (const [manner, find] of manners) {
    const matches = find();
    const most = manner === 'exact' ? MOST_MATCHES : MOST_FORGIVEN;
    if (matches.length > 0) return { manner, matches, isComplete: matches.length < most };
  }
  return { manner: 'exact', matches: [], isComplete: true };
}

/** More places than this are not looked for: nobody means them one by one, and a hostile file has no end of them. */
const MOST_MATCHES = 100_000;
/** Places that overlap matter where one is meant, not where thousands are. */
const MOST_OVERLAPPING = 1000;

function findExact(text: string, old: string, replacement: string): Match[] {
  const matches: Match[] = [];
  let at = text.indexOf(old);
  while (at !== -1 && matches.length < MOST_MATCHES) {
    matches.push({ start: at, end: at + old.length, replacement });
    at = text.indexOf(old, at + (matches.length < MOST_OVERLAPPING ? 1 : old.length));
  }
  return matches;
}

/** Each becomes one plain character, so that positions stay what they are. */
function plainTypography(text: string): string {
  return text
    .replace(/[\u2018\u2019\u201a\u201b]/g, "'")
    .replace(/[\u201c\u201d\u201e\u201f]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/[\u00a0\u2002-\u200a\u202f\u205f\u3000]/g, ' ');
}

/** Also undoes the notation in which the read tool shows hidden characters. */
function findTypography(text: string, old: string, replacement: string): Match[] {
  const shown = readNotation(old);
  if (shown !== old) {
    const matches = findExact(text, shown, readNotation(replacement));
    if (matches.length > 0) return matches;
  }
  const plain = plainTypography(text);
  const plainOld = plainTypography(old);
  const matches = findExact(plain, plainOld, replacement);
  return matches.length > 0 ? matches : findLines(plain, plainOld, replacement, compareTrimmed);
}

function readNotation(text: string): string {
  return text
    .replace(/<U\+([0-9A-F]{4,6})>/g, (all, hex: string) => {
      const code = Number.parseInt(hex, 16);
      return code <= 0x10ffff ? String.fromCodePoint(code) : all;
    })
    .replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => {
      const code = Number.parseInt(hex, 16);
      return String.fromCharCode(code > 0x9f ? 0xdc00 + code : code);
    });
}

interface Line {
  start: number;
  /** Without the line feed. */
  text: string;
}

/**
 * Says how the file's lines from `first` on and the quoted lines are the same: a function that fits a line of the
 * replacement, or undefined when they aren't.
 */
type Compare = (
  lines: Line[],
  first: number,
  quoted: string[],
) => ((line: string) => string | undefined) | undefined;

/** A forgiving manner that finds this many places has found no place. */
const MOST_FORGIVEN = 1000;

function findLines(text: string, old: string, replacement: string, compare: Compare): Match[] {
  const quoted = old.split('\n');
  const endsLine = quoted.length > 1 && quoted.at(-1) === '';
  if (endsLine) quoted.pop();
  const lines = linesOf(text);
  const anchor = rarestOf(quoted, lines);
  const wanted = quoted[anchor]?.trim();
  if (wanted === undefined) return [];
  const matches: Match[] = [];
  for (let first = 0; first + quoted.length <= lines.length && matches.length < MOST_FORGIVEN; first++) {
    if (lines[first + anchor]?.text.trim() !== wanted) continue;
    const fit = compare(lines, first, quoted);
    if (fit === undefined) continue;
    const window = lines.slice(first, first + quoted.length);
    const match = fitReplacement(text, window, replacement, endsLine, fit);
    if (match !== undefined) matches.push(match);
  }
  return matches;
}

/** Which quoted line is least often in the file, so that few places have to be looked at in full; -1 when all are blank. */
function rarestOf(quoted: string[], lines: Line[]): number {
  const counts = new Map(quoted.map((line) => [line.trim(), 0]));
  for (const line of lines) {
    const trimmed = line.text.trim();
    const count = counts.get(trimmed);
    if (count !== undefined) counts.set(trimmed, count + 1);
  }
  let rarest = -1;
  let least = Number.POSITIVE_INFINITY;
  quoted.forEach((line, index) => {
    const count = counts.get(line.trim()) ?? 0;
    if (line.trim() === '' || count >= least) return;
    rarest = index;
    least = count;
  });
  return rarest;
}

function linesOf(text: string): Line[] {
  let start = 0;
  return text.split('\n').map((line) => {
    const found = { start, text: line };
    start += line.length + 1;
    return found;
  });
}

function fitReplacement(
  text: string,
  window: Line[],
  replacement: string,
  endsLine: boolean,
  fit: (line: string) => string | undefined,
): Match | undefined {
  const last = window.at(-1);
  const first = window[0];
  if (first === undefined || last === undefined) return undefined;
  const lines = replacement.replaceAll('\r\n', '\n').split('\n').map(fit);
  if (lines.some((line) => line === undefined)) return undefined;
  const isCrlf = window.every((line) => line.text.endsWith('\r'));
  let fitted = lines.join(isCrlf ? '\r\n' : '\n');
  const lineEnd = last.start + last.text.length;
  const hasLineFeed = lineEnd < text.length;
  if (endsLine && hasLineFeed) return { start: first.start, end: lineEnd + 1, replacement: fitted };
  // The quote ends its last line and the file does not: the file stays without a final line feed.
  if (endsLine) fitted = fitted.replace(/\r?\n$/, '');
  return { start: first.start, end: isCrlf ? lineEnd - 1 : lineEnd, replacement: fitted };
}

const compareTrimmed: Compare = (lines, first, quoted) =>
  quoted.every((line, index) => line.trimEnd() === lines[first + index]?.text.trimEnd())
    ? (line) => line
    : undefined;

/** All lines that aren't blank are shifted by the same indentation, one way or the other. */
const compareShifted: Compare = (lines, first, quoted) => {
  const index = quoted.findIndex((line) => line.trim() !== '');
  const there = indentOf(lines[first + index]?.text ?? '');
  const here = indentOf(quoted[index] ?? '');
  const isDeeper = there.length > here.length;
  const shift = isDeeper
    ? there.slice(0, there.length - here.length)
    : here.slice(0, here.length - there.length);
  const isSame = quoted.every((line, at) => {
    const mine = (lines[first + at]?.text ?? '').trimEnd();
    const theirs = line.trimEnd();
    if (mine === '' || theirs === '') return mine === theirs;
    return isDeeper ? mine === shift + theirs : shift + mine === theirs;
  });
  if (!isSame) return undefined;
  return (line) => {
    if (line.trim() === '') return line;
    if (isDeeper) return shift + line;
    return line.startsWith(shift) ? line.slice(shift.length) : undefined;
  };
};

function indentOf(line: string): string {
  return /^[ \t]*/.exec(line)?.[0] ?? '';
}
