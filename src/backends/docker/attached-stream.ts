/** A container's standard streams over one connection: what it reads, what it writes, and what it complains of. */
import { Duplex } from 'node:stream';

const HEADER = 8;
const STDOUT = 1;
const STDERR = 2;

/**
 * A duplex stream of the container's standard input and output. Its standard error goes to `onComplaint`. It owns the
 * connection.
 */
export class AttachedStream extends Duplex {
  readonly #connection: Duplex;
  readonly #onComplaint: (bytes: Buffer) => void;
  #header = Buffer.alloc(0);
  /** What is left of the piece that is being read, and whose it is. */
  #left = 0;
  #kind = STDOUT;

  constructor(connection: Duplex, head: Buffer, onComplaint: (bytes: Buffer) => void) {
    super({ allowHalfOpen: false });
    this.#connection = connection;
    this.#onComplaint = onComplaint;
    connection.on('data', (chunk: Buffer) => this.#take(chunk));
    connection.once('end', () => this.push(null));
    connection.once('close', () => this.destroy());
    connection.once('error', (error) => this.destroy(error));
    if (head.length > 0) this.#take(head);
  }

  #take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.#left === 0) {
        rest = this.#takeHeader(rest);
        if (this.destroyed) return;
        continue;
      }
      const part = rest.subarray(0, this.#left);
      this.#left -= part.length;
      rest = rest.subarray(part.length);
      if (this.#kind === STDERR) this.#onComplaint(part);
      else if (!this.push(part)) this.#connection.pause();
    }
  }

  /** Takes what the header still lacks; returns the rest. */
  #takeHeader(bytes: Buffer): Buffer {
    const lacking = HEADER - this.#header.length;
    this.#header = Buffer.concat([this.#header, bytes.subarray(0, lacking)]);
    if (this.#header.length === HEADER) {
      this.#kind = this.#header.readUInt8(0);
      this.#left = this.#header.readUInt32BE(4);
      this.#header = Buffer.alloc(0);
      if (this.#kind !== STDOUT && this.#kind !== STDERR) {
        this.destroy(new Error(`the engine sent a piece of stream ${this.#kind}`));
      }
    }
    return bytes.subarray(lacking);
  }

  override _read(): void {
    this.#connection.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#connection.write(chunk, done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#connection.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#connection.destroy();
    done(error);
  }
}
