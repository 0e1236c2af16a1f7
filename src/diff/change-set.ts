/** A change set: what the guest changed since the session began. Data with one JSON form; no I/O. */
import type { RelPath } from '../base/path-bytes.ts';

export type FileMode = '100644' | '100755' | '120000';

/** One side of a change: the file as a tree records it. */
export interface FileState {
  mode: FileMode;
  /** Blob id in the ledger. */
  oid: string;
}

/** Identity of a change is its path; a rename also carries the path it came from. */
export interface Change {
  path: RelPath;
  /** `mode`: only the executable bit; `symlink`: one side is a symlink and the other isn't, or the target changed. */
  kind: 'added' | 'modified' | 'deleted' | 'renamed' | 'mode' | 'symlink';
  from?: RelPath;
  before?: FileState;
  after?: FileState;
}

export interface ChangeSet {
  /** Tree ids in the ledger. */
  base: string;
  final: string;
  changes: Change[];
}
