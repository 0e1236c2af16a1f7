/** Lines from a person, with editing and history, and what Ctrl-C and Ctrl-D mean. */
import { createInterface, type Interface } from 'node:readline';

export type Line = { kind: 'line'; text: string } | { kind: 'interrupt' } | { kind: 'end' };

/** More lines that arrive within this time of each other are one paste. */
const PASTE_MS = 25;

/**
 * Reads lines while a prompt is shown. Lines that come in one burst (a paste) are one text. Between prompts, keys are not
 * read, except that Ctrl-C is reported to `onInterrupt`.
 */
export class LineEditor implements Disposable {
  readonly #input: NodeJS.ReadStream;
  readonly #output: NodeJS.WriteStream;
  readonly #history: string[];
  #lines: Interface;
  readonly #queue: string[] = [];
  #waiting: ((line: Line) => void) | undefined;
  #burst: string[] = [];
  #burstTimer: NodeJS.Timeout | undefined;
  #isEnded = false;
  #isDisposed = false;
  onInterrupt: () => void = () => undefined;

  constructor(input: NodeJS.ReadStream, output: NodeJS.WriteStream, history: string[]) {
    this.#input = input;
    this.#output = output;
    this.#history = history;
    this.#lines = this.#open();
  }

  #open(): Interface {
    const lines = createInterface({
      input: this.#input,
      output: this.#output,
      terminal: this.#output.isTTY === true && this.#input.isTTY === true,
      history: this.#history,
      historySize: 500,
      removeHistoryDuplicates: true,
    });
    lines.on('line', (text) => this.#collect(text));
    lines.on('SIGINT', () => this.#interrupt());
    lines.on('history', (history) => this.#history.splice(0, this.#history.length, ...history));
    lines.on('close', () => this.#end());
    return lines;
  }

  /** Shows the prompt and waits for a text, Ctrl-C or the end of input. */
  read(prompt: string): Promise<Line> {
    const text = this.#queue.shift();
    if (text !== undefined) return Promise.resolve({ kind: 'line', text });
    if (this.#isEnded && !this.#reopen()) return Promise.resolve({ kind: 'end' });
    this.#lines.setPrompt(prompt);
    this.#lines.prompt();
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /**
   * Asks in between, also while a {@link read} waits: its prompt and what was typed there come back afterwards. What was typed
   * before the question was shown does not answer it.
   */
  async ask(prompt: string): Promise<Line> {
    const { waiting, prompted } = { waiting: this.#waiting, prompted: this.#lines.getPrompt() };
    const typed = waiting ? this.#lines.line : '';
    this.forgetQueued();
    const line = await this.read(prompt);
    if (waiting && !this.#isEnded) {
      this.#waiting = waiting;
      this.#lines.setPrompt(prompted);
      this.#lines.prompt();
      this.#lines.write(typed);
    } else if (waiting) waiting({ kind: 'end' });
    return line;
  }

  /** Texts that were typed while nobody asked; they answer the next reads. */
  get queued(): number {
    return this.#queue.length;
  }

  /** Forgets what was typed ahead: it must not answer a question that nobody has seen. */
  forgetQueued(): void {
    this.#queue.length = 0;
    this.#burst = [];
    clearTimeout(this.#burstTimer);
    if (this.#isEnded) return;
    // Clearing the line draws the prompt again: an empty one leaves no trace.
    this.#lines.setPrompt('');
    this.#lines.write(null, { ctrl: true, name: 'u' });
  }

  /** Gives the terminal to somebody else; the next read takes it back. Nobody may be waiting for a text. */
  suspend(): void {
    if (this.#isEnded) return;
    this.#lines.close();
  }

  /** Ctrl-D ends one read, not the terminal: there can be another. */
  #reopen(): boolean {
    if (this.#isDisposed || this.#input.isTTY !== true || this.#input.readableEnded) return false;
    this.#isEnded = false;
    this.#lines = this.#open();
    return true;
  }

  #collect(text: string): void {
    this.#burst.push(text);
    clearTimeout(this.#burstTimer);
    this.#burstTimer = setTimeout(() => this.#deliver(), PASTE_MS);
  }

  #deliver(): void {
    const text = this.#burst.join('\n');
    this.#burst = [];
    if (this.#waiting) this.#settle({ kind: 'line', text });
    else this.#queue.push(text);
  }

  #interrupt(): void {
    if (this.#waiting) this.#settle({ kind: 'interrupt' });
    else this.onInterrupt();
  }

  #end(): void {
    this.#isEnded = true;
    clearTimeout(this.#burstTimer);
    if (this.#burst.length > 0) this.#deliver();
    this.#settle({ kind: 'end' });
  }

  #settle(line: Line): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    clearTimeout(this.#burstTimer);
    this.#lines.close();
    this.#input.pause();
  }
}
