/** FETCH's answer, which arrives in DATA cut anywhere. Content is handed on as it comes; at most 4 KiB is held. */
import { badFrame } from './bad-frame.ts';
import { ByteReader } from './byte-reader.ts';
import { readStat, STAT_BYTES, type StatRecord } from './stat-record.ts';

export const MAX_CHUNK = 1_048_576;
const MAX_TARGET = 4095;

export interface FetchHandler {
  /** A regular file's bytes, or a symlink's whole target. Shares memory with the DATA it came in. */
  onContent(bytes: Buffer): void;
  onEnd(result: FetchEnd): void;
}

export type FetchEnd =
  | { ok: false; errno: number }
  | { ok: true; stat: StatRecord; wasUnstable: boolean; wasCut: boolean };

type Expect = 'errno' | 'stat' | 'chunk' | 'content' | 'flags';
const FIELD_BYTES = { errno: 4, stat: STAT_BYTES, chunk: 4, content: 0, flags: 1 } as const;

export class FetchDecoder {
  readonly #maxFileBytes: number;
  readonly #handler: FetchHandler;
  readonly #field = Buffer.alloc(STAT_BYTES);
  #fill = 0;
  #expect: Expect = 'errno';
  #chunkLeft = 0;
  #total = 0;
  #stat: StatRecord | undefined;
  #target: Buffer[] = [];
  /** Paths answered whole. */
  count = 0;

  constructor(maxFileBytes: number, handler: FetchHandler) {
    this.#maxFileBytes = maxFileBytes;
    this.#handler = handler;
  }

  /** True when the answer to a path has begun and isn't whole. */
  get isPartial(): boolean {
    return this.#expect !== 'errno' || this.#fill > 0;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#expect === 'content') {
        const part = chunk.subarray(at, at + this.#chunkLeft);
        at += part.length;
        this.#takeContent(part);
        continue;
      }
      const need = FIELD_BYTES[this.#expect];
      const part = Math.min(need - this.#fill, chunk.length - at);
      chunk.copy(this.#field, this.#fill, at, at + part);
      this.#fill += part;
      at += part;
      if (this.#fill === need) {
        this.#fill = 0;
        this.#takeField(this.#field.subarray(0, need));
      }
    }
  }

  finish(): void {
    if (this.isPartial) throw badFrame('the last fetched file is cut off');
  }

  #takeField(field: Buffer): void {
    switch (this.#expect) {
      case 'errno': {
        const errno = field.readUInt32LE(0);
        if (errno !== 0) this.#end({ ok: false, errno });
        else this.#expect = 'stat';
        return;
      }
      case 'stat':
        this.#stat = readStat(new ByteReader(field));
        this.#total = 0;
        this.#expect = 'chunk';
        return;
      case 'chunk':
        this.#beginChunk(field.readUInt32LE(0));
        return;
      case 'flags': {
        const flags = field.readUInt8(0);
        if (flags > 3) throw badFrame('a fetched file with unknown flags');
        if (this.#stat === undefined) throw badFrame('a fetched file without its stat');
        this.#end({
          ok: true,
          stat: this.#stat,
          wasUnstable: (flags & 1) !== 0,
          wasCut: (flags & 2) !== 0,
        });
        return;
      }
    }
  }

  #beginChunk(size: number): void {
    const kind = this.#stat?.kind;
    if (size === 0) {
      if (kind === 'symlink') this.#handler.onContent(Buffer.concat(this.#target));
      this.#target = [];
      this.#expect = 'flags';
      return;
    }
    const limit = kind === 'file' ? this.#maxFileBytes : kind === 'symlink' ? MAX_TARGET : 0;
    this.#total += size;
    if (size > MAX_CHUNK || this.#total > limit) throw badFrame('more content than asked for');
    this.#chunkLeft = size;
    this.#expect = 'content';
  }

  #takeContent(part: Buffer): void {
    this.#chunkLeft -= part.length;
    if (this.#chunkLeft === 0) this.#expect = 'chunk';
    if (this.#stat?.kind === 'symlink') this.#target.push(Buffer.from(part));
    else this.#handler.onContent(part);
  }

  #end(result: FetchEnd): void {
    this.count += 1;
    this.#expect = 'errno';
    this.#stat = undefined;
    this.#handler.onEnd(result);
  }
}
