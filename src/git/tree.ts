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
  for (let at = 0; at < bytes.length; ) {
    const end = endOfName(bytes, at, idLength);
    entries.push(parseEntry(bytes, at, end, idLength));
    at = end + 1 + idLength;
  }
  return entries;
}

/** One entry of a tree by its name, without reading the others. Throws `ledger/damaged`. */
export function findTreeEntry(format: ObjectFormat, bytes: Buffer, name: string): TreeEntry | undefined {
  const idLength = oidBytes(format);
  const wanted = Buffer.from(name, 'latin1');
  for (let at = 0; at < bytes.length; ) {
    const end = endOfName(bytes, at, idLength);
    if (bytes[end - wanted.length - 1] === 0x20 && wanted.equals(bytes.subarray(end - wanted.length, end))) {
      const entry = parseEntry(bytes, at, end, idLength);
      // A name may end in a space and another name.
      if (entry.name === name) return entry;
    }
    at = end + 1 + idLength;
  }
  return undefined;
}

/** Where the NUL after the name of the entry at `at` is. */
function endOfName(bytes: Buffer, at: number, idLength: number): number {
  const end = bytes.indexOf(0, at);
  if (end < 0 || end + 1 + idLength > bytes.length) throw damaged('it is cut short');
  return end;
}

function parseEntry(bytes: Buffer, at: number, end: number, idLength: number): TreeEntry {
  const space = bytes.indexOf(0x20, at);
  if (space < 0 || space >= end) throw damaged('it is cut short');
  const mode = bytes.toString('latin1', at, space);
  if (!MODES.has(mode)) throw damaged(`it holds an entry of mode ${JSON.stringify(mode)}`);
  const name = bytes.toString('latin1', space + 1, end);
  if (name === '' || name.includes('/')) throw damaged('it holds an entry without a proper name');
  return { mode: mode as TreeMode, name, oid: bytes.toString('hex', end + 1, end + 1 + idLength) };
}

function damaged(why: string): SafeCoderError {
  return new SafeCoderError('ledger/damaged', `A tree in the ledger can't be read: ${why}.`);
}
