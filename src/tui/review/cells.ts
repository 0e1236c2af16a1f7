/** Text as terminal columns: how wide it is, and cutting it to a width without cutting a character. */
import { escapeForTerminal } from '../../base/terminal-text.ts';
import type { Look } from './look.ts';

/** A run of text in one look. The text is inert: it has been through {@link toSpans} or is the program's own. */
export interface Span {
  text: string;
  look: Look;
}

/** Columns between tab stops. */
const TAB = 4;
const ASCII = /^[\x20-\x7e]*$/;
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** East Asian wide and fullwidth blocks, first and last of each. */
const WIDE: readonly (readonly [number, number])[] = [
  [0x1100, 0x115f],
  [0x231a, 0x231b],
  [0x2329, 0x232a],
  [0x2e80, 0x303e],
  [0x3041, 0x33ff],
  [0x3400, 0x4dbf],
  [0x4e00, 0xa4cf],
  [0xa960, 0xa97f],
  [0xac00, 0xd7a3],
  [0xf900, 0xfaff],
  [0xfe30, 0xfe6f],
  [0xff00, 0xff60],
  [0xffe0, 0xffe6],
  [0x16fe0, 0x18dff],
  [0x1b000, 0x1b2ff],
  [0x20000, 0x3fffd],
];

/** Columns of one character as a person counts them (a letter with its marks, an emoji with what is joined to it). */
function graphemeWidth(grapheme: string): number {
  const code = grapheme.codePointAt(0) ?? 0;
  if (code < 0x300) return 1;
  if (/^\p{M}/u.test(grapheme)) return 0;
  if (grapheme.includes('\ufe0f') || /^\p{Emoji_Presentation}/u.test(grapheme)) return 2;
  return WIDE.some(([first, last]) => code >= first && code <= last) ? 2 : 1;
}

/** Columns of a text without controls and tabs. */
export function textWidth(text: string): number {
  if (ASCII.test(text)) return text.length;
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += graphemeWidth(segment);
  return width;
}

/**
 * Hostile text as spans that a terminal does not act on: tabs as spaces up to the next stop from `column`, what can't be
 * seen shown and marked. The second value is the column after it.
 */
export function toSpans(text: string, look: Look, column = 0): [Span[], number] {
  if (ASCII.test(text)) return [text === '' ? [] : [{ text, look }], column + text.length];
  const spans: Span[] = [];
  let run = '';
  let at = column;
  for (const { segment } of graphemes.segment(text)) {
    const shown = segment === '\t' ? ' '.repeat(TAB - (at % TAB)) : escapeForTerminal(segment, INERT);
    if (segment === '\t' || shown === segment) {
      run += shown;
      at += segment === '\t' ? shown.length : graphemeWidth(segment);
      continue;
    }
    if (run !== '') spans.push({ text: run, look });
    run = '';
    spans.push({ text: shown, look: { ...look, fg: 'hidden', inverse: true } });
    at += shown.length;
  }
  if (run !== '') spans.push({ text: run, look });
  return [spans, at];
}

const INERT = { keepNewlines: false, keepTabs: false };

/**
 * The spans in exactly `width` columns, from column `from` on, padded with blanks in `pad`. What does not fit on the right
 * is announced by `…`. A wide character that is cut becomes a blank.
 */
export function cutTo(spans: readonly Span[], width: number, pad: Look = {}, from = 0): Span[] {
  const [out, end] = clip(spans, from, from + width);
  if (end > from + width && width > 1) {
    const look = out.at(-1)?.look ?? pad;
    return [...clip(out, 0, width - 1)[0], { text: '…', look: { ...look, dim: true } }];
  }
  const missing = from + width - Math.max(end, from);
  if (missing > 0) out.push({ text: ' '.repeat(missing), look: pad });
  return out;
}

/** What stands between two columns, and the column at which the spans end, as far as they were read. */
function clip(spans: readonly Span[], from: number, to: number): [Span[], number] {
  const out: Span[] = [];
  let column = 0;
  for (const { text, look } of spans) {
    const size = textWidth(text);
    const isWhole = column >= from && column + size <= to;
    if (isWhole) out.push({ text, look });
    else if (column + size > from && column < to) {
      out.push({ text: slice(text, from - column, to - column), look });
    }
    column += size;
    if (column > to) break;
  }
  return [out, column];
}

/** The part of a text between two columns. */
function slice(text: string, from: number, to: number): string {
  if (ASCII.test(text)) return text.slice(Math.max(0, from), to);
  let out = '';
  let column = 0;
  for (const { segment } of graphemes.segment(text)) {
    const size = graphemeWidth(segment);
    if (column >= to) break;
    if (column >= from && column + size <= to) out += segment;
    else if (column + size > from) out += ' '.repeat(Math.min(column + size, to) - Math.max(column, from));
    column += size;
  }
  return out;
}

/** A plain text of the program's own in exactly `width` columns. */
export function pad(text: string, width: number, look: Look = {}): Span[] {
  return cutTo([{ text, look }], width, look);
}
