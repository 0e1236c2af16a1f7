/** Hunks as a review needs them: read when they are looked at, kept while there is room. */
import type { FileHunks } from './file-hunks.ts';
import { findHunks } from './file-hunks.ts';
import { type ReadBlob, readSides } from './read-sides.ts';
import type { ReviewItem } from './review-item.ts';

/** Lines kept in all; one file may exceed it alone. */
const MAX_KEPT_LINES = 400_000;

export class HunkSource {
  readonly #readBlob: ReadBlob;
  readonly #kept = new Map<string, { hunks: Promise<FileHunks>; lines: number }>();
  #lines = 0;

  constructor(readBlob: ReadBlob) {
    this.#readBlob = readBlob;
  }

  /** The hunks of an item of this review. Throws what `readBlob` throws. */
  hunksOf(item: ReviewItem): Promise<FileHunks> {
    const { path } = item.change;
    const kept = this.#kept.get(path);
    if (kept !== undefined) {
      this.#kept.delete(path);
      this.#kept.set(path, kept);
      return kept.hunks;
    }
    const entry = { hunks: this.#load(item), lines: 0 };
    this.#kept.set(path, entry);
    entry.hunks.then(
      (hunks) => this.#account(path, entry, hunks),
      // The caller gets the failure; the next one tries again.
      () => this.#kept.delete(path),
    );
    return entry.hunks;
  }

  async #load({ change }: ReviewItem): Promise<FileHunks> {
    return findHunks(change, await readSides(change, this.#readBlob));
  }

  #account(path: string, entry: { lines: number }, hunks: FileHunks): void {
    entry.lines = hunks.kind === 'text' ? hunks.hunks.reduce((sum, { lines }) => sum + lines.length, 0) : 1;
    this.#lines += entry.lines;
    for (const [name, { lines }] of this.#kept) {
      if (this.#lines <= MAX_KEPT_LINES) return;
      if (name === path || lines === 0) continue;
      this.#kept.delete(name);
      this.#lines -= lines;
    }
  }
}
