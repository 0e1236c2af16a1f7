/** Pack index, version 2: which object lies where in a pack (git's gitformat-pack document). */
import { hash } from 'node:crypto';
import { SafeCoderError } from '../base/errors.ts';
import { type ObjectFormat, oidBytes } from './object-id.ts';

export interface PackedObject {
  oid: string;
  /** Of the entry as it lies in the pack. */
  crc: number;
  offset: number;
}

const MAGIC = 0xff744f63;
const FANOUT_AT = 8;
const OIDS_AT = FANOUT_AT + 256 * 4;
const FAR = 0x80000000;

/** The bytes of the index for a pack whose own closing hash is `packHash`. Sorts `objects` in place. */
export function encodePackIndex(format: ObjectFormat, objects: PackedObject[], packHash: Buffer): Buffer {
  objects.sort((a, b) => (a.oid < b.oid ? -1 : a.oid > b.oid ? 1 : 0));
  const idLength = oidBytes(format);
  const count = objects.length;
  const far = objects.filter((object) => object.offset >= FAR);
  const crcsAt = OIDS_AT + count * idLength;
  const offsetsAt = crcsAt + count * 4;
  const farAt = offsetsAt + count * 4;
  const out = Buffer.alloc(farAt + far.length * 8 + 2 * idLength);
  out.writeUInt32BE(MAGIC, 0);
  out.writeUInt32BE(2, 4);
  const buckets = new Uint32Array(256);
  let nextFar = 0;
  for (const [at, object] of objects.entries()) {
    out.write(object.oid, OIDS_AT + at * idLength, idLength, 'hex');
    out.writeUInt32BE(object.crc, crcsAt + at * 4);
    if (object.offset >= FAR) {
      out.writeBigUInt64BE(BigInt(object.offset), farAt + nextFar * 8);
      out.writeUInt32BE(FAR + nextFar, offsetsAt + at * 4);
      nextFar += 1;
    } else out.writeUInt32BE(object.offset, offsetsAt + at * 4);
    const first = Number.parseInt(object.oid.slice(0, 2), 16);
    buckets[first] = (buckets[first] ?? 0) + 1;
  }
  let total = 0;
  for (let first = 0; first < 256; first++) {
    total += buckets[first] ?? 0;
    out.writeUInt32BE(total, FANOUT_AT + first * 4);
  }
  packHash.copy(out, out.length - 2 * idLength);
  hash(format, out.subarray(0, out.length - idLength), 'buffer').copy(out, out.length - idLength);
  return out;
}

/** An index in memory. */
export class PackIndex {
  readonly count: number;
  readonly #bytes: Buffer;
  readonly #idLength: number;
  #ends: Float64Array | undefined;

  /** Throws `ledger/damaged` when the bytes are no index or do not match their closing hash. */
  constructor(format: ObjectFormat, bytes: Buffer) {
    this.#bytes = bytes;
    this.#idLength = oidBytes(format);
    const least = OIDS_AT + 2 * this.#idLength;
    if (bytes.length < least || bytes.readUInt32BE(0) !== MAGIC || bytes.readUInt32BE(4) !== 2) {
      throw new SafeCoderError('ledger/damaged', 'A pack index in the ledger is not one.');
    }
    this.count = bytes.readUInt32BE(FANOUT_AT + 255 * 4);
    const body = bytes.subarray(0, bytes.length - this.#idLength);
    if (
      bytes.length < least + this.count * (this.#idLength + 8) ||
      !hash(format, body, 'buffer').equals(bytes.subarray(body.length))
    ) {
      throw new SafeCoderError('ledger/damaged', 'A pack index in the ledger does not match its hash.');
    }
  }

  /** Where the object's entry begins and ends in the pack, or undefined when the pack does not hold it. */
  find(oid: string, packBytes: number): { start: number; end: number } | undefined {
    const at = this.#search(oid);
    if (at < 0) return undefined;
    const start = this.#offset(at);
    return { start, end: this.#endAfter(start, packBytes) };
  }

  has(oid: string): boolean {
    return this.#search(oid) >= 0;
  }

  /** Every object, in order of id. */
  *objects(): Generator<PackedObject> {
    const crcsAt = OIDS_AT + this.count * this.#idLength;
    for (let at = 0; at < this.count; at++) {
      yield { oid: this.#oid(at), crc: this.#bytes.readUInt32BE(crcsAt + at * 4), offset: this.#offset(at) };
    }
  }

  #oid(at: number): string {
    const from = OIDS_AT + at * this.#idLength;
    return this.#bytes.toString('hex', from, from + this.#idLength);
  }

  #search(oid: string): number {
    const key = Buffer.from(oid, 'hex');
    if (key.length !== this.#idLength) return -1;
    const first = key[0] ?? 0;
    let low = first === 0 ? 0 : this.#bytes.readUInt32BE(FANOUT_AT + (first - 1) * 4);
    let high = this.#bytes.readUInt32BE(FANOUT_AT + first * 4);
    while (low < high) {
      const middle = (low + high) >>> 1;
      const from = OIDS_AT + middle * this.#idLength;
      const order = this.#bytes.compare(key, 0, key.length, from, from + this.#idLength);
      if (order === 0) return middle;
      if (order < 0) low = middle + 1;
      else high = middle;
    }
    return -1;
  }

  #offset(at: number): number {
    const offsetsAt = OIDS_AT + this.count * (this.#idLength + 4);
    const near = this.#bytes.readUInt32BE(offsetsAt + at * 4);
    if (near < FAR) return near;
    return Number(this.#bytes.readBigUInt64BE(offsetsAt + this.count * 4 + (near - FAR) * 8));
  }

  #endAfter(start: number, packBytes: number): number {
    this.#ends ??= Float64Array.from({ length: this.count }, (_, at) => this.#offset(at)).sort();
    let low = 0;
    let high = this.#ends.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ends[middle] ?? 0) <= start) low = middle + 1;
      else high = middle;
    }
    return this.#ends[low] ?? packBytes - this.#idLength;
  }
}
