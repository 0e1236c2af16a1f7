/** What text rules ask about: both sides of one file, what was added, and what can be told of it cheaply. */
import { isAscii } from 'node:buffer';
import { isBinary } from '../../base/is-binary.ts';
import { addedLines } from './added-lines.ts';
import { foldPath } from './match-names.ts';
import type { RiskChange } from './rule.ts';

/** Each property is found out once, when it is first asked for. */
export class TextFacts {
  readonly change: RiskChange;
  readonly before: Uint8Array | undefined;
  readonly after: Uint8Array;
  #added: string | undefined;
  #path: string | undefined;
  #isPlain: boolean | undefined;
  #longest: number | undefined;

  constructor(change: RiskChange, before: Uint8Array | undefined, after: Uint8Array) {
    this.change = change;
    this.before = before === undefined || isBinary(before) ? undefined : before;
    this.after = after;
  }

  /** Folded, as names are compared. */
  get path(): string {
    this.#path ??= foldPath(this.change.path);
    return this.#path;
  }

  get name(): string {
    return this.path.slice(this.path.lastIndexOf('/') + 1);
  }

  /** The lines that are new, each with its line feed between. */
  get added(): string {
    this.#added ??= addedLines(this.before, this.after);
    return this.#added;
  }

  /** Of the longest added line, in UTF-16 units. */
  get longestLine(): number {
    this.#longest ??= longestLine(this.added);
    return this.#longest;
  }

  /** Nothing but ASCII is added. */
  get isPlain(): boolean {
    this.#isPlain ??= isAscii(this.after) || /^[\0-\x7f]*$/.test(this.added);
    return this.#isPlain;
  }
}

export function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? '' : new TextDecoder('utf-8').decode(bytes);
}

function longestLine(text: string): number {
  let longest = 0;
  for (let start = 0; start <= text.length; ) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    longest = Math.max(longest, end - start);
    start = end + 1;
  }
  return longest;
}
