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
    if (matches.length > 0) return { manner, matches };
  }
  return { manner: 'exact', matches: [] };
}

function findExact(text: string, old: string, replacement: string): Match[] {
  const matches: Match[] = [];
  for (let at = text.indexOf(old); at !== -1; at = text.indexOf(old, at + 1)) {
    matches.push({ start: at, end: at + old.length, replacement });
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

/** Says how file lines and quoted lines are the same: a function that fits a line of the replacement, or undefined. */
type Compare = (file: string[], quoted: string[]) => ((line: string) => string | undefined) | undefined;

function findLines(text: string, old: string, replacement: string, compare: Compare): Match[] {
  const quoted = old.split('\n');
  const endsLine = quoted.length > 1 && quoted.at(-1) === '';
  if (endsLine) quoted.pop();
  const anchor = quoted.findIndex((line) => line.trim() !== '');
  if (anchor === -1) return [];
  const wanted = quoted[anchor]?.trim();
  const lines = linesOf(text);
  const matches: Match[] = [];
  for (let first = 0; first + quoted.length <= lines.length; first++) {
    if (lines[first + anchor]?.text.trim() !== wanted) continue;
    const window = lines.slice(first, first + quoted.length);
    const fit = compare(
      window.map((line) => line.text),
      quoted,
    );
    const match = fit === undefined ? undefined : fitReplacement(text, window, replacement, endsLine, fit);
    if (match !== undefined) matches.push(match);
  }
  return matches;
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

const compareTrimmed: Compare = (file, quoted) =>
  file.every((line, index) => line.trimEnd() === quoted[index]?.trimEnd()) ? (line) => line : undefined;

/** All lines that aren't blank are shifted by the same indentation, one way or the other. */
const compareShifted: Compare = (file, quoted) => {
  const index = quoted.findIndex((line) => line.trim() !== '');
  const there = indentOf(file[index] ?? '');
  const here = indentOf(quoted[index] ?? '');
  const isDeeper = there.length > here.length;
  const shift = isDeeper
    ? there.slice(0, there.length - here.length)
    : here.slice(0, here.length - there.length);
  const isSame = file.every((line, at) => {
    const mine = line.trimEnd();
    const theirs = (quoted[at] ?? '').trimEnd();
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
