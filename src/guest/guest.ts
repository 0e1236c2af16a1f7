/**
 * The guest as the host sees it: what can be asked over the wire. Everything that comes back is a claim of a
 * hostile machine, already checked for form (lengths, limits, kinds, path syntax) but never for truth.
 */
import type { Duplex } from 'node:stream';
import type { RelPath } from '../base/path-bytes.ts';
import type { Hello } from '../protocol/greeting.ts';
import type { SetupOperation } from '../protocol/setup.ts';
import type { StatRecord as GuestStat } from '../protocol/stat-record.ts';

export type { Hello } from '../protocol/greeting.ts';
export type { FileKind, StatRecord as GuestStat } from '../protocol/stat-record.ts';

export interface SpawnOptions {
  argv: string[];
  /** Exact environment; nothing is inherited. */
  env: Record<string, string>;
  cwd: string;
  uid: number;
  gid: number;
  /** A pseudo-terminal of this size; standard error then joins output by nature. */
  pty?: { rows: number; columns: number };
  /** Standard error joins output in arrival order. */
  mergeStderr?: boolean;
  /** Whether stdin is a pipe that the caller writes; otherwise /dev/null. */
  stdin?: boolean;
  maxProcesses?: number;
  maxMemoryBytes?: number;
  maxOpenFiles?: number;
  /** Called with each chunk; a promise holds back further output (and credit) until it settles. */
  onOutput: (chunk: Buffer, channel: 'out' | 'err') => void | Promise<void>;
}

export interface SpawnEnd {
  exitCode: number | undefined;
  signal: number | undefined;
  wasKilledForMemory: boolean;
  /** A process could not be made because there were as many as there may be. */
  wasRefusedProcesses: boolean;
  wallMs: number;
  cpuMs: number;
  peakMemoryBytes: number;
}

/** A running execution. Ends with its group: nothing of it is left when `ended` settles. */
export interface GuestProcess {
  pid: number;
  /** Settles once, after all output was delivered. Rejects with `guest/lost` ("outcome unknown") when the guest is gone. */
  ended: Promise<SpawnEnd>;
  write(bytes: Uint8Array): Promise<void>;
  closeStdin(): void;
  signal(signo: number): void;
  resize(rows: number, columns: number): void;
  /** Kills the whole group; `ended` settles as usual. */
  kill(): void;
}

export interface GuestChange {
  path: RelPath;
  stat: GuestStat;
  /** Symlinks only: the target's bytes as a path string. */
  target?: string;
}

export type FetchResult =
  | { path: RelPath; ok: false; errno: number }
  | { path: RelPath; ok: true; stat: GuestStat; wasUnstable: boolean; wasCut: boolean };

export type UnpackEntry =
  | { kind: 'directory'; path: RelPath; mode: number; mtimeNs: bigint }
  | { kind: 'symlink'; path: RelPath; mode: number; mtimeNs: bigint; target: string }
  | {
      kind: 'file';
      path: RelPath;
      mode: number;
      mtimeNs: bigint;
      content: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
    };

export interface Who {
  uid: number;
  gid: number;
}

/**
 * Every method rejects with: `guest/failed` (details.errno, details.errnoName) when the guest answered with an error; `guest/lost`
 * when the connection ended; `guest/bad-frame` when the guest broke the protocol (the sandbox must then be
 * killed); `guest/timeout` when a file verb gave no sign of life for its deadline; `cancelled` when the signal aborted.
 */
export interface Guest extends AsyncDisposable {
  readonly hello: Hello;
  /** Settles when the connection is over, with the reason. Never rejects. */
  readonly closed: Promise<Error>;
  spawn(options: SpawnOptions, signal?: AbortSignal): Promise<GuestProcess>;
  read(
    path: string,
    options: Who & { offset?: number; maxBytes: number; noFollow?: boolean },
    signal?: AbortSignal,
  ): Promise<{ stat: GuestStat; bytes: Buffer }>;
  write(
    path: string,
    bytes: Uint8Array,
    options: Who & { mode?: number; makeParents?: boolean; exclusive?: boolean },
    signal?: AbortSignal,
  ): Promise<{ stat: GuestStat; created: boolean }>;
  stat(
    path: string,
    options: Who & { noFollow?: boolean },
  ): Promise<{ stat: GuestStat; canonical: string; target?: string }>;
  list(
    path: string,
    options: Who & { max: number },
  ): Promise<{ entries: { name: string; stat: GuestStat }[]; truncated: boolean }>;
  remove(path: string, options: Who & { recursive?: boolean }): Promise<number>;
  /** Streams changes; `onChange` is called in order, parents first. */
  changes(
    options: { mode: 'overlay' | 'walk'; max: number; prune: RelPath[] },
    onChange: (change: GuestChange) => void,
  ): Promise<{ entries: number; truncated: boolean }>;
  /** Fetches files in order: `onContent` gets a file's bytes in chunks (a symlink's target as one), `onEnd` closes each path. */
  fetch(
    paths: Iterable<RelPath>,
    options: { maxFileBytes: number },
    onContent: (path: RelPath, chunk: Buffer) => void,
    onEnd: (result: FetchResult) => void,
  ): Promise<void>;
  unpack(
    directory: string,
    who: Who,
    entries: Iterable<UnpackEntry> | AsyncIterable<UnpackEntry>,
  ): Promise<number>;
  setup(operations: SetupOperation[]): Promise<void>;
  setClock(realtimeNs: bigint): Promise<void>;
  addEntropy(bytes: Uint8Array): Promise<void>;
  freeze(): Promise<number>;
  thaw(): Promise<void>;
  /** Listens on the guest's loopback in place of the port before; 0 lets the guest choose. Resolves with the port. */
  listen(port: number): Promise<number>;
  /**
   * The next client of that port, when there is one; whoever gets it owns it. Aborting the signal gives up waiting. Ends
   * with an error when the guest is gone.
   */
  accept(signal: AbortSignal): Promise<Duplex>;
  probe(port: number): Promise<{ errno: number; otherInterfaces: number; routes: number }>;
  /** Asks the guest to power off and waits for the connection to end, at most `deadlineMs`. Never rejects. */
  shutdown(deadlineMs: number): Promise<void>;
}
