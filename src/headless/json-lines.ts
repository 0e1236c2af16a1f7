/** Machine-readable output: one JSON object a line, nothing else. */
import type { SafeCoderEvent } from '../base/events.ts';

/**
 * Writes events as JSON lines. Control and invisible characters in strings are escaped by JSON itself or, where JSON
 * would let them through (C1, bidirectional marks, line separators), by us, so that a line is inert on a terminal too.
 */
export function createJsonLines(
  write: (text: string) => void,
): (event: SafeCoderEvent | Record<string, unknown>) => void {
  return (event) => write(`${toInertJson(event)}\n`);
}

/** JSON with every character that a terminal could act on, or an eye not see, as `\uXXXX`. */
export function toInertJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/gu,
    (char) =>
      Array.from(
        { length: char.length },
        (_, index) => `\\u${char.charCodeAt(index).toString(16).padStart(4, '0')}`,
      ).join(''),
  );
}
