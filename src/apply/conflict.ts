/** A path where the host changed meanwhile, as data: both sides, what they came from, and what can be chosen. */
import type { HostState } from './host-state.ts';
import type { Choice, Expectation, Refusal, Target } from './intent.ts';

/** One version of a path. */
export interface ConflictSide {
  kind: 'file' | 'symlink';
  executable: boolean;
  /** Blob id in the ledger, or SHA-256 of the bytes, whichever is known. */
  oid?: string;
  sha256?: string;
  size?: number;
}

export interface Conflict extends Refusal {
  /** What the session began with; undefined when there was nothing. */
  base?: ConflictSide;
  /** What the host holds now; undefined when there is nothing. */
  mine?: ConflictSide;
  /** What was accepted; undefined for a deletion. */
  theirs?: ConflictSide;
  /** What can be done about it besides leaving the path alone; empty when nothing can. */
  choices: Choice[];
}

/** A path whose two changes were put together. */
export interface MergedPath {
  path: string;
  /** For a rename, where the host's version of the file is. */
  from?: string;
  /** SHA-256 of the host's bytes that went into it. */
  mine: string;
  /** SHA-256 of what came out. */
  result: string;
}

/** The sides of a conflict as data. */
export function sidesOf(
  expected: Expectation | undefined,
  state: HostState,
  target: Target | undefined,
): Pick<Conflict, 'base' | 'mine' | 'theirs'> {
  const isEntry = state.kind === 'file' || state.kind === 'symlink';
  return {
    ...(expected && { base: sideOf(expected) }),
    ...(isEntry && { mine: { ...sideOf(state), size: state.size } }),
    ...(target && { theirs: sideOf(target) }),
  };
}

function sideOf({
  kind,
  executable,
  oid,
  sha256,
}: Pick<Expectation, 'kind' | 'executable' | 'oid' | 'sha256'>): ConflictSide {
  return {
    kind,
    executable,
    ...(oid !== undefined && { oid }),
    ...(sha256 !== undefined && { sha256 }),
  };
}
