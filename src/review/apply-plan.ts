/** An apply plan: exactly what a person accepted, as data. Apply does this or less, never anything else. */
import type { RelPath } from '../base/path-bytes.ts';
import type { FileMode, FileState } from '../diff/change-set.ts';

/** What a path is to hold: the bytes that were shown, bound by SHA-256 as well as by their id in the ledger. */
export interface PlannedState {
  mode: FileMode;
  /** Blob id: of the ledger, or of the plan's own `contents`. */
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
  /** What to do where the host no longer holds `before`; undecided without it. `mine` is the host's, `theirs` is `after`. */
  onConflict?: 'mine' | 'theirs' | 'markers' | 'edit';
  /** What to write in a conflict with `onConflict: 'edit'`. */
  resolution?: PlannedState;
}

export interface ApplyPlan {
  /** Each path once. */
  items: PlanItem[];
  /** Bytes that are not in the ledger, by blob id: what partial decisions, edits and resolutions are composed of. */
  contents?: ReadonlyMap<string, Buffer>;
}

/** Reads what a plan names: its own contents first, then the ledger's blobs. */
export function planSource(
  plan: ApplyPlan,
  readBlob: (oid: string) => Promise<Buffer>,
): (oid: string) => Promise<Buffer> {
  return async (oid) => plan.contents?.get(oid) ?? readBlob(oid);
}
