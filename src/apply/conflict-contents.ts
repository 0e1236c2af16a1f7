/** The bytes of both sides of a conflict, for a person to look at and to edit. */
import type { RelPath } from '../base/path-bytes.ts';
import { merge3 } from '../diff/merge3.ts';
import { type ApplyOptions, openRoot } from './apply.ts';
import { readMine } from './drift.ts';

export interface ConflictContents {
  base?: Buffer;
  mine?: Buffer;
  theirs?: Buffer;
  /** The merge with both sides between markers, where lines can be merged. */
  withMarkers?: Buffer;
}

/** Reads them as they are now; `path` is that of a conflict of the plan. Throws `ledger/*`. */
export async function readConflict(options: ApplyOptions, path: RelPath): Promise<ConflictContents> {
  const { items } = options.plan;
  const item = items.find((each) => each.path === path);
  const other = items.find(
    ({ group, after }) => group !== undefined && group === item?.group && after !== undefined,
  );
  const [before, after] = [item?.before, item?.after ?? other?.after];
  using root = openRoot(options);
  const state = root.read(path, options.objectFormat);
  const base = before && (await options.readBlob(before.oid));
  const theirs = after && (await options.readBlob(after.oid));
  const mine = state.kind === 'file' ? readMine(root, path, state) : undefined;
  const merge = mine && theirs ? merge3(base ?? Buffer.alloc(0), mine, theirs) : undefined;
  return {
    ...(base && { base }),
    ...(mine && { mine }),
    ...(theirs && { theirs }),
    ...(merge?.clean === false && merge.withMarkers && { withMarkers: merge.withMarkers }),
  };
}
