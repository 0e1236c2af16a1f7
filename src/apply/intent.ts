/** What apply and undo have in common: paths, what each is expected to hold, and what it shall hold. */
import type { RelPath } from '../base/path-bytes.ts';
import type { HostState } from './host-state.ts';
import type { Side, Step } from './journal.ts';

/** Content that a path is expected to hold: by blob id (apply) or by SHA-256 (undo). */
export interface Expectation {
  kind: 'file' | 'symlink';
  executable: boolean;
  oid?: string | undefined;
  sha256?: string | undefined;
  /** The bytes, for a merge with what the host holds instead; undefined when they can't be had any more. */
  load?(): Promise<Buffer | undefined>;
}

/** Content that a path shall hold. Undo names permissions and times; apply leaves them to the host. */
export type Target = Side & {
  /** The bytes, checked against `sha256`. */
  load(): Promise<Buffer>;
  /** The bytes are nowhere else: they are kept with the record, for undo to compare with. */
  isComposed?: boolean;
  /** Of the bytes, once they are known. */
  size?: number;
};

/**
 * What to do where the host holds something else than expected and that can't be merged: keep the host's (`mine`), write the
 * agent's (`theirs`), write both between markers, or write what a person made of it (`edit`).
 */
export type Choice = 'mine' | 'theirs' | 'markers' | 'edit';

export interface Intent {
  path: RelPath;
  /** Nothing may be there when undefined. */
  expected: Expectation | undefined;
  /** The path is deleted when undefined. */
  target: Target | undefined;
  /** Intents of one group happen together or not at all. */
  group?: string;
  /** Without it a conflict is left alone. */
  choice?: Choice;
  /** What `edit` writes. */
  resolution?: Target;
}

/** An intent that can go ahead, as a step. */
export interface ReadyStep extends Step {
  intent: Intent;
  /** Bytes of what is there. */
  oldSize?: number;
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
  return holdsBytes(state, wanted);
}

/** True when the bytes are these, whatever kind of entry they are in. */
export function holdsBytes(
  state: { sha256: string; oid: string },
  wanted: Pick<Expectation, 'oid' | 'sha256'>,
): boolean {
  if (wanted.sha256 !== undefined) return state.sha256 === wanted.sha256;
  return wanted.oid !== undefined && state.oid === wanted.oid;
}
