/** The stat record of the wire: 56 bytes, see guest/PROTOCOL.md. */
import { badFrame } from './bad-frame.ts';
import type { ByteReader } from './byte-reader.ts';
import type { ByteWriter } from './byte-writer.ts';

export const STAT_BYTES = 56;

export type FileKind = 'file' | 'directory' | 'symlink' | 'deleted' | 'special' | 'unreadable' | 'too-deep';

export interface StatRecord {
  kind: FileKind;
  isOpaque: boolean;
  isMount: boolean;
  isPruned: boolean;
  /** Permission bits (12). For `unreadable`, an errno. */
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  size: number;
  ino: bigint;
  mtimeNs: bigint;
  ctimeNs: bigint;
}

const KINDS: readonly (FileKind | undefined)[] = [
  undefined,
  'file',
  'directory',
  'symlink',
  'deleted',
  'special',
  'unreadable',
  'too-deep',
];
const FLAG = { opaque: 1, mount: 2, pruned: 4, setid: 8 } as const;
const SETID_BITS = 0o6000;

/** Reads one record. Throws `guest/bad-frame` for an unknown kind or flag, or a mode of more than 12 bits. */
export function readStat(reader: ByteReader): StatRecord {
  const kind = KINDS[reader.u8()];
  const flags = reader.u8();
  reader.reserved(2);
  if (kind === undefined) throw badFrame('a file of an unknown kind');
  if (flags > 15) throw badFrame('a file with unknown flags');
  const mode = reader.u32();
  if (mode > 0o7777) throw badFrame('a file mode of more than 12 bits');
  const uid = reader.u32();
  const gid = reader.u32();
  const nlink = reader.u32();
  reader.reserved(4);
  return {
    kind,
    isOpaque: (flags & FLAG.opaque) !== 0,
    isMount: (flags & FLAG.mount) !== 0,
    isPruned: (flags & FLAG.pruned) !== 0,
    mode,
    uid,
    gid,
    nlink,
    size: reader.size(),
    ino: reader.u64(),
    mtimeNs: reader.i64(),
    ctimeNs: reader.i64(),
  };
}

/** Writes one record; used by tests that play the guest. */
export function writeStat(writer: ByteWriter, stat: StatRecord): void {
  const isSetid = stat.kind !== 'unreadable' && (stat.mode & SETID_BITS) !== 0;
  const flags =
    (stat.isOpaque ? FLAG.opaque : 0) |
    (stat.isMount ? FLAG.mount : 0) |
    (stat.isPruned ? FLAG.pruned : 0) |
    (isSetid ? FLAG.setid : 0);
  writer.u8(KINDS.indexOf(stat.kind)).u8(flags).u16(0).u32(stat.mode).u32(stat.uid).u32(stat.gid);
  writer.u32(stat.nlink).u32(0).u64(stat.size).u64(stat.ino).i64(stat.mtimeNs).i64(stat.ctimeNs);
}
