/** Output as it comes, for the person watching: at most twenty times a second, and never more at once than can be read. */
import { LIMITS } from './limits.ts';

/** Give it chunks; it calls back with text. Silent once it is disposed. */
export class LiveOutput implements Disposable {
  readonly #decoder = new TextDecoder();
  readonly #emit: (text: string) => void;
  #waiting = '';
  #left = 0;
  #timer: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(emit: (text: string) => void) {
    this.#emit = emit;
  }

  push(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#waiting += this.#decoder.decode(chunk, { stream: true });
    if (this.#waiting.length > LIMITS.liveOutputChars) {
      this.#left += this.#waiting.length - LIMITS.liveOutputChars;
      this.#waiting = this.#waiting.slice(-LIMITS.liveOutputChars);
    }
    if (this.#timer === undefined) this.#flushAndWait();
  }

  /** After each callback comes a pause, whatever happens in it. */
  #flushAndWait(): void {
    this.#timer = undefined;
    if (this.#waiting === '') return;
    this.#flush();
    this.#timer = setTimeout(() => this.#flushAndWait(), LIMITS.liveOutputMs);
  }

  #flush(): void {
    if (this.#waiting === '') return;
    const text = this.#left > 0 ? `\n[${this.#left} characters not shown]\n${this.#waiting}` : this.#waiting;
    this.#waiting = '';
    this.#left = 0;
    this.#emit(text);
  }

  /** Gives out what is waiting, and then nothing more. */
  [Symbol.dispose](): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#waiting += this.#decoder.decode();
    this.#flush();
  }
}
