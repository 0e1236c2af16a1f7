/** What a scan yields, in the order of the walk. Paths and names hold one byte per character (latin1). */
import type { Extent } from '../image/block-stream.ts';
import type { SkipStep } from './walk.ts';

export interface NodeItem {
  path: string;
  name: string;
  /** Permission bits. */
  mode: number;
  mtimeNs: bigint;
}

export interface FileItem extends NodeItem {
  kind: 'file';
  size: number;
  extent: Extent;
  /** The content of a small file: a view of the stream's buffer, valid until the next item. */
  bytes: Buffer | undefined;
  /** Blob id, for what the ledger is to hold. */
  oid: string | undefined;
  wasUnstable: boolean;
}

export type ScanItem =
  | ({ kind: 'enter' } & NodeItem)
  | { kind: 'leave' }
  | FileItem
  | ({ kind: 'symlink'; target: Buffer; oid: string | undefined } & NodeItem)
  | SkipStep
  | { kind: 'withhold'; path: string; reason: string }
  /** Something of a `.git` that did not come along on purpose. */
  | { kind: 'git-left'; path: string }
  | { kind: 'ignored'; path: string; isDirectory: boolean }
  | { kind: 'nested-git'; path: string }
  | { kind: 'warning'; message: string }
  /** Nothing happened; a moment to let others work. */
  | { kind: 'pause' };
