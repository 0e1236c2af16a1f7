/** Builds one payload field by field. Values come from the host, so a number that doesn't fit is a bug: RangeError. */
import { encodePath } from '../base/path-bytes.ts';
import { unsendable } from './unsendable.ts';

const MAX_PATH = 4095;

export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(room = 256) {
    this.#bytes = Buffer.allocUnsafe(room);
  }

  #make(size: number): number {
    const at = this.#at;
    this.#at += size;
    if (this.#at > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#at, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    const at = this.#make(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  u16(value: number): this {
    const at = this.#make(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#make(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  u64(value: bigint | number): this {
    const at = this.#make(8);
    this.#bytes.writeBigUInt64LE(BigInt(value), at);
    return this;
  }

  i64(value: bigint): this {
    const at = this.#make(8);
    this.#bytes.writeBigInt64LE(value, at);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#make(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  str16(value: string | Uint8Array): this {
    const bytes = typeof value === 'string' ? encodePath(value) : value;
    return this.u16(bytes.length).bytes(bytes);
  }

  str32(value: string | Uint8Array): this {
    const bytes = typeof value === 'string' ? encodePath(value) : value;
    return this.u32(bytes.length).bytes(bytes);
  }

  /** A string that a program sees: without NUL. Throws `guest/failed` as a kernel would refuse it. */
  argument(value: string): this {
    const bytes = encodePath(value);
    if (bytes.includes(0)) throw unsendable('EINVAL', 'an argument with a NUL byte');
    return this.u32(bytes.length).bytes(bytes);
  }

  /** A path of the wire: 1 to 4095 bytes without NUL (or 1 to `most`). Throws `guest/failed` for any other. */
  path(value: string, most = MAX_PATH): this {
    const bytes = encodePath(value);
    if (bytes.length === 0) throw unsendable('ENOENT', 'an empty path');
    if (bytes.length > most) throw unsendable('ENAMETOOLONG', `a path of ${bytes.length} bytes`);
    if (bytes.includes(0)) throw unsendable('EINVAL', 'a path with a NUL byte');
    return this.str16(bytes);
  }

  /** The payload so far, as a copy of its own. */
  done(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }
}
