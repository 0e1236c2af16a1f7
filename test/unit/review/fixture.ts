import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { Change, FileMode, FileState } from '../../../src/diff/change-set.ts';
import { hashObject } from '../../../src/git/object-id.ts';
import { type FileHunks, findHunks, type ReviewHunk } from '../../../src/review/file-hunks.ts';
import { type ReviewItem, reviewItems } from '../../../src/review/review-item.ts';

/** One side of a file: its bytes, as latin1 when they are text, and its mode. */
export type Side = string | Buffer | { bytes: string | Buffer; mode: FileMode };

/** Blobs and changes of a test. */
export class Repository {
  readonly blobs = new Map<string, Buffer>();
  readonly readBlob = async (oid: string): Promise<Buffer> => {
    const bytes = this.blobs.get(oid);
    if (bytes === undefined) throw new Error(`no blob ${oid}`);
    return bytes;
  };

  store(side: Side): FileState {
    const { bytes, mode } =
      typeof side === 'object' && 'mode' in side ? side : { bytes: side, mode: '100644' as const };
    const buffer = typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes;
    const oid = hashObject('sha1', 'blob', buffer);
    this.blobs.set(oid, buffer);
    return { mode, oid };
  }

  change(path: string, before: Side | undefined, after: Side | undefined, from?: string): Change {
    const old = before === undefined ? {} : { before: this.store(before) };
    const now = after === undefined ? {} : { after: this.store(after) };
    const kind =
      from !== undefined
        ? 'renamed'
        : before === undefined
          ? 'added'
          : after === undefined
            ? 'deleted'
            : 'modified';
    return {
      path: path as RelPath,
      kind,
      ...old,
      ...now,
      ...(from !== undefined && { from: from as RelPath }),
    };
  }

  items(...changes: Change[]): Promise<ReviewItem[]> {
    return reviewItems({ base: 'b', final: 'f', changes }, { readBlob: this.readBlob });
  }

  hunks({ before, after, ...change }: Change): FileHunks {
    const bytes = (state: FileState | undefined) =>
      state === undefined ? undefined : this.blobs.get(state.oid);
    const [old, now] = [bytes(before), bytes(after)];
    return findHunks(
      { ...change, ...(before && { before }), ...(after && { after }) },
      { ...(old && { before: old }), ...(now && { after: now }) },
    );
  }

  textHunks(change: Change): ReviewHunk[] {
    const hunks = this.hunks(change);
    if (hunks.kind !== 'text') throw new Error(hunks.kind);
    return hunks.hunks;
  }
}

/** Indexes of the lines of change of a hunk. */
export function changedLines(hunk: ReviewHunk): number[] {
  return [...hunk.lines.keys()].filter((at) => /^[+-]/.test(hunk.lines[at] ?? ''));
}
