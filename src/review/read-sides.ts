/** The bytes of a change. */
import type { Change } from '../diff/change-set.ts';
import type { ChangeBytes } from './file-hunks.ts';

/** A blob of the ledger by its id. */
export type ReadBlob = (oid: string) => Promise<Buffer>;

export async function readSides(change: Change, readBlob: ReadBlob): Promise<ChangeBytes> {
  const before = change.before && (await readBlob(change.before.oid));
  const after = change.after && (await readBlob(change.after.oid));
  return { ...(before && { before }), ...(after && { after }) };
}
