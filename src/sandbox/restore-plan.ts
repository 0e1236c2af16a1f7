/** What a restore is to do: data that is made from two trees. */
import type { RelPath } from '../base/path-bytes.ts';
import type { BaseFile } from './project-source.ts';

export interface RestoreFile {
  path: RelPath;
  mode: BaseFile['mode'];
  oid: string;
  /** The workspace has no file of the ledger's at this path now. */
  isNew: boolean;
}

/** How the state that is wanted differs from the one that was captured last. */
export interface RestorePlan {
  remove: readonly RelPath[];
  write: readonly RestoreFile[];
  /** The workspace is a fresh copy of what the host still has: nothing in it could be lost. */
  isFresh?: boolean;
}
