/** Reading a pack of our own making: whole objects, never deltas. */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { type ObjectFormat, type ObjectType, oidBytes } from './object-id.ts';
import { PackIndex } from './pack-index.ts';

const PACK_TYPES: readonly (ObjectType | undefined)[] = [undefined, 'commit', 'tree', 'blob'];

/** What zlib takes at least, and what is set aside at once for an object that says it is large. */
const MIN_CHUNK_BYTES = 64;
const MAX_CHUNK_BYTES = 256 << 10;

/** A pack with its index in memory. Owns a file descriptor. */
export class PackFile implements Disposable {
  /** Path without `.pack` or `.idx`. */
  readonly stem: HostPath;
  readonly index: PackIndex;
  readonly bytes: number;
  readonly #fd: number;
  readonly #idLength: number;
  #isOpen = true;

  private constructor(format: ObjectFormat, stem: HostPath, index: PackIndex) {
    this.stem = stem;
    this.index = index;
    this.#idLength = oidBytes(format);
    this.#fd = openSync(`${stem}.pack`, 'r');
    this.bytes = fstatSync(this.#fd).size;
  }

  /** Opens `STEM.pack` and `STEM.idx`. Throws the system's error when one is not there, `ledger/damaged` for a bad index. */
  static open(format: ObjectFormat, stem: HostPath, indexBytes?: Buffer): PackFile {
    const index = new PackIndex(format, indexBytes ?? readFileSync(`${stem}.idx`));
    return new PackFile(format, stem, index);
  }

  /**
   * The object, or undefined when it isn't here, or is a delta, which only git reads. The caller checks the hash.
   * Throws `ledger/damaged` when the entry can't be unpacked.
   */
  read(oid: string, maxBytes: number): { type: ObjectType; bytes: Buffer } | undefined {
    const place = this.index.find(oid, this.bytes);
    if (place === undefined) return undefined;
    const entry = this.readRaw(place.start, place.end);
    const { kind, size, length } = parseEntryHeader(entry);
    const type = PACK_TYPES[kind];
    if (type === undefined) return undefined;
    if (size > maxBytes) {
      throw new SafeCoderError('ledger/damaged', `Object ${oid} has ${size} bytes, more than ${maxBytes}.`, {
        details: { fault: 'too-large' },
      });
    }
    try {
      // A limit of 0 is not allowed, and one byte more than expected shows a stream that is too long.
      // Most objects are small: one buffer of the right size instead of 16 KiB for each.
      const chunkSize = Math.min(Math.max(size + 1, MIN_CHUNK_BYTES), MAX_CHUNK_BYTES);
      const bytes = inflateSync(entry.subarray(length), { maxOutputLength: size + 1, chunkSize });
      if (bytes.length !== size) throw new Error(`it has ${bytes.length} bytes instead of ${size}`);
      return { type, bytes };
    } catch (cause) {
      throw new SafeCoderError('ledger/damaged', `Object ${oid} in ${this.stem}.pack can't be unpacked.`, {
        cause,
      });
    }
  }

  /** Bytes of the pack as they lie there. */
  readRaw(start: number, end: number): Buffer {
    const out = Buffer.allocUnsafe(Math.max(0, end - start));
    let at = 0;
    while (at < out.length) {
      const count = readSync(this.#fd, out, at, out.length - at, start + at);
      if (count === 0) throw new SafeCoderError('ledger/damaged', `${this.stem}.pack is cut short.`);
      at += count;
    }
    return out;
  }

  /** True when some entry is a delta: another program made this pack. */
  hasDeltas(): boolean {
    return this.entries().some(
      ({ start }) => PACK_TYPES[((this.readRaw(start, start + 1)[0] ?? 0) >> 4) & 7] === undefined,
    );
  }

  /** Where each entry lies, in the order of the pack. */
  entries(): { oid: string; crc: number; start: number; end: number }[] {
    const objects = [...this.index.objects()].sort((a, b) => a.offset - b.offset);
    return objects.map((object, at) => ({
      oid: object.oid,
      crc: object.crc,
      start: object.offset,
      end: objects[at + 1]?.offset ?? this.bytes - this.#idLength,
    }));
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.#fd);
  }
}

/** Type and size from the start of a pack entry. */
function parseEntryHeader(entry: Buffer): { kind: number; size: number; length: number } {
  let byte = entry[0] ?? 0;
  const kind = (byte >> 4) & 7;
  let size = byte & 15;
  let scale = 16;
  let length = 1;
  while (byte & 0x80 && length < 10) {
    byte = entry[length] ?? 0;
    size += (byte & 0x7f) * scale;
    scale *= 128;
    length += 1;
  }
  return { kind, size, length };
}
