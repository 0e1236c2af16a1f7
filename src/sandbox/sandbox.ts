/** A running, populated, proved guest: what tools and the session work with. */
import type { IsolationInfo } from '../base/events.ts';
import type { GuestPath, RelPath } from '../base/path-bytes.ts';
import type { GuestProcess, GuestStat, SpawnOptions, UnpackEntry } from '../guest/guest.ts';

export type ExecOptions = Omit<SpawnOptions, 'uid' | 'gid' | 'env' | 'cwd'> & {
  /** Added to the sandbox's own environment. */
  env?: Record<string, string>;
  /** Default: the workspace. */
  cwd?: string;
};

/** What one capture saw, ready for the ledger. Paths are relative to the workspace. */
export interface Capture {
  /** New or changed files, symlinks and modes since the capture before. */
  written: CapturedFile[];
  /** Files and links that are gone since the capture before. */
  removed: RelPath[];
  skipped: SkippedPath[];
  /** Files that the base's ignore rules cover: counted and named (at most a few names), not captured. */
  ignored: { count: number; examples: string[] };
  /** True when the root `.git` differs from how it was put in. */
  gitChanged: boolean;
  /** True when every byte in the upper layer was read again with the guest frozen. */
  isSweep: boolean;
}

export interface CapturedFile {
  path: RelPath;
  mode: '100644' | '100755' | '120000';
  /** Object id of the blob, already handed to the blob sink. */
  oid: string;
  size: number;
}

export interface SkippedPath {
  path: string;
  reason:
    | 'special'
    | 'too-large'
    | 'unreadable'
    | 'too-deep'
    | 'nested-git'
    | 'setuid'
    | 'empty-directory'
    | 'unstable'
    | 'mount'
    | 'budget';
  detail?: string;
}

/**
 * Where capture puts bytes: the ledger, behind an interface because floors don't look sideways. Returns the blob's object
 * id; the bytes are durable by the time the entry is committed. `has` tells whether an id needs no bytes.
 */
export interface BlobSink {
  readonly objectFormat: 'sha1' | 'sha256';
  writeBlob(size: number, chunks: Iterable<Uint8Array>): string;
}

/** What a sandbox may use, in bytes and processes; 0: no limit. */
export interface SandboxLimits {
  memoryBytes: number;
  diskBytes: number;
  pids: number;
}

export interface Sandbox extends AsyncDisposable {
  readonly id: string;
  readonly isolation: IsolationInfo;
  /** What it may use, for people: the guest's kernel and its disk hold to it. */
  readonly limits: SandboxLimits;
  /** The workspace's root in the guest. */
  readonly workspace: GuestPath;
  /** Settles when the guest is gone, with the reason. */
  readonly closed: Promise<Error>;
  exec(options: ExecOptions, signal?: AbortSignal): Promise<GuestProcess>;
  /** Path arguments are absolute guest paths; see {@link Guest} for failures. */
  read(
    path: string,
    options: { offset?: number; maxBytes: number },
    signal?: AbortSignal,
  ): Promise<{ stat: GuestStat; bytes: Buffer }>;
  write(
    path: string,
    bytes: Uint8Array,
    options: { mode?: number; makeParents?: boolean; exclusive?: boolean },
    signal?: AbortSignal,
  ): Promise<{ stat: GuestStat; created: boolean }>;
  stat(
    path: string,
    options?: { noFollow?: boolean },
  ): Promise<{ stat: GuestStat; canonical: string; target?: string }>;
  list(
    path: string,
    max: number,
  ): Promise<{ entries: { name: string; stat: GuestStat }[]; truncated: boolean }>;
  remove(path: string, options?: { recursive?: boolean }): Promise<number>;
  /** Puts entries into the workspace, parents first; what is no directory is replaced, a directory in a file's place fails. */
  unpack(entries: Iterable<UnpackEntry> | AsyncIterable<UnpackEntry>): Promise<number>;
  /**
   * Runs `work` while every execution stands still, where the guest can do that: files can be read and written, nothing can
   * be started, and captures by `work` need no freeze of their own. Executions go on afterwards, whatever becomes of it.
   */
  whileFrozen<T>(work: () => Promise<T>): Promise<T>;
  /** What changed since the capture before. `alsoWrote` names ignored paths to capture all the same. */
  capture(sink: BlobSink, options: { sweep: boolean; alsoWrote: RelPath[] }): Promise<Capture>;
  end(): Promise<void>;
}
