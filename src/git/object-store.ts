/** Reads the objects of one repository of ours: own packs in process, loose ones in process, anything else through git. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { inflateSync } from 'node:zlib';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { CatFile } from './cat-file.ts';
import { hashObject, type ObjectFormat, type ObjectType } from './object-id.ts';
import { PackFile } from './pack-file.ts';
import type { InstalledPack } from './pack-writer.ts';

const MAX_OBJECT_BYTES = 1 << 30;
const MAX_HEADER_BYTES = 32;
const READ_MS = 60_000;
const RESCANS = 5;

export class ObjectStore implements AsyncDisposable {
  readonly format: ObjectFormat;
  readonly packFolder: HostPath;
  readonly #objects: string;
  readonly #catFile: CatFile;
  #packs: PackFile[] = [];
  #scannedAt = 0n;

  /** Opens the packs that are there now; others are found when an object is missing. */
  constructor(options: { gitDir: HostPath; format: ObjectFormat }) {
    this.format = options.format;
    this.#objects = join(options.gitDir, 'objects');
    this.packFolder = join(this.#objects, 'pack') as HostPath;
    this.#catFile = new CatFile({ gitDir: options.gitDir, maxBytes: MAX_OBJECT_BYTES, timeoutMs: READ_MS });
    this.rescan();
  }

  get packs(): readonly PackFile[] {
    return this.#packs;
  }

  /** True when one of the packs known so far holds the object. Does not look at the disk. */
  hasPacked(oid: string): boolean {
    return this.#packs.some((pack) => pack.index.has(oid));
  }

  /** Takes up a pack that this process has just installed. */
  adopt(installed: InstalledPack): void {
    if (this.#packs.some((pack) => pack.stem === installed.stem)) return;
    this.#packs.unshift(PackFile.open(this.format, installed.stem, installed.index));
  }

  /** Takes up packs that have appeared and lets go of those that are gone. */
  rescan(): void {
    // A writer that merges packs removes some between our listing and our opening them; what they held is in a new one.
    for (let attempt = 0; attempt < RESCANS; attempt++) if (this.#rescanOnce()) return;
  }

  /** False when a pack that was listed is not there any more. */
  #rescanOnce(): boolean {
    this.#scannedAt = statSync(this.packFolder, { bigint: true }).mtimeNs;
    const names = readdirSync(this.packFolder).filter((name) => /^pack-[0-9a-f]+\.idx$/.test(name));
    const stems = new Set(names.map((name) => join(this.packFolder, name.slice(0, -4))));
    const kept: PackFile[] = [];
    for (const pack of this.#packs) {
      if (stems.delete(pack.stem)) kept.push(pack);
      else pack[Symbol.dispose]();
    }
    this.#packs = kept;
    for (const stem of stems) {
      try {
        kept.push(PackFile.open(this.format, stem as HostPath));
      } catch (error) {
        if (errnoOf(error) === 'ENOENT') return false;
        throw error;
      }
    }
    return true;
  }

  /**
   * The object with its hash checked. Throws `ledger/damaged` when it is missing, of another type, too large, or not what its
   * id says.
   */
  async read(oid: string, type: ObjectType): Promise<Buffer> {
    const object = this.#tryOwn(oid) ?? (await this.#catFile.read(oid));
    if (object === undefined) {
      throw new SafeCoderError('ledger/damaged', `Object ${oid} is missing.`, {
        details: { fault: 'missing' },
      });
    }
    if (object.type !== type) {
      throw new SafeCoderError('ledger/damaged', `Object ${oid} is a ${object.type}, not a ${type}.`, {
        details: { fault: 'wrong-type' },
      });
    }
    if (hashObject(this.format, type, object.bytes) !== oid) {
      throw new SafeCoderError('ledger/damaged', `Object ${oid} does not match its id.`);
    }
    return object.bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const pack of this.#packs) pack[Symbol.dispose]();
    this.#packs = [];
    await this.#catFile[Symbol.asyncDispose]();
  }

  #tryOwn(oid: string): { type: string; bytes: Buffer } | undefined {
    try {
      return this.#readOwn(oid);
    } catch (cause) {
      if (cause instanceof SafeCoderError) throw cause;
      throw new SafeCoderError('ledger/damaged', `Object ${oid} can't be read.`, { cause });
    }
  }

  #readOwn(oid: string): { type: string; bytes: Buffer } | undefined {
    return (
      this.#readPacked(oid) ??
      this.#readLoose(oid) ??
      (this.#hasNewPacks() ? this.#readPacked(oid) : undefined)
    );
  }

  #readPacked(oid: string): { type: ObjectType; bytes: Buffer } | undefined {
    for (const pack of this.#packs) {
      const object = pack.read(oid, MAX_OBJECT_BYTES);
      if (object !== undefined) return object;
    }
    return undefined;
  }

  /** Rescans when the folder changed since. Should its time stamp be too coarse to tell, git still finds the object. */
  #hasNewPacks(): boolean {
    if (statSync(this.packFolder, { bigint: true }).mtimeNs === this.#scannedAt) return false;
    this.rescan();
    return true;
  }

  #readLoose(oid: string): { type: string; bytes: Buffer } | undefined {
    let packed: Buffer;
    try {
      packed = readFileSync(join(this.#objects, oid.slice(0, 2), oid.slice(2)));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw new SafeCoderError('ledger/damaged', `Object ${oid} can't be read.`, { cause: error });
    }
    try {
      const raw = inflateSync(packed, { maxOutputLength: MAX_OBJECT_BYTES });
      const end = raw.subarray(0, MAX_HEADER_BYTES).indexOf(0);
      const match = /^(blob|tree|commit) (\d+)$/.exec(raw.toString('latin1', 0, Math.max(0, end)));
      if (match?.[1] === undefined || Number(match[2]) !== raw.length - end - 1)
        throw new Error('bad header');
      return { type: match[1], bytes: raw.subarray(end + 1) };
    } catch (cause) {
      throw new SafeCoderError('ledger/damaged', `Object ${oid} can't be unpacked.`, { cause });
    }
  }
}
