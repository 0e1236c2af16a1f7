/** The parts of UNPACK's content, in the order they are sent. */
import type { RelPath } from '../base/path-bytes.ts';
import { ByteWriter } from './byte-writer.ts';
import { MAX_CHUNK } from './fetch-decoder.ts';

const KIND = { file: 1, directory: 2, symlink: 3 } as const;

export interface UnpackHead {
  kind: 'file' | 'directory' | 'symlink';
  path: RelPath;
  mode: number;
  mtimeNs: bigint;
  target?: string;
}

/** What stands before a file's chunks; all of a directory or symlink. */
export function encodeUnpackHead(entry: UnpackHead): Buffer {
  const writer = new ByteWriter(64 + entry.path.length)
    .u8(KIND[entry.kind])
    .u32(entry.mode)
    .i64(entry.mtimeNs)
    .path(entry.path);
  if (entry.kind === 'symlink') writer.path(entry.target ?? '');
  return writer.done();
}

/** A file's bytes as the parts of chunks: lengths and the bytes themselves, which are not copied. */
export function* encodeChunks(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += MAX_CHUNK) {
    const part = bytes.subarray(at, at + MAX_CHUNK);
    yield new ByteWriter(4).u32(part.length).done();
    yield part;
  }
}

/** Closes a file. */
export const CHUNKS_END = Buffer.alloc(4);
