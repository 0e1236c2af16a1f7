/** ACCEPT: a client of the guest's port as an ordinary duplex stream. */
import { Duplex } from 'node:stream';
import { SafeCoderError } from '../base/errors.ts';
import { throwIfCancelled } from '../base/lifetime.ts';
import { decodeAll } from '../protocol/answers.ts';
import { FRAME } from '../protocol/frames.ts';
import { encodeAccept } from '../protocol/requests.ts';
import type { Connection } from './connection.ts';
import type { WireStream } from './wire-stream.ts';

export async function acceptClient(connection: Connection, signal: AbortSignal): Promise<Duplex> {
  throwIfCancelled(signal);
  const client = new RelayedClient(connection);
  const giveUp = () =>
    client.destroy(new SafeCoderError('cancelled', 'Cancelled.', { cause: signal.reason }));
  signal.addEventListener('abort', giveUp, { once: true });
  try {
    await client.connected;
    return client;
  } finally {
    signal.removeEventListener('abort', giveUp);
  }
}

class RelayedClient extends Duplex {
  /** Settles once there is a client, or there will be none. */
  readonly connected: Promise<void>;
  readonly #stream: WireStream;
  /** Lets the guest send on. */
  #resume: (() => void) | undefined;

  constructor(connection: Connection) {
    super({ allowHalfOpen: true });
    const connected = Promise.withResolvers<void>();
    this.connected = connected.promise;
    this.connected.catch(() => undefined);
    this.#stream = connection.open(FRAME.accept, encodeAccept(), {
      what: 'wait for a client',
      cancelMs: connection.deadlines.cancelMs,
      onReply: (payload) => {
        decodeAll(payload, () => undefined);
        connected.resolve();
      },
      onData: (bytes) => this.#take(bytes),
      onEof: () => this.push(null),
    });
    this.#stream.ended.then(
      () => this.#onEnd(),
      (error: Error) => this.destroy(error),
    );
    this.once('close', () => connected.reject(this.errored ?? new Error('The client is gone.')));
    // An error is for whoever waits or reads; one that nobody listens for yet must not end the process.
    this.on('error', () => undefined);
  }

  #take(bytes: Buffer): Promise<void> | undefined {
    if (this.destroyed || this.push(bytes)) return undefined;
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }

  #onEnd(): void {
    // The guest ends a stream when both sides have; whatever we were still sending nobody takes.
    if (!this.writableFinished) this.destroy();
  }

  override _read(): void {
    this.#resume?.();
    this.#resume = undefined;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#stream.send(chunk).then(
      () => done(),
      (error: Error) => done(error),
    );
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#stream.eof();
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this._read();
    if (this.#stream.isOpen) this.#stream.abandon(error ?? new SafeCoderError('cancelled', 'Closed.'));
    done(error);
  }
}
