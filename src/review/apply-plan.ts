/** An apply plan: exactly what a person accepted, as data. Apply does this or less, never anything else. */
import type { RelPath } from '../base/path-bytes.ts';
import type { FileMode, FileState } from '../diff/change-set.ts';

/** What a path is to hold: the bytes that were shown, bound by SHA-256 as well as by their id in the ledger. */
export interface PlannedState {
  mode: FileMode;
  /** Blob id in the ledger. */
  oid: string;
  /** SHA-256 of the bytes in hex: SHA-1 ids can be forged by whoever chooses the bytes. */
  sha256: string;
}

/** One path. Without `before` nothing may be there; without `after` it is deleted. */
export interface PlanItem {
  path: RelPath;
  before?: FileState;
  after?: PlannedState;
  /** Items of one group happen together or not at all: the two halves of a rename. */
  group?: string;
}

export interface ApplyPlan {
  /** Each path once. */
  items: PlanItem[];
}
