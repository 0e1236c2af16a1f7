/** What single entries changed: paths, and lines where counting them is cheap. */
import type { RelPath } from '../base/path-bytes.ts';
import type { Change, FileState } from '../diff/change-set.ts';
import { countChangedLines } from '../diff/count-lines.ts';
import type { Entry, LedgerReader } from '../ledger/ledger.ts';

/** Bytes read for counting lines in all, and files looked at of one entry: a list must come at once. */
const MOST_BYTES = 32 << 20;
const MOST_FILES = 100;
const NOTHING = Buffer.alloc(0);

export interface StepChanges {
  /** Sorted; a renamed file is there under both names. */
  paths: RelPath[];
  /** Lines that came and went; undefined where they were not counted, because of their number or a large file. */
  lines?: { added: number; removed: number };
}

/** Counts entry after entry, until its budget of reading is used up. */
export class StepCounter {
  readonly #ledger: Pick<LedgerReader, 'changes' | 'readBlob'>;
  #left = MOST_BYTES;

  constructor(ledger: Pick<LedgerReader, 'changes' | 'readBlob'>) {
    this.#ledger = ledger;
  }

  /** Throws `ledger/damaged`. */
  async count(parent: Entry, entry: Entry): Promise<StepChanges> {
    if (parent.tree === entry.tree) return { paths: [] };
    const { changes } = await this.#ledger.changes(parent.tree, entry.tree, { renames: false });
    const lines = changes.length <= MOST_FILES ? await this.#countLines(changes) : undefined;
    return { paths: changes.map(({ path }) => path), ...(lines && { lines }) };
  }

  async #countLines(changes: readonly Change[]): Promise<StepChanges['lines']> {
    const lines = { added: 0, removed: 0 };
    for (const change of changes) {
      const before = await this.#read(change.before);
      const after = await this.#read(change.after);
      if (before === undefined || after === undefined) return undefined;
      const counts = countChangedLines(before, after);
      if (counts.kind === 'too-large') return undefined;
      if (counts.kind === 'binary') continue;
      lines.added += counts.added;
      lines.removed += counts.removed;
    }
    return lines;
  }

  /** A symlink has no lines. */
  async #read(file: FileState | undefined): Promise<Buffer | undefined> {
    if (file === undefined || file.mode === '120000') return NOTHING;
    if (this.#left <= 0) return undefined;
    const bytes = await this.#ledger.readBlob(file.oid);
    this.#left -= bytes.length;
    return bytes;
  }
}
