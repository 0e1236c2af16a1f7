/**
 * Content on its way to a consumer that may be slow. While the consumer's promise is pending, what arrives is kept;
 * credit bounds how much. Tiny pieces are gathered, so that a flood of one-byte frames costs no object each.
 */
const GATHER_BYTES = 16_384;

interface Waiting {
  channel: 0 | 1;
  bytes: Buffer;
  fill: number;
}

export class OutputQueue {
  readonly #consume: (bytes: Buffer, channel: 0 | 1) => void | Promise<void>;
  readonly #onTaken: (size: number) => void;
  #waiting: Waiting[] = [];
  #pending: Promise<void> | undefined;
  readonly #onFailure: (error: Error) => void;
  #whenIdle: (() => void)[] = [];

  /** `onTaken` is told of every byte that the consumer is done with; `onFailure` of a promise that it broke. */
  constructor(
    consume: (bytes: Buffer, channel: 0 | 1) => void | Promise<void>,
    onTaken: (size: number) => void,
    onFailure: (error: Error) => void,
  ) {
    this.#consume = consume;
    this.#onTaken = onTaken;
    this.#onFailure = onFailure;
  }

  /** True while the consumer holds content back. */
  get isBusy(): boolean {
    return this.#pending !== undefined;
  }

  /** Throws what the consumer throws, when it does so at once. */
  push(bytes: Buffer, channel: 0 | 1): void {
    if (this.#pending === undefined) {
      this.#deliver(bytes, channel);
      return;
    }
    const last = this.#waiting.at(-1);
    if (last?.channel === channel && last.bytes.length - last.fill >= bytes.length && bytes.length > 0) {
      bytes.copy(last.bytes, last.fill);
      last.fill += bytes.length;
    } else if (bytes.length < GATHER_BYTES) {
      const gathered = Buffer.allocUnsafeSlow(GATHER_BYTES);
      bytes.copy(gathered);
      this.#waiting.push({ channel, bytes: gathered, fill: bytes.length });
    } else {
      this.#waiting.push({ channel, bytes, fill: bytes.length });
    }
  }

  /** Resolves when all was taken or thrown away. */
  async idle(): Promise<void> {
    if (this.#pending !== undefined) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
  }

  /** Throws away what waits; returns its size. */
  discard(): number {
    let size = 0;
    for (const waiting of this.#waiting) size += waiting.fill;
    this.#waiting = [];
    return size;
  }

  #deliver(bytes: Buffer, channel: 0 | 1): void {
    const result = this.#consume(bytes, channel);
    if (result === undefined) {
      this.#onTaken(bytes.length);
      return;
    }
    this.#pending = result.then(
      () => this.#next(bytes.length),
      (error: Error) => {
        this.#onFailure(error);
        this.#finish(bytes.length);
      },
    );
  }

  #next(taken: number): void {
    this.#pending = undefined;
    let done = taken;
    try {
      while (this.#pending === undefined) {
        const waiting = this.#waiting.shift();
        if (waiting === undefined) break;
        this.#onTaken(done);
        done = 0;
        this.#deliver(waiting.bytes.subarray(0, waiting.fill), waiting.channel);
      }
    } catch (error) {
      this.#onFailure(error instanceof Error ? error : new Error(String(error)));
    }
    if (this.#pending === undefined) this.#finish(done);
    else this.#onTaken(done);
  }

  #finish(taken: number): void {
    this.#pending = undefined;
    this.#onTaken(taken);
    for (const resolve of this.#whenIdle.splice(0)) resolve();
  }
}
