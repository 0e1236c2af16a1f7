/**
 * Zlib streams (RFC 1950) made synchronously: small ones stored as they are, big ones piece by piece, because Node's
 * synchronous deflate takes only whole buffers and a file may be larger than what should be in memory at once.
 */
import { constants, deflateRawSync, deflateSync } from 'node:zlib';

const LEVEL = 1;
const HEADER = Buffer.from([0x78, 0x01]);
/** An empty final block with fixed codes (RFC 1951, 3.2.6). */
const LAST_BLOCK = Buffer.from([0x03, 0x00]);
/** Below this, starting a compressor costs more time than the bytes it could save are worth. */
const STORE_BYTES = 512;
const ADLER_MODULUS = 65_521;
/** The most bytes before the sums of Adler-32 could leave 32 bits. */
const ADLER_RUN = 5552;

/** Adler-32 of `bytes`, going on from the value for what came before (1 at the start). */
export function adler32(bytes: Uint8Array, value = 1): number {
  let low = value & 0xffff;
  let high = value >>> 16;
  for (let at = 0; at < bytes.length; ) {
    const end = Math.min(at + ADLER_RUN, bytes.length);
    for (; at < end; at++) {
      low += bytes[at] ?? 0;
      high += low;
    }
    low %= ADLER_MODULUS;
    high %= ADLER_MODULUS;
  }
  return ((high << 16) | low) >>> 0;
}

/** A whole buffer as one zlib stream. */
export function toZlib(bytes: Uint8Array): Buffer {
  return bytes.length <= STORE_BYTES ? storeZlib(bytes) : deflateSync(bytes, { level: LEVEL });
}

function storeZlib(bytes: Uint8Array): Buffer {
  const out = Buffer.allocUnsafe(bytes.length + 11);
  out.set(HEADER, 0);
  out[2] = 1;
  out.writeUInt16LE(bytes.length, 3);
  out.writeUInt16LE(~bytes.length & 0xffff, 5);
  out.set(bytes, 7);
  out.writeUInt32BE(adler32(bytes), bytes.length + 7);
  return out;
}

/** The pieces of one zlib stream over all chunks, in order, each made when its chunk was taken. */
export function* deflateChunks(chunks: Iterable<Uint8Array>): Generator<Buffer> {
  let sum = 1;
  yield HEADER;
  for (const chunk of chunks) {
    if (chunk.length === 0) continue;
    sum = adler32(chunk, sum);
    yield deflateRawSync(chunk, { level: LEVEL, finishFlush: constants.Z_SYNC_FLUSH });
  }
  const tail = Buffer.alloc(6);
  tail.set(LAST_BLOCK, 0);
  tail.writeUInt32BE(sum, 2);
  yield tail;
}
