/**
 * One stream: a request and what comes back, with credit in both directions. It knows nothing of verbs. The connection
 * hands it frames and takes its own.
 */
import { getSystemErrorName } from 'node:util';
import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { decodeAll, readCredit } from '../protocol/answers.ts';
import { badFrame } from '../protocol/bad-frame.ts';
import { ByteWriter } from '../protocol/byte-writer.ts';
import { FRAME, type Frame, INITIAL_CREDIT, MAX_CREDIT, MAX_DATA } from '../protocol/frames.ts';
import { decodeFailure } from '../protocol/greeting.ts';
import { OutputQueue } from './output-queue.ts';

export interface StreamHandler {
  /** What was asked, for error messages: `read /etc/passwd`. */
  what: string;
  /** The first answer. Absent: the verb has none, and one is a violation. */
  onReply?: (payload: Buffer) => void;
  /** Content. Absent: the verb has none. A promise holds back further content, and credit, until it settles. */
  onData?: (bytes: Buffer, channel: 0 | 1) => void | Promise<void>;
  /** The guest sends no more content. Absent: it may not say so. */
  onEof?: () => void;
  /** Content may come before the first answer: a program's output and the news that it runs take different ways. */
  contentMayLead?: boolean;
  /** Milliseconds of silence after which the guest is given up on; undefined: silence is fine. */
  silenceMs?: number | undefined;
  /** Milliseconds from CANCEL to the stream's end. */
  cancelMs: number;
  /** Called when the guest doesn't end the stream in time after a CANCEL. */
  onCancelIgnored?: () => void;
}

export interface StreamOwner {
  /** Writes a frame; resolves when more may be written. */
  post(type: number, stream: number, payload?: Uint8Array, flags?: number): Promise<void>;
  /** The stream had its END or ERROR and is no longer open. */
  forget(stream: number): void;
  /** A violation: ends the connection. */
  fail(error: Error): void;
}

/** Credit is given back in pieces of at least this, so that small reads don't cost a frame each. */
const CREDIT_STEP = INITIAL_CREDIT / 4;

export class WireStream {
  readonly id: number;
  /** END's payload; rejects with `guest/failed` on ERROR, or with what the stream was ended for. */
  readonly ended: Promise<Buffer>;
  readonly #owner: StreamOwner;
  readonly #handler: StreamHandler;
  readonly #queue: OutputQueue;
  #resolve: (payload: Buffer) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;
  #isSettled = false;
  #isOver = false;
  #hasReply = false;
  #hasEof = false;
  /** What the guest may still send, and what it was given back but not told of yet. */
  #guestCredit = INITIAL_CREDIT;
  #unsentCredit = 0;
  /** What we may still send. */
  #hostCredit = INITIAL_CREDIT;
  #wake: (() => void) | undefined;
  /** Content goes out in the order it was given, and EOF after it. */
  #sending: Promise<void> = Promise.resolve();
  #hostBusy = 0;
  #lastSign = performance.now();
  #silence: NodeJS.Timeout | undefined;
  #cancelling: NodeJS.Timeout | undefined;

