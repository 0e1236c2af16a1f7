/** Tree objects: encoding in git's order, and strict parsing. Names are bytes, held as latin1 strings. */
import { SafeCoderError } from '../base/errors.ts';
import { type ObjectFormat, oidBytes } from './object-id.ts';

export type TreeMode = '100644' | '100755' | '120000' | '40000';

export interface TreeEntry {
  mode: TreeMode;
  /** One code unit per byte. */
  name: string;
  oid: string;
}

const MODES: ReadonlySet<string> = new Set(['100644', '100755', '120000', '40000']);

/** What git sorts by: a directory counts as if its name ended in a slash. */
function treeSortKey(entry: { mode: string; name: string }): string {
  return entry.mode === '40000' ? `${entry.name}/` : entry.name;
}

/** Git's order of two entries of one tree. */
export function compareTreeEntries(
  a: { mode: string; name: string },
  b: { mode: string; name: string },
): number {
  const left = treeSortKey(a);
  const right = treeSortKey(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/** The bytes of a tree. `entries` must be in git's order. */
export function encodeTree(format: ObjectFormat, entries: readonly TreeEntry[]): Buffer {
  const idLength = oidBytes(format);
  let size = 0;
  for (const entry of entries) size += entry.mode.length + entry.name.length + 2 + idLength;
  const out = Buffer.allocUnsafe(size);
  let at = 0;
  for (const entry of entries) {
    at += out.write(`${entry.mode} ${entry.name}\0`, at, 'latin1');
    at += out.write(entry.oid, at, idLength, 'hex');
  }
  return out;
}

/** The entries of a tree. Throws `ledger/damaged` for anything that {@link encodeTree} does not write. */
export function parseTree(format: ObjectFormat, bytes: Buffer): TreeEntry[] {
  const idLength = oidBytes(format);
  const entries: TreeEntry[] = [];
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const end = space < 0 ? -1 : bytes.indexOf(0, space);
    if (end < 0 || end + 1 + idLength > bytes.length) throw damaged('it is cut short');
    const mode = bytes.toString('latin1', at, space);
    if (!MODES.has(mode)) throw damaged(`it holds an entry of mode ${JSON.stringify(mode)}`);
    const name = bytes.toString('latin1', space + 1, end);
    if (name === '' || name.includes('/')) throw damaged('it holds an entry without a proper name');
    entries.push({ mode: mode as TreeMode, name, oid: bytes.toString('hex', end + 1, end + 1 + idLength) });
    at = end + 1 + idLength;
  }
  return entries;
}

function damaged(why: string): SafeCoderError {
  return new SafeCoderError('ledger/damaged', `A tree in the ledger can't be read: ${why}.`);
}
