/** Cutting text to what a model should read at once, never inside a character. */
import { LIMITS } from './limits.ts';

/** The line, or its first `most` characters and how many more there are. */
export function cutLine(line: string, most: number = LIMITS.lineChars): string {
  if (line.length <= most) return line;
  const head = line.slice(0, endOfCharacter(line, most));
  return `${head} … [${line.length - head.length} more characters]`;
}

/** `at`, or one less when it would cut a surrogate pair. */
function endOfCharacter(text: string, at: number): number {
  const unit = text.charCodeAt(at - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? at - 1 : at;
}

/** Room for a result's own notes beside the budget for content. */
const SLACK_BYTES = 8 * 1024;
const SLACK_LINES = 100;

/**
 * A last guard for every result: text within the budget (and a little room for notes) as it is, anything longer cut at
 * its end, saying so. Tools cut with more sense before this.
 */
export function cutToBudget(text: string): string {
  const mostBytes = LIMITS.resultBytes + SLACK_BYTES;
  const lines = text.split('\n', LIMITS.resultLines + SLACK_LINES + 1);
  const hasTooManyLines = lines.length > LIMITS.resultLines + SLACK_LINES;
  if (!hasTooManyLines && Buffer.byteLength(text) <= mostBytes) return text;
  const kept = hasTooManyLines ? lines.slice(0, -1).join('\n') : text;
  return `${headOfBytes(kept, mostBytes)}\n[cut: the result was ${text.length} characters long]`;
}

/** The longest start of the text that is at most so many bytes of UTF-8. */
export function headOfBytes(text: string, most: number): string {
  if (Buffer.byteLength(text) <= most) return text;
  let end = Math.min(text.length, most);
  while (Buffer.byteLength(text.slice(0, end)) > most) {
    end -= Math.max(1, Math.floor((Buffer.byteLength(text.slice(0, end)) - most) / 4));
  }
  return text.slice(0, endOfCharacter(text, end));
}