  constructor(id: number, owner: StreamOwner, handler: StreamHandler) {
    this.id = id;
    this.#owner = owner;
    this.#handler = handler;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Whoever awaits `ended` gets the rejection; when nobody does (yet), it must not end the process.
    this.ended.catch(() => undefined);
    this.#queue = new OutputQueue(
      (bytes, channel) => handler.onData?.(bytes, channel),
      (size) => this.#giveBack(size),
      (error) => this.#onConsumerFailure(error),
    );
    this.#watchSilence();
  }

  /** True when neither END nor ERROR has come. */
  get isOpen(): boolean {
    return !this.#isOver;
  }

  /** Takes a frame of the guest for this stream. Throws `guest/bad-frame`. */
  take(frame: Frame): void {
    this.#lastSign = performance.now();
    switch (frame.type) {
      case FRAME.data:
        this.#takeData(frame);
        return;
      case FRAME.reply:
        if (this.#hasReply || this.#handler.onReply === undefined)
          throw badFrame('an answer nobody asked for');
        this.#hasReply = true;
        if (!this.#isSettled) this.#guarded(() => this.#handler.onReply?.(frame.payload));
        return;
      case FRAME.eof:
        if (this.#hasEof || !this.#hasReply || this.#handler.onEof === undefined)
          throw badFrame("an end of content that can't be");
        this.#hasEof = true;
        // Behind what is still on its way to the consumer.
        void this.#queue.idle().then(() => this.#handler.onEof?.());
        return;
      case FRAME.credit:
        this.#takeCredit(decodeAll(frame.payload, readCredit));
        return;
      case FRAME.end:
        if (this.#handler.onReply !== undefined && !this.#hasReply)
          throw badFrame('an end before the answer');
        this.#close(() => this.#resolve(frame.payload));
        return;
      case FRAME.error: {
        const { errno, message } = decodeFailure(frame.payload);
        this.#close(() => this.#reject(guestFailed(this.#handler.what, errno, message)));
        return;
      }
      default:
        throw badFrame(`frame type ${frame.type} on a stream`);
    }
  }

  #takeData(frame: Frame): void {
    const { onData, onReply, contentMayLead } = this.#handler;
    if (onData === undefined) throw badFrame('content nobody asked for');
    if (onReply !== undefined && !this.#hasReply && !contentMayLead)
      throw badFrame('content before the answer');
    if (this.#hasEof) throw badFrame('content after its end');
    if (frame.payload.length > this.#guestCredit) throw badFrame('content beyond its credit');
    this.#guestCredit -= frame.payload.length;
    if (this.#isSettled) {
      this.#giveBack(frame.payload.length);
      return;
    }
    this.#guarded(() => this.#queue.push(frame.payload, (frame.flags & 1) as 0 | 1));
  }

  /** A handler's violation ends the connection; any other failure of a handler ends this stream only. */
  #guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.#onConsumerFailure(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #onConsumerFailure(error: Error): void {
    if (isSafeCoderError(error, 'guest/bad-frame')) this.#owner.fail(error);
    else this.abandon(error);
  }

  #takeCredit(bytes: number): void {
    if (this.#hostCredit + bytes > MAX_CREDIT) throw badFrame(`a credit of ${bytes} bytes`);
    this.#hostCredit += bytes;
    this.#wake?.();
  }

  #giveBack(size: number): void {
    if (this.#isOver) return;
    this.#unsentCredit += size;
    if (this.#unsentCredit < CREDIT_STEP) return;
    const credit = this.#unsentCredit;
    this.#unsentCredit = 0;
    this.#guestCredit += credit;
    void this.#owner.post(FRAME.credit, this.id, new ByteWriter(4).u32(credit).done());
  }

  /** Sends content, as credit allows. Resolves early, having sent less, when the stream is over. */
  send(bytes: Uint8Array): Promise<void> {
    this.#sending = this.#sending.then(() => this.#send(bytes));
    return this.#sending;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length && !this.#isOver && !this.#isSettled) {
      if (this.#hostCredit === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        continue;
      }
      const part = bytes.subarray(at, at + Math.min(MAX_DATA, this.#hostCredit));
      this.#hostCredit -= part.length;
      at += part.length;
      await this.#owner.post(FRAME.data, this.id, part);
      this.#lastSign = performance.now();
    }
  }

  /** No more content comes after what was sent. */
  eof(): void {
    this.#sending = this.#sending.then(() => {
      this.#lastSign = performance.now();
      if (!this.#isOver) void this.#owner.post(FRAME.eof, this.id);
    });
  }

  /** A control frame: SIGNAL, RESIZE. Nothing when the stream is over. */
  control(type: number, payload: Uint8Array): void {
    if (!this.#isOver) void this.#owner.post(type, this.id, payload);
  }

  /** While `step` runs the guest is waiting for us, so that its silence means nothing. */
  async whileHostWorks<T>(step: () => Promise<T>): Promise<T> {
    this.#hostBusy += 1;
    try {
      return await step();
    } finally {
      this.#hostBusy -= 1;
      this.#lastSign = performance.now();
    }
  }

  /** Asks the guest to stop. `ended` settles as the guest answers. */
  cancel(): void {
    if (this.#isOver || this.#cancelling !== undefined) return;
    void this.#owner.post(FRAME.cancel, this.id);
    this.#armCancel();
  }

  #armCancel(): void {
    this.#cancelling = setTimeout(() => {
      // Our own consumer holds the guest back: that isn't the guest's fault.
      if (this.#queue.isBusy && !this.#isSettled) return this.#armCancel();
      this.#handler.onCancelIgnored?.();
    }, this.#handler.cancelMs);
  }

  /** Rejects `ended` now and asks the guest to stop; what still comes is thrown away. */
  abandon(error: Error): void {
    this.#settle(() => this.#reject(error));
    this.#giveBack(this.#queue.discard());
    this.cancel();
  }

  /** The connection is over. */
  break(error: Error): void {
    this.#isOver = true;
    clearTimeout(this.#cancelling);
    this.#settle(() => this.#reject(error));
    this.#queue.discard();
  }

  /** END or ERROR came: settles once all content was taken. */
  #close(settle: () => void): void {
    this.#isOver = true;
    clearTimeout(this.#cancelling);
    this.#owner.forget(this.id);
    this.#wake?.();
    void this.#queue.idle().then(() => this.#settle(settle));
  }

  #settle(how: () => void): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    clearInterval(this.#silence);
    this.#wake?.();
    how();
  }

  #watchSilence(): void {
    const { silenceMs } = this.#handler;
    if (silenceMs === undefined) return;
    this.#silence = setInterval(
      () => {
        if (this.#hostBusy > 0 || this.#queue.isBusy || this.#isOver) return;
        if (performance.now() - this.#lastSign < silenceMs) return;
        const message = `The guest gave no sign of life for ${silenceMs} ms: ${this.#handler.what}.`;
        this.abandon(
          new SafeCoderError('guest/timeout', message, { details: { phase: this.#handler.what } }),
        );
      },
      Math.max(silenceMs / 8, 5),
    );
    this.#silence.unref();
  }
}

function guestFailed(what: string, errno: number, message: string): SafeCoderError {
  const errnoName = nameOfErrno(errno);
  const own = message === '' || message === errnoName ? '' : `, ${message}`;
  return new SafeCoderError('guest/failed', `The guest could not ${what}: ${errnoName}${own}.`, {
    details: { errno, errnoName },
  });
}

/** Linux's name of an error number; its number when it has none. */
export function nameOfErrno(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    // Not an error number that this system knows; the guest may send anything.
    return `errno ${errno}`;
  }
}
