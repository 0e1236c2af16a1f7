/** What a writer of a ledger takes and gives. */
import type { HostPath, RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import type { SealOptions } from './head-sealer.ts';
import type { EntryInput } from './ledger.ts';

/** Where captured bytes go; the shape that `BlobSink` of the sandbox asks for. */
export interface LedgerBlobSink {
  readonly objectFormat: 'sha1' | 'sha256';
  /** Throws `ledger/full`, `ledger/write-failed`, and `guest/failed` when the chunks are not `size` bytes. */
  writeBlob(size: number, chunks: Iterable<Uint8Array>): string;
}

export interface InitialInput extends Omit<EntryInput, 'written' | 'removed' | 'kind'> {
  /** Every file of the base. Blobs that aren't borrowed were given to the blob sink before. */
  files: ReadonlyMap<RelPath, FileState>;
}

export interface WriterOptions extends SealOptions {
  /** False leaves out fsync: a kill is still harmless, a power cut may not be. Default true. */
  sync?: boolean;
  /**
   * The most bytes on the disk. Beyond it `writeBlob` throws `ledger/full` for what the ledger doesn't have yet; entries
   * are still written, and the initial entry is always whole. Default: no limit.
   */
  maxBytes?: number;
}

export interface CreateOptions extends WriterOptions {
  /** A folder that is not there yet, or empty. */
  dir: HostPath;
  /** The project's, so that its objects can be borrowed; sha256 where there is no project repository. */
  objectFormat: ObjectFormat;
  session: string;
}
