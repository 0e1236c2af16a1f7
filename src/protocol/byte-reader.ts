/** Reads the fields of one payload in order. Every read is checked against the payload's end. */
import { badFrame } from './bad-frame.ts';

export class ByteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  #take(size: number): number {
    if (size > this.#bytes.length - this.#at) throw badFrame('a payload is shorter than its fields');
    const at = this.#at;
    this.#at += size;
    return at;
  }

  u8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  i64(): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8));
  }

  /** Skips bytes that must be 0. */
  reserved(size: number): void {
    for (const byte of this.bytes(size)) {
      if (byte !== 0) throw badFrame('reserved bits are set');
    }
  }

  /** A u64 size; what is beyond a safe integer is reported as the largest one. */
  size(): number {
    return Math.min(Number(this.u64()), Number.MAX_SAFE_INTEGER);
  }

  /** A u64 that must be a safe integer: counts. */
  count(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw badFrame('a count is beyond all measure');
    return Number(value);
  }

  /** Bytes that share memory with the payload. */
  bytes(size: number): Buffer {
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  str16(most = 65_535): Buffer {
    const size = this.u16();
    if (size > most) throw badFrame(`a string of ${size} bytes where at most ${most} are allowed`);
    return this.bytes(size);
  }

  /** Throws when bytes are left over. */
  finish(): void {
    if (this.remaining !== 0) throw badFrame('a payload is longer than its fields');
  }
}
