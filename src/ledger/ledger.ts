/** The ledger: a bare repository on the host, append-only, one writer. The guest can't reach it. */

import type { RelPath } from '../base/path-bytes.ts';
import type { ChangeSet, FileMode } from '../diff/change-set.ts';
import type { Verdict, VerifyOptions } from './verify.ts';

export interface EntryTrailers {
  seq: number;
  /** 0 for the initial entry and for what happens between turns. */
  turn: number;
  kind: 'initial' | 'tool' | 'sweep' | 'snapshot' | 'rollback' | 'applied' | 'fork' | 'resume';
  call?: string;
  tool?: string;
  inputSha256?: string;
  exitCode?: number;
  ok?: boolean;
  durationMs?: number;
  model?: string;
  /** Calls that ran side by side with this one. */
  shared?: string[];
  /** Decisions about the network since the entry before: `allowed|denied HOST:PORT (RULE)`, with a count when more than one. */
  egress?: string[];
  job?: string;
  /** The name that a person gave a snapshot. */
  label?: string;
  /** Full id of the entry whose tree a rollback brought back. */
  to?: string;
  /** What a rollback brought back. */
  scope?: 'files' | 'conversation' | 'both';
  /** Where a fork comes from: `SESSION:ENTRYID`. */
  origin?: string;
  skipped: { path: string; reason: string; detail?: string }[];
  ignored: number;
  gitChanged: boolean;
  isolation?: string;
  proof?: string;
  /** Fingerprint of the key that signs this ledger's heads; in the initial entry. */
  signer?: string;
}

export interface Entry {
  /** Commit id. */
  id: string;
  parent: string | undefined;
  tree: string;
  /** First line of the message. */
  title: string;
  at: Date;
  trailers: EntryTrailers;
}

export interface EntryInput extends Omit<EntryTrailers, 'seq'> {
  title: string;
  at: Date;
  written: { path: RelPath; mode: FileMode; oid: string }[];
  removed: RelPath[];
}

/** An entry whose tree the ledger has already, of this or another entry. */
export interface TreeInput extends Omit<EntryInput, 'written' | 'removed'> {
  tree: string;
}

export interface LedgerReader {
  readonly objectFormat: 'sha1' | 'sha256';
  head(): Promise<Entry>;
  /** Oldest first. */
  entries(): Promise<Entry[]>;
  /**
   * By full id, unique prefix (4 or more hex digits), sequence number (`7`, `#7`), a snapshot's label (the newest of that
   * label) or `HEAD`. Throws `ledger/no-such-entry`.
   */
  resolve(name: string): Promise<Entry>;
  /** The blob's bytes, hash checked. Throws `ledger/damaged`. */
  readBlob(oid: string): Promise<Buffer>;
  /** One file of a tree; undefined where there is none or a folder. Reads only the folders on the way. */
  fileAt(tree: string, path: RelPath): Promise<{ mode: FileMode; oid: string } | undefined>;
  /** Every file of a tree. */
  files(tree: string): Promise<Map<RelPath, { mode: FileMode; oid: string }>>;
  /** Renames are detected when asked for: exact ones, and similar ones within a budget. */
  changes(baseTree: string, finalTree: string, options: { renames: boolean }): Promise<ChangeSet>;
  /** Checks the chain from head to the initial entry: parents, sequence, objects present and matching their ids, signatures. */
  verify(options?: VerifyOptions): Promise<Verdict>;
}

/** Something that is wrong with a ledger. */
export interface Fault {
  kind:
    | 'no-entry'
    | 'missing'
    | 'wrong-type'
    | 'too-large'
    /** Bytes that don't match their id, or can't be read at all. */
    | 'damaged'
    | 'sequence'
    | 'limit'
    /** Entries that were there once are not in the chain any more. */
    | 'head-moved-back'
    | 'signature-missing'
    | 'signature-bad'
    | 'signature-other-key';
  message: string;
}
