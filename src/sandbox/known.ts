/** What capture knows from one time to the next. A capture makes a new one; a capture that fails changes nothing. */
import type { RelPath } from '../base/path-bytes.ts';
import type { GuestStat } from '../guest/guest.ts';
import type { BaseFile } from './project-source.ts';

/** A file as it was last read. */
export interface Seen {
  ino: bigint;
  size: number;
  mtimeNs: bigint;
  ctimeNs: bigint;
  mode: number;
  /** It was read so soon after its last change that another change could hide behind the same stamps. */
  isRacy: boolean;
  file: BaseFile;
}

export interface Known {
  /** Where the workspace differs from the base; `undefined` as a value: gone. */
  delta: ReadonlyMap<RelPath, BaseFile | undefined>;
  seen: ReadonlyMap<RelPath, Seen>;
  /** Keys of the skips that were reported. */
  skips: ReadonlySet<string>;
  emptyDirectories: ReadonlySet<RelPath>;
  /** Ignored directories that hold nothing of the base, topmost ones only, and how many ignored files they held. */
  ignoredDirectories: ReadonlyMap<RelPath, number>;
  /** Ignored paths that are captured all the same. */
  forced: ReadonlySet<RelPath>;
}

export const NOTHING_KNOWN: Known = {
  delta: new Map(),
  seen: new Map(),
  skips: new Set(),
  emptyDirectories: new Set(),
  ignoredDirectories: new Map(),
  forced: new Set(),
};

/** Whether the stamps are those of the file as it was last read. */
export function isSameStamp(seen: Seen, stat: GuestStat): boolean {
  return (
    seen.ino === stat.ino &&
    seen.size === stat.size &&
    seen.mtimeNs === stat.mtimeNs &&
    seen.ctimeNs === stat.ctimeNs &&
    seen.mode === stat.mode
  );
}

export function isSameFile(a: BaseFile | undefined, b: BaseFile | undefined): boolean {
  return a?.oid === b?.oid && a?.mode === b?.mode;
}
