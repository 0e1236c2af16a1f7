/** Entries of LIST and CHANGES, which arrive in DATA cut anywhere. Holds at most one entry. */
import { decodePath, parseRelPath, type RelPath } from '../base/path-bytes.ts';
import { badFrame } from './bad-frame.ts';
import { ByteReader } from './byte-reader.ts';
import { readStat, STAT_BYTES, type StatRecord } from './stat-record.ts';

/** The longest path that CHANGES reports and FETCH takes. */
export const MAX_REPORTED_PATH = 16_383;
/** Paths and targets of one list of changes together; a guest cuts its list short there. */
const MAX_LISTED_BYTES = 64 << 20;
const MAX_NAME = 255;
const MAX_TARGET = 4095;

export interface ListedEntry {
  name: string;
  stat: StatRecord;
}

export interface ChangedEntry {
  path: RelPath;
  stat: StatRecord;
  /** Symlinks only. */
  target?: string;
}

/** Keeps the parts of an entry that the next DATA completes. */
class Pieces {
  #parts: Buffer[] = [];
  #size = 0;
  #need = 0;

  /**
   * `take` reads the entry that begins at `at`. It returns the offset after it, or, when it isn't complete, how many bytes it
   * has at least, negated: until so many are there nothing is put together again, however small the pieces.
   */
  push(chunk: Buffer, take: (bytes: Buffer, at: number) => number): void {
    if (this.#size + chunk.length < this.#need) {
      this.#keep(chunk);
      return;
    }
    const bytes = this.#size === 0 ? chunk : Buffer.concat([...this.#parts, chunk]);
    this.#parts = [];
    this.#size = 0;
    this.#need = 0;
    let at = 0;
    while (at < bytes.length) {
      const next = take(bytes, at);
      if (next < 0) {
        this.#need = -next;
        this.#keep(bytes.subarray(at));
        return;
      }
      at = next;
    }
  }

  /** A copy: the rest must not keep a whole chunk alive. */
  #keep(bytes: Buffer): void {
    this.#parts.push(Buffer.from(bytes));
    this.#size += bytes.length;
  }

  finish(): void {
    if (this.#size > 0) throw badFrame('the last entry is cut off');
  }
}

/** LIST: `push` throws for names that are none, and beyond `max` entries. */
export class ListDecoder {
  readonly #pieces = new Pieces();
  readonly #max: number;
  readonly entries: ListedEntry[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(chunk, (bytes, at) => {
      if (bytes.length - at < STAT_BYTES + 2) return -(STAT_BYTES + 2);
      const size = bytes.readUInt16LE(at + STAT_BYTES);
      if (size === 0 || size > MAX_NAME) throw badFrame(`a file name of ${size} bytes`);
      const end = at + STAT_BYTES + 2 + size;
      if (bytes.length < end) return at - end;
      if (this.entries.length >= this.#max) throw badFrame('more directory entries than asked for');
      const stat = readStat(new ByteReader(bytes.subarray(at, at + STAT_BYTES)));
      const name = parseRelPath(decodePath(bytes.subarray(at + STAT_BYTES + 2, end)));
      if (name === undefined || name.includes('/')) throw badFrame('a file name that is none');
      this.entries.push({ name, stat });
      return end;
    });
  }

  finish(): void {
    this.#pieces.finish();
  }
}

/** CHANGES: checks paths, the number of entries and what they hold together, as all of it is kept. */
export class ChangesDecoder {
  readonly #pieces = new Pieces();
  readonly #max: number;
  readonly #onChange: (entry: ChangedEntry) => void;
  #listedBytes = 0;
  count = 0;

  constructor(max: number, onChange: (entry: ChangedEntry) => void) {
    this.#max = max;
    this.#onChange = onChange;
  }

  push(chunk: Buffer): void {
    this.#pieces.push(chunk, (bytes, at) => this.#take(bytes, at));
  }

  finish(): void {
    this.#pieces.finish();
  }

  #take(bytes: Buffer, at: number): number {
    let end = at + STAT_BYTES + 2;
    if (bytes.length < end) return at - end;
    const stat = readStat(new ByteReader(bytes.subarray(at, at + STAT_BYTES)));
    const size = bytes.readUInt16LE(at + STAT_BYTES);
    if (size === 0 || size > MAX_REPORTED_PATH) throw badFrame(`a path of ${size} bytes`);
    const pathAt = end;
    end += size;
    if (bytes.length < end) return at - end;
    const entry: ChangedEntry = { path: readPath(bytes.subarray(pathAt, end)), stat };
    let targetSize = 0;
    if (stat.kind === 'symlink') {
      if (bytes.length < end + 2) return at - end - 2;
      targetSize = bytes.readUInt16LE(end);
      if (targetSize === 0 || targetSize > MAX_TARGET) throw badFrame(`a link target of ${targetSize} bytes`);
      end += 2 + targetSize;
      if (bytes.length < end) return at - end;
      entry.target = decodePath(bytes.subarray(end - targetSize, end));
      if (entry.target.includes('\0')) throw badFrame('a link target with a NUL byte');
    }
    if (this.count >= this.#max) throw badFrame('more changes than asked for');
    if (this.#listedBytes >= MAX_LISTED_BYTES) throw badFrame('a list of changes that never ends');
    this.#listedBytes += size + targetSize;
    this.count += 1;
    this.#onChange(entry);
    return end;
  }
}

function readPath(bytes: Buffer): RelPath {
  const path = parseRelPath(decodePath(bytes));
  if (path === undefined) throw badFrame('a path that is none below the workspace');
  return path;
}
