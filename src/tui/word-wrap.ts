/** Text of people and models broken between words, as it streams in. */
import { textWidth } from './review/cells.ts';

/** From here on scripts are written without blanks: a line may break after any character. */
const FIRST_WITHOUT_BLANKS = 0x2e80;

/**
 * Holds back the word that is not complete yet. Line ends and the blanks that begin a line stay; a word longer than a line is
 * left to the terminal. The text must be escaped already and hold no escape sequences.
 */
export class WordWrap {
  readonly #columns: () => number;
  readonly #indent: string;
  #column = 0;
  #blanks = '';
  #word = '';

  /** `indent` begins each line that this breaks. */
  constructor(columns: () => number, indent = '') {
    this.#columns = columns;
    this.#indent = indent;
  }

  push(text: string): string {
    let out = '';
    for (const char of text) {
      if (char === '\n') {
        out += `${this.end()}\n`;
        this.#column = 0;
      } else if (char === ' ') {
        out += this.#endWord();
        this.#blanks += char;
      } else if ((char.codePointAt(0) ?? 0) < FIRST_WITHOUT_BLANKS) this.#word += char;
      else {
        out += this.#endWord();
        this.#word = char;
        out += this.#endWord();
      }
    }
    return out;
  }

  /** What is held back; the line goes on. */
  end(): string {
    const out = this.#endWord() + this.#blanks;
    this.#column += this.#blanks.length;
    this.#blanks = '';
    return out;
  }

  /** A new line begins, written by somebody else. */
  restart(): void {
    this.#column = 0;
  }

  #endWord(): string {
    if (this.#word === '') return '';
    const [blanks, word] = [this.#blanks, this.#word];
    this.#blanks = '';
    this.#word = '';
    const width = textWidth(word);
    if (this.#column > this.#indent.length && this.#column + blanks.length + width > this.#columns()) {
      this.#column = this.#indent.length + width;
      return `\n${this.#indent}${word}`;
    }
    this.#column += blanks.length + width;
    return blanks + word;
  }
}

/** A whole text, broken between words. */
export function wrapWords(text: string, columns: number, indent = ''): string {
  const wrap = new WordWrap(() => columns, indent);
  return wrap.push(text) + wrap.end();
}
