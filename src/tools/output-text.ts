/** A command's output as the model reads it, in bounded memory: the beginning, and the last part by position. */
import { cutLine } from './budget.ts';
import { LIMITS } from './limits.ts';

const HEAD_SHARE = 0.4;
const HEAD_CHARS = Math.floor(LIMITS.resultBytes * HEAD_SHARE);

export interface Rendered {
  text: string;
  /** True when lines were left out or cut. */
  truncated: boolean;
}

export class OutputText {
  #head = '';
  /** The last characters; begins at position `#base` of the whole. */
  #tail = '';
  #base = 0;

  append(text: string): void {
    if (this.#head.length < HEAD_CHARS) this.#head += text.slice(0, HEAD_CHARS - this.#head.length);
    this.#tail += text;
    if (this.#tail.length > 2 * LIMITS.jobTextChars) {
      const cut = this.#tail.length - LIMITS.jobTextChars;
      this.#base += cut;
      this.#tail = this.#tail.slice(cut);
    }
  }

  /** Characters so far: the position where the next text will go. */
  get length(): number {
    return this.#base + this.#tail.length;
  }

  /** Everything, cut to the budget in the middle. */
  render(): Rendered {
    if (this.#base === 0) return cutMiddle(this.#tail, LIMITS.resultLines, LIMITS.resultBytes);
    const head = takeFirst(this.#head.split('\n'), headLines(LIMITS.resultLines), HEAD_CHARS);
    const tail = takeLast(
      this.#tail.split('\n').slice(1),
      tailLines(LIMITS.resultLines),
      tailBytes(LIMITS.resultBytes),
    );
    const left = this.length - head.join('\n').length - tail.join('\n').length;
    return { text: [...head, leftOut(`${left} characters`), ...tail].join('\n'), truncated: true };
  }

  /** What came at or after a position, cut to the budget in the middle. `lost` counts characters that are held no more. */
  renderSince(position: number): Rendered & { lost: number } {
    const lost = Math.max(0, this.#base - position);
    const text = this.#tail.slice(Math.max(0, position - this.#base));
    const rendered = cutMiddle(text, LIMITS.resultLines, LIMITS.resultBytes);
    return { ...rendered, truncated: rendered.truncated || lost > 0, lost };
  }
}

function headLines(lines: number): number {
  return Math.floor(lines * HEAD_SHARE);
}

function tailLines(lines: number): number {
  return lines - headLines(lines);
}

function tailBytes(bytes: number): number {
  return bytes - Math.floor(bytes * HEAD_SHARE);
}

function leftOut(what: string): string {
  return `[… ${what} left out here …]`;
}

/** The text with long lines cut, and with its middle left out when it is still more than the budget: 40 % head, 60 % tail. */
function cutMiddle(text: string, mostLines: number, mostBytes: number): Rendered {
  const uncut = text.split('\n');
  const hasLongLine = uncut.some((line) => line.length > LIMITS.lineChars);
  const lines = uncut.map((line) => cutLine(line));
  const whole = lines.join('\n');
  if (lines.length <= mostLines + 1 && Buffer.byteLength(whole) <= mostBytes) {
    return { text: whole, truncated: hasLongLine };
  }
  const head = takeFirst(lines, headLines(mostLines), Math.floor(mostBytes * HEAD_SHARE));
  const tail = takeLast(lines.slice(head.length), tailLines(mostLines), tailBytes(mostBytes));
  const left = lines.length - head.length - tail.length;
  return { text: [...head, leftOut(`${left} lines`), ...tail].join('\n'), truncated: true };
}

function takeFirst(lines: string[], most: number, bytes: number): string[] {
  let used = 0;
  const end = lines.slice(0, most).findIndex((line) => {
    used += Buffer.byteLength(cutLine(line)) + 1;
    return used > bytes;
  });
  return lines.slice(0, end === -1 ? most : end).map((line) => cutLine(line));
}

function takeLast(lines: string[], most: number, bytes: number): string[] {
  const taken = takeFirst(lines.slice(-most).reverse(), most, bytes);
  return taken.reverse();
}
