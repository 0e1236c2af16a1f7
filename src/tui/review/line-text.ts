/** One line of a file as spans: syntax colours, changed words, and nothing that a terminal acts on. */
import { decodePath } from '../../base/path-bytes.ts';
import { type Span, toSpans } from './cells.ts';
import type { Ground, Look } from './look.ts';
import type { Token } from './tokens.ts';
import type { Ranges } from './word-diff.ts';

/** Of a longer line only the beginning is looked at. */
const MAX_CHARACTERS = 10_000;

/** A line's bytes (latin1) as text; bytes that are not UTF-8 stay and are shown as such. */
export function lineText(latin1: string): string {
  // Most lines are ASCII: they are their own text.
  if (/^[\x00-\x7f]*$/.test(latin1)) return latin1;
  return decodePath(Buffer.from(latin1, 'latin1'));
}

export interface LineParts {
  tokens?: readonly Token[];
  words?: Ranges;
  /** Ground of the line, and of its changed words. */
  ground?: Ground;
  wordGround?: Ground;
  /** Look of text without a token. */
  base: Look;
  /** Characters beyond this many can't be seen. */
  limit: number;
  /** Places of what is searched for. */
  found?: Ranges;
}

/** The line as spans. A carriage return at its end is shown small: it is part of the line, and not alarming. */
export function lineSpans(text: string, parts: LineParts): Span[] {
  const isCarriageReturn = text.endsWith('\r');
  const cut = Math.min(parts.limit, MAX_CHARACTERS);
  const line = (isCarriageReturn ? text.slice(0, -1) : text).slice(0, cut);
  const spans: Span[] = [];
  let column = 0;
  for (const [from, to, look] of pieces(line.length, parts)) {
    const [made, end] = toSpans(line.slice(from, to), look, column);
    spans.push(...made);
    column = end;
  }
  if (isCarriageReturn) spans.push({ text: '␍', look: { ...grounded(parts.base, parts.ground), dim: true } });
  return spans;
}

/** Cuts a line wherever its look changes. */
function* pieces(length: number, parts: LineParts): Generator<[number, number, Look]> {
  const { tokens = [], words = [], found = [] } = parts;
  const cuts = new Set([0, length]);
  for (const [from, to] of [...tokens, ...words, ...found]) {
    if (from < length) cuts.add(from);
    if (to < length) cuts.add(to);
  }
  const places = [...cuts].sort((a, b) => a - b);
  let token = 0;
  for (let index = 0; index + 1 < places.length; index++) {
    const [from = 0, to = 0] = [places[index], places[index + 1]];
    while (token < tokens.length && (tokens[token]?.[1] ?? 0) <= from) token += 1;
    const colour = (tokens[token]?.[0] ?? length) <= from ? tokens[token]?.[2] : undefined;
    const isWord = words.some(([start, end]) => start <= from && end >= to);
    const isFound = found.some(([start, end]) => start <= from && end >= to);
    const ground = isWord ? (parts.wordGround ?? parts.ground) : parts.ground;
    const look = grounded(colour === undefined ? parts.base : { ...parts.base, fg: colour }, ground);
    yield [from, to, isFound ? { ...look, inverse: true, bold: true } : look];
  }
}

function grounded(look: Look, ground: Ground | undefined): Look {
  return ground === undefined ? look : { ...look, bg: ground };
}
