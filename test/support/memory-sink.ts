import { createHash } from 'node:crypto';
import type { BlobSink } from '../../src/sandbox/sandbox.ts';

/** Keeps blobs in memory, under git's own ids. */
export class MemorySink implements BlobSink {
  readonly objectFormat = 'sha1';
  readonly blobs = new Map<string, Buffer>();
  /** Throws on the n-th blob from now, when set. */
  failAfter: number | undefined;

  writeBlob(size: number, chunks: Iterable<Uint8Array>): string {
    if (this.failAfter !== undefined && this.failAfter-- <= 0) {
      this.failAfter = undefined;
      throw new Error('no space left');
    }
    const bytes = Buffer.concat([...chunks]);
    if (bytes.length !== size)
      throw new Error(`a blob of ${bytes.length} bytes that was announced as ${size}`);
    const oid = blobId(bytes);
    this.blobs.set(oid, bytes);
    return oid;
  }

  text(oid: string): string | undefined {
    return this.blobs.get(oid)?.toString();
  }
}

export function blobId(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}
