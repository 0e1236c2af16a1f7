/** Text on one line of a screen. */
import { escapeForTerminal } from '../base/terminal-text.ts';
import { textWidth } from './review/cells.ts';
import type { Screen } from './style.ts';

const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });

/** The text in at most so many columns; `…` in the last one says that there was more. */
export function cutText(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let out = '';
  let column = 0;
  for (const { segment } of graphemes.segment(text)) {
    column += textWidth(segment);
    if (column >= width) break;
    out += segment;
  }
  return `${out}…`;
}

/** {@link cutText} to where a terminal's line ends; in a file or a pipe nothing is cut. */
export function cutToScreen(text: string, screen: Screen): string {
  return screen.isTerminal ? cutText(text, screen.columns) : text;
}

/** The text in exactly so many columns. */
export function padText(text: string, width: number): string {
  const cut = cutText(text, width);
  return cut + ' '.repeat(Math.max(0, width - textWidth(cut)));
}

/** Hostile text on one line, with its line breaks as signs and nothing in it that a terminal obeys. */
export function toOneLine(text: string): string {
  return escapeForTerminal(text.trim().replace(/\s*\n\s*/g, ' ⏎ '), { keepNewlines: false, keepTabs: false });
}
