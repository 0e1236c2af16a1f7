/** What can be decided inside of a change: its hunks, or its content as a whole where there are none. */
import { createHash } from 'node:crypto';
import { decodePath } from '../base/path-bytes.ts';
import type { Change } from '../diff/change-set.ts';
import { diffText, type Hunk } from '../diff/text-diff.ts';
import { typeOfContent } from './content-type.ts';

export interface ReviewHunk extends Hunk {
  /** Stable: made of the hunk's place in the old file and of its lines. 12 hex digits. */
  id: string;
}

/** One side of a file that has no lines to show. */
export interface OpaqueSide {
  bytes: number;
  /** In words, by the first bytes: `PNG image`, `ELF program`, `data`. */
  type: string;
}

/**
 * `content` is the id by which a content without hunks is decided in a partial decision, as a hunk is.
 * `mode`: the bytes are the same, only mode or name differ. `symlink`: a side is a symlink; decided as a whole.
 */
export type FileHunks =
  | { kind: 'text'; hunks: ReviewHunk[]; added: number; removed: number }
  | { kind: 'binary'; content: string; before?: OpaqueSide; after?: OpaqueSide }
  | {
      kind: 'too-large';
      content: string;
      oldLines: number;
      newLines: number;
      before?: OpaqueSide;
      after?: OpaqueSide;
    }
  | { kind: 'symlink'; before?: string; after?: string }
  | { kind: 'mode' };

/** A change with its bytes; a side that is not there has none. */
export interface ChangeBytes {
  before?: Buffer;
  after?: Buffer;
}

/** The hunks of a change; the same change always has the same. */
export function findHunks(change: Change, { before, after }: ChangeBytes): FileHunks {
  if (change.before?.mode === '120000' || change.after?.mode === '120000') {
    return {
      kind: 'symlink',
      ...(before && change.before?.mode === '120000' && { before: decodePath(before) }),
      ...(after && change.after?.mode === '120000' && { after: decodePath(after) }),
    };
  }
  if (change.before !== undefined && change.before.oid === change.after?.oid) return { kind: 'mode' };
  const diff = diffText(before ?? NOTHING, after ?? NOTHING);
  if (diff.kind === 'text')
    return { ...diff, hunks: diff.hunks.map((hunk) => ({ id: hunkId(hunk), ...hunk })) };
  const content = shortDigest(`${change.before?.oid ?? ''} ${change.after?.oid ?? ''}`);
  return { ...diff, content, ...opaque(before, after) };
}

/** The id of a hunk, by its old place and its lines: what happens elsewhere in the file does not change it. */
function hunkId(hunk: Hunk): string {
  return shortDigest(`${hunk.oldStart} ${hunk.oldLines}\n${hunk.lines.join('\n')}`);
}

function shortDigest(latin1: string): string {
  return createHash('sha256').update(latin1, 'latin1').digest('hex').slice(0, 12);
}

const NOTHING = Buffer.alloc(0);

function opaque(
  before: Buffer | undefined,
  after: Buffer | undefined,
): { before?: OpaqueSide; after?: OpaqueSide } {
  return {
    ...(before && { before: { bytes: before.length, type: typeOfContent(before) } }),
    ...(after && { after: { bytes: after.length, type: typeOfContent(after) } }),
  };
}
