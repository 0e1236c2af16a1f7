/** Blobs on their way into a ledger: in packs that no entry names yet, and within the ledger's budget. */
import { SafeCoderError } from '../base/errors.ts';
import { hashObject } from '../git/object-id.ts';
import type { ObjectStore } from '../git/object-store.ts';
import { PackWriter } from '../git/pack-writer.ts';

export class Incoming implements Disposable {
  readonly #store: ObjectStore;
  readonly #maxBytes: number;
  /** Packs that hold blobs of the entry to come; the last one is being written to. */
  #pending: PackWriter[] = [];

  constructor(store: ObjectStore, maxBytes = Number.POSITIVE_INFINITY) {
    this.#store = store;
    this.#maxBytes = maxBytes;
  }

  /** Throws `ledger/full` when it is limited, new, and does not fit; else as {@link PackWriter.addBlob}. */
  addBlob(size: number, chunks: Iterable<Uint8Array>, options: { isLimited: boolean }): string {
    if (options.isLimited && this.#bytes + size > this.#maxBytes) return this.#findBlob(chunks);
    const pack = this.#pending.at(-1) ?? this.createPack();
    if (this.#pending.length === 0) this.#pending.push(pack);
    return pack.addBlob(size, chunks);
  }

  createPack(): PackWriter {
    return new PackWriter({
      format: this.#store.format,
      folder: this.#store.packFolder,
      isKnown: (oid) => this.#store.hasPacked(oid),
    });
  }

  /** What came in so far, and the pack for what the entry adds; blobs from here on belong to the next entry. */
  take(): { pack: PackWriter; packs: PackWriter[] } {
    const pack = this.#pending.at(-1) ?? this.createPack();
    const packs = this.#pending.length > 0 ? this.#pending : [pack];
    this.#pending = [];
    return { pack, packs };
  }

  /** What could not be installed, for another try. */
  giveBack(packs: readonly PackWriter[]): void {
    this.#pending.unshift(...packs);
  }

  /** Installs the packs and takes them off the list, one by one. */
  async install(packs: PackWriter[], options: { sync: boolean }): Promise<void> {
    while (packs[0] !== undefined) {
      // Empty when a failed try already brought everything to the disk.
      if (packs[0].count === 0) packs[0][Symbol.dispose]();
      else this.#store.adopt(await packs[0].install(options));
      packs.shift();
    }
  }

  /** Forgets what no entry came for. */
  [Symbol.dispose](): void {
    for (const pack of this.#pending) pack[Symbol.dispose]();
    this.#pending = [];
  }

  /** On the disk and on the way. */
  get #bytes(): number {
    return [...this.#store.packs, ...this.#pending].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** The id of bytes that the ledger has already, for when nothing more may come in. */
  #findBlob(chunks: Iterable<Uint8Array>): string {
    const oid = hashObject(this.#store.format, 'blob', Buffer.concat([...chunks]));
    if (this.#store.hasPacked(oid) || this.#pending.some((pack) => pack.has(oid))) return oid;
    throw new SafeCoderError('ledger/full', `The ledger has reached ${this.#maxBytes} bytes.`);
  }
}
