/** The "newc" archive that a Linux kernel unpacks as its first root file system (kernel docs: buffer-format.rst). */

export type CpioEntry =
  | { kind: 'directory'; path: string; mode: number }
  | { kind: 'file'; path: string; mode: number; bytes: Uint8Array }
  | { kind: 'character-device'; path: string; mode: number; major: number; minor: number };

const TYPE_BITS = { directory: 0o040000, file: 0o100000, 'character-device': 0o020000 } as const;

/**
 * The archive's bytes: entries in the given order, all owned by root, with no time stamps, so that the same input
 * gives the same bytes. Paths are relative, and parents must come before what they hold.
 */
export function encodeCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  let inode = 1;
  for (const entry of entries) {
    parts.push(...encodeEntry(entry, inode));
    inode += 1;
  }
  parts.push(...encodeEntry({ kind: 'file', path: 'TRAILER!!!', mode: 0, bytes: Buffer.alloc(0) }, 0));
  return Buffer.concat(parts);
}

function encodeEntry(entry: CpioEntry, inode: number): Buffer[] {
  if (entry.path.startsWith('/') || entry.path.includes('\0')) {
    throw new Error(`not a relative path: ${JSON.stringify(entry.path)}`);
  }
  const bytes = entry.kind === 'file' ? entry.bytes : Buffer.alloc(0);
  const device = entry.kind === 'character-device' ? entry : { major: 0, minor: 0 };
  const name = Buffer.from(`${entry.path}\0`);
  const fields = [
    inode,
    inode === 0 ? 0 : TYPE_BITS[entry.kind] | entry.mode,
    0, // uid
    0, // gid
    entry.kind === 'directory' ? 2 : 1, // links
    0, // mtime
    bytes.length,
    0, // device of the file itself
    0,
    device.major,
    device.minor,
    name.length,
    0, // checksum, unused in this form
  ];
  const header = Buffer.from(
    `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`,
    'latin1',
  );
  return [
    header,
    name,
    padding(header.length + name.length),
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    padding(bytes.length),
  ];
}

function padding(length: number): Buffer {
  return Buffer.alloc((4 - (length % 4)) % 4);
}
