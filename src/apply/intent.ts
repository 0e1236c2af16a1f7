/** What apply and undo have in common: paths, what each is expected to hold, and what it shall hold. */
import type { RelPath } from '../base/path-bytes.ts';
import type { HostState } from './host-state.ts';
import type { Side } from './journal.ts';

/** Content that a path is expected to hold: by blob id (apply) or by SHA-256 (undo). */
export interface Expectation {
  kind: 'file' | 'symlink';
  executable: boolean;
  oid?: string;
  sha256?: string;
}

/** Content that a path shall hold. Undo names permissions and times; apply leaves them to the host. */
export type Target = Side & {
  /** The bytes, checked against `sha256`. */
  load(): Promise<Buffer>;
};

export interface Intent {
  path: RelPath;
  /** Nothing may be there when undefined. */
  expected: Expectation | undefined;
  /** The path is deleted when undefined. */
  target: Target | undefined;
  /** Intents of one group happen together or not at all. */
  group?: string;
}

/** A path that was left alone, and why, in words for a person. */
export interface Refusal {
  path: RelPath;
  reason: string;
}

/** True when the host holds exactly this: kind, bytes and exec bit. */
export function holds(state: HostState, wanted: Expectation | undefined): boolean {
  if (wanted === undefined) return state.kind === 'absent';
  if (state.kind !== wanted.kind) return false;
  if (wanted.kind === 'file' && state.executable !== wanted.executable) return false;
  if (wanted.sha256 !== undefined) return state.sha256 === wanted.sha256;
  return wanted.oid !== undefined && state.oid === wanted.oid;
}
