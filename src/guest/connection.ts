/**
 * The connection to one guest agent: frames in and out, and the streams that share it. Any violation ends it, and
 * with it everything that is pending.
 */
import type { Duplex } from 'node:stream';
import { SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import { badFrame } from '../protocol/bad-frame.ts';
import { encodeFrame, FRAME, type Frame, FrameDecoder } from '../protocol/frames.ts';
import { decodeFailure, decodeHello, encodeKnock, type Hello } from '../protocol/greeting.ts';
import type { Deadlines } from './deadlines.ts';
import { type StreamHandler, WireStream } from './wire-stream.ts';

/** HELLOs that may come beside the one that counts: a restored guest may greet before it hears our knock. */
const MAX_STRAY_HELLOS = 16;

export class Connection {
  /** Settles with the reason when the connection is over. Never rejects. */
  readonly closed: Promise<Error>;
  readonly deadlines: Deadlines;
  readonly #channel: Duplex;
  readonly #decoder = new FrameDecoder('guest');
  readonly #streams = new Map<number, WireStream>();
  #nextId = 1;
  #frames = 0;
  #strayHellos = 0;
  #failure: Error | undefined;
  #onHello: ((payload: Buffer) => void) | undefined;
  #resolveClosed: (reason: Error) => void = () => undefined;
  #frameTimer: NodeJS.Timeout | undefined;
  #drain: Promise<void> | undefined;

  /** Takes over the channel. */
  constructor(channel: Duplex, deadlines: Deadlines) {
    this.#channel = channel;
    this.deadlines = deadlines;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    channel.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    channel.on('error', (error) => this.fail(lost(error)));
    channel.on('end', () => this.fail(lost()));
    channel.on('close', () => this.fail(lost()));
  }

  get isOver(): boolean {
    return this.#failure !== undefined;
  }

  /** Waits for the guest's greeting; with a nonce it knocks first and takes only the greeting that carries it. */
  greet(nonce: bigint | undefined): Promise<Hello> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const message = `The guest agent did not answer within ${this.deadlines.helloMs} ms (phase: hello).`;
        this.fail(new SafeCoderError('guest/timeout', message, { details: { phase: 'hello' } }));
      }, this.deadlines.helloMs);
      void this.closed.then((reason) => {
        clearTimeout(timer);
        reject(reason);
      });
      this.#onHello = (payload) => {
        const answer = decodeHello(payload);
        if (answer.nonce !== (nonce ?? 0n)) return this.#countStray();
        clearTimeout(timer);
        this.#onHello = undefined;
        resolve(answer.hello);
      };
      if (nonce !== undefined) void this.post(FRAME.knock, 0, encodeKnock(nonce));
    });
  }

  #countStray(): void {
    this.#strayHellos += 1;
    if (this.#strayHellos > MAX_STRAY_HELLOS) throw badFrame('too many greetings');
  }

  /** Opens a stream with a request. A connection that is over gives a stream that has failed already. */
  open(type: number, payload: Uint8Array, handler: StreamHandler): WireStream {
    const stream = new WireStream(this.#nextId++, this, handler);
    if (this.#failure !== undefined) {
      stream.break(this.#failure);
      return stream;
    }
    this.#streams.set(stream.id, stream);
    void this.post(type, stream.id, payload);
    return stream;
  }

  forget(id: number): void {
    this.#streams.delete(id);
  }

  /** Writes a frame; resolves when the channel takes more, or when the connection is over. */
  async post(type: number, stream: number, payload?: Uint8Array, flags = 0): Promise<void> {
    if (this.#failure !== undefined) return;
    if (this.#channel.write(encodeFrame(type, stream, payload, flags))) return;
    this.#drain ??= new Promise<void>((resolve) => {
      const done = () => {
        this.#channel.off('drain', done);
        this.#drain = undefined;
        resolve();
      };
      this.#channel.on('drain', done);
      void this.closed.then(done);
    });
    await this.#drain;
  }

  /** Ends the connection for this reason. The first reason wins. */
  fail(reason: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    clearTimeout(this.#frameTimer);
    this.#channel.destroy();
    const streams = [...this.#streams.values()];
    this.#streams.clear();
    for (const stream of streams) stream.break(reason);
    this.#resolveClosed(reason);
  }

  #onChunk(chunk: Buffer): void {
    if (this.#failure !== undefined) return;
    try {
      this.#decoder.push(chunk, (frame) => {
        // A frame may have ended the connection; what follows it in this chunk counts no more.
        if (this.#failure !== undefined) return;
        this.#frames += 1;
        this.#take(frame);
      });
    } catch (error) {
      this.fail(toSafeCoderError(error));
      return;
    }
    if (this.#decoder.isPartial) this.#watchFrame();
  }

  #take(frame: Frame): void {
    if (frame.type === FRAME.hello) {
      this.#takeHello(frame.payload);
      return;
    }
    if (frame.type === FRAME.fatal) {
      const { message } = decodeFailure(frame.payload);
      const text = `The guest agent gave up: ${message}. What was running has an unknown outcome.`;
      this.fail(new SafeCoderError('guest/lost', text));
      return;
    }
    const stream = this.#streams.get(frame.stream);
    if (stream === undefined)
      throw badFrame(`frame type ${frame.type} on stream ${frame.stream}, which is not open`);
    stream.take(frame);
  }

  #takeHello(payload: Buffer): void {
    if (this.#onHello !== undefined) {
      this.#onHello(payload);
      return;
    }
    // The unasked greeting of a restored guest may cross our knock; anything beyond a few is a flood.
    decodeHello(payload);
    this.#countStray();
  }

  /** A frame that has begun must be complete within its deadline, however slowly bytes drip in. */
  #watchFrame(): void {
    if (this.#frameTimer !== undefined) return;
    const begun = this.#frames;
    this.#frameTimer = setTimeout(() => {
      this.#frameTimer = undefined;
      if (!this.#decoder.isPartial) return;
      if (this.#frames !== begun) return this.#watchFrame();
      const message = `The guest did not finish a frame within ${this.deadlines.frameMs} ms (phase: frame).`;
      this.fail(new SafeCoderError('guest/timeout', message, { details: { phase: 'frame' } }));
    }, this.deadlines.frameMs);
    this.#frameTimer.unref();
  }
}

function lost(cause?: Error): SafeCoderError {
  return new SafeCoderError(
    'guest/lost',
    'The connection to the guest ended. What was running has an unknown outcome.',
    {
      ...(cause === undefined ? {} : { cause }),
      hint: 'The ledger is intact: "safe-coder apply" writes what it holds.',
    },
  );
}
