/**
 * Reads git's index (versions 2 to 4): which paths git tracks, and with which content. The file is the project's, so it
 * may be hostile: every length is checked, and what is not an index is answered with undefined.
 * After git's Documentation/gitformat-index.
 */

export interface IndexEntry {
  oid: string;
  mode: number;
  stage: number;
}

/** Paths hold one byte per character (latin1). */
export type GitIndex = Map<string, IndexEntry>;

/** More than any real project has. */
const MAX_ENTRIES = 2_000_000;
const MAX_PATH_BYTES = 4096;
const HEADER_BYTES = 12;
/** Times, device, inode, mode, owner and size come before the object id. */
const STAT_BYTES = 40;

/** The entries of an index, or undefined when the bytes are none, or when it is a split index. */
export function parseGitIndex(bytes: Buffer, objectFormat: 'sha1' | 'sha256'): GitIndex | undefined {
  const oidBytes = objectFormat === 'sha1' ? 20 : 32;
  const end = bytes.length - oidBytes;
  if (end < HEADER_BYTES || bytes.toString('latin1', 0, 4) !== 'DIRC') return undefined;
  const version = bytes.readUInt32BE(4);
  const count = bytes.readUInt32BE(8);
  if (version < 2 || version > 4 || count > MAX_ENTRIES) return undefined;
  const index: GitIndex = new Map();
  const reader = { bytes, end, version, oidBytes, at: HEADER_BYTES, path: '' };
  for (let left = count; left > 0; left--) {
    const entry = readEntry(reader);
    if (entry === undefined) return undefined;
    const known = index.get(reader.path);
    // Stages of a conflict share a path; "ours" is what tells whether a file still has committed content.
    if (known === undefined || entry.stage === 2) index.set(reader.path, entry);
  }
  return isSplit(bytes, reader.at, end) ? undefined : index;
}

interface Reader {
  readonly bytes: Buffer;
  readonly end: number;
  readonly version: number;
  readonly oidBytes: number;
  at: number;
  /** Path of the entry read last. */
  path: string;
}

function readEntry(reader: Reader): IndexEntry | undefined {
  const { bytes, end, version, oidBytes } = reader;
  const start = reader.at;
  const flagsAt = start + STAT_BYTES + oidBytes;
  if (flagsAt + 2 > end) return undefined;
  const mode = bytes.readUInt32BE(start + 24);
  const oid = bytes.toString('hex', start + STAT_BYTES, flagsAt);
  const flags = bytes.readUInt16BE(flagsAt);
  const isExtended = (flags & 0x4000) !== 0;
  if (isExtended && version < 3) return undefined;
  reader.at = flagsAt + (isExtended ? 4 : 2);
  const path = version === 4 ? readPrefixedPath(reader) : readPaddedPath(reader, start);
  if (path === undefined || path === '') return undefined;
  reader.path = path;
  return { oid, mode, stage: (flags >> 12) & 3 };
}

/** Versions 2 and 3: the path, then NULs up to a multiple of eight. */
function readPaddedPath(reader: Reader, start: number): string | undefined {
  const nul = reader.bytes.indexOf(0, reader.at);
  if (nul < 0 || nul >= reader.end || nul - reader.at > MAX_PATH_BYTES) return undefined;
  const path = reader.bytes.toString('latin1', reader.at, nul);
  reader.at = start + (Math.floor((nul - start) / 8) + 1) * 8;
  return path;
}

/** Version 4: how many bytes to drop from the path before, then what to add to it. */
function readPrefixedPath(reader: Reader): string | undefined {
  const { bytes, end } = reader;
  let drop = 0;
  for (let first = true; ; first = false) {
    if (reader.at >= end || drop > MAX_PATH_BYTES) return undefined;
    const byte = bytes[reader.at] ?? 0;
    reader.at += 1;
    drop = (first ? 0 : (drop + 1) * 128) + (byte & 0x7f);
    if ((byte & 0x80) === 0) break;
  }
  const nul = bytes.indexOf(0, reader.at);
  if (nul < 0 || nul >= end || drop > reader.path.length) return undefined;
  const path = reader.path.slice(0, reader.path.length - drop) + bytes.toString('latin1', reader.at, nul);
  reader.at = nul + 1;
  return path.length > MAX_PATH_BYTES ? undefined : path;
}

/** Whether the extensions behind the entries say that most of them are in another file. */
function isSplit(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at + 8 <= end; ) {
    if (bytes.toString('latin1', at, at + 4) === 'link') return true;
    at += 8 + bytes.readUInt32BE(at + 4);
  }
  return false;
}
