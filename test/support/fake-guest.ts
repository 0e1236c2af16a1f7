/** The guest's end of the wire, played by a test: as honest or as hostile as the test likes. */
import { type Duplex, duplexPair } from 'node:stream';
import { encodeFrame, FRAME, type Frame, FrameDecoder } from '../../src/protocol/frames.ts';
import { encodeFailure, encodeHello, type Hello } from '../../src/protocol/greeting.ts';

export const HELLO: Hello = {
  version: 1,
  hasPid1: true,
  hasCgroup: true,
  hasOverlay: true,
  hasPty: true,
  agentPid: 1,
  buildId: 'abcd',
  kernel: '1.2.3-fake',
  bootId: '11111111-2222-3333-4444-555555555555',
  arch: 'x86_64',
};

export class FakeGuest {
  /** The host's end: hand it to `openGuest`. */
  readonly channel: Duplex;
  readonly #own: Duplex;
  readonly #decoder = new FrameDecoder('host');
  readonly #frames: Frame[] = [];
  #waiting: (() => void)[] = [];
  /** Answers frames as they come; without it they wait for {@link next}. */
  onFrame: ((frame: Frame) => void) | undefined;
  isClosed = false;

  constructor() {
    const [host, own] = duplexPair();
    this.channel = host;
    this.#own = own;
    own.on('data', (chunk: Buffer) => this.#decoder.push(chunk, (frame) => this.#take(frame)));
    own.on('error', () => undefined);
    own.on('close', () => this.#close());
    own.on('end', () => this.#close());
    host.on('close', () => this.#close());
  }

  #close(): void {
    this.isClosed = true;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  #take(frame: Frame): void {
    if (this.onFrame !== undefined) {
      this.onFrame(frame);
      return;
    }
    this.#frames.push(frame);
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The next frame of this type that the host sent; others before it stay. */
  async next(type: number): Promise<Frame> {
    while (true) {
      const at = this.#frames.findIndex((frame) => frame.type === type);
      const [frame] = at < 0 ? [] : this.#frames.splice(at, 1);
      if (frame !== undefined) return frame;
      if (this.isClosed) throw new Error(`the host closed the connection before frame type ${type}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  hello(change: Partial<Hello> = {}, nonce = 0n): void {
    this.send(FRAME.hello, 0, encodeHello({ ...HELLO, ...change }, nonce));
  }

  send(type: number, stream: number, payload?: Uint8Array, flags = 0): void {
    this.raw(encodeFrame(type, stream, payload, flags));
  }

  error(stream: number, errno: number, message = ''): void {
    this.send(FRAME.error, stream, encodeFailure(errno, message));
  }

  raw(bytes: Uint8Array): void {
    if (!this.isClosed) this.#own.write(bytes);
  }

  /** The connection ends, as when the machine is gone. */
  end(): void {
    this.#own.end();
  }
}
