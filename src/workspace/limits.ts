/** How much of a project is copied. */
export interface CopyInLimits {
  /** Most files, links and directories, `.git` included. */
  maxEntries: number;
  /** Most bytes of all files, `.git` included. */
  maxBytes: number;
  /** Larger files come along but are not in the ledger: named in `skipped` as `too-large`. */
  maxLedgerFileBytes: number;
}

export const DEFAULT_LIMITS: CopyInLimits = {
  maxEntries: 200_000,
  maxBytes: 2 * 1024 ** 3,
  maxLedgerFileBytes: 256 * 1024 ** 2,
};

/** Deeper directories are skipped: their paths could not be named on the other side. */
export const MAX_DEPTH = 128;

/** Longest path below the root, in bytes; leaves room for the root's own path under PATH_MAX. */
export const MAX_PATH_BYTES = 3072;
