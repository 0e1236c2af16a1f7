/** Syntax colours without ever waiting for them: asked for, answered later, given up at a deadline. */
import { Worker } from 'node:worker_threads';
import type { HighlightRequest } from './highlight-worker.ts';
import type { Token } from './tokens.ts';

/** A block of lines takes a few milliseconds; what takes this long will not end. */
const DEADLINE_MS = 1500;
/** Longer lines are left without colours: they are minified, and cost the most. */
const MAX_LINE = 500;

interface Waiting {
  request: HighlightRequest;
  settle: (tokens: Token[][]) => void;
}

/** One block at a time in one thread. Ends the thread when disposed; what is asked for after that gets no colours. */
export class Highlighter implements AsyncDisposable {
  #worker: Worker | undefined;
  #queue: Waiting[] = [];
  #running: Waiting | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastId = 0;
  #isDisposed = false;
  readonly #deadlineMs: number;
  /** Grammars that did not come to an end once. */
  readonly #givenUp = new Set<string>();

  constructor(options: { deadlineMs?: number } = {}) {
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /** Tokens for each line; an empty list when there are none to be had. Never rejects. */
  colour(language: string, lines: readonly string[]): Promise<Token[][]> {
    if (this.#isDisposed || this.#givenUp.has(language)) return Promise.resolve([]);
    const request = {
      id: ++this.#lastId,
      language,
      lines: lines.map((line) => (line.length > MAX_LINE ? '' : line)),
    };
    return new Promise((settle) => {
      this.#queue.push({ request, settle });
      this.#next();
    });
  }

  #next(): void {
    if (this.#running !== undefined || this.#isDisposed) return;
    this.#running = this.#queue.shift();
    if (this.#running === undefined) return;
    this.#worker ??= this.#start();
    this.#timer = setTimeout(() => this.#giveUp(), this.#deadlineMs);
    this.#worker.postMessage(this.#running.request);
  }

  #start(): Worker {
    // Beside this file, built or not.
    const name = import.meta.url.endsWith('.ts') ? './highlight-worker.ts' : './highlight-worker.js';
    const worker = new Worker(new URL(name, import.meta.url), {
      // What a grammar can take: a runaway search ends by the deadline, a runaway memory by this.
      resourceLimits: { maxOldGenerationSizeMb: 256 },
      stdout: true,
      stderr: true,
    });
    worker.unref();
    worker.on('message', ({ id, tokens }: { id: number; tokens: Token[][] }) => {
      if (id === this.#running?.request.id) this.#answer(tokens);
    });
    worker.on('error', () => {
      if (worker === this.#worker) this.#giveUp();
    });
    return worker;
  }

  #answer(tokens: Token[][]): void {
    clearTimeout(this.#timer);
    const done = this.#running;
    this.#running = undefined;
    done?.settle(tokens);
    this.#next();
  }

  #giveUp(): void {
    const worker = this.#worker;
    this.#worker = undefined;
    void worker?.terminate();
    if (this.#running !== undefined) this.#givenUp.add(this.#running.request.language);
    this.#answer([]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    clearTimeout(this.#timer);
    for (const { settle } of [...(this.#running ? [this.#running] : []), ...this.#queue]) settle([]);
    this.#running = undefined;
    this.#queue = [];
    const worker = this.#worker;
    this.#worker = undefined;
    await worker?.terminate();
  }
}
