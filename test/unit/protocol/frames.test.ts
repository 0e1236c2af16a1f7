import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSafeCoderError } from '../../../src/base/errors.ts';
import {
  encodeFrame,
  FRAME,
  type Frame,
  FrameDecoder,
  HEADER_BYTES,
  MAX_DATA,
  MAX_PAYLOAD,
} from '../../../src/protocol/frames.ts';

function decodeIn(pieces: Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder('guest');
  for (const piece of pieces) decoder.push(piece, (frame) => frames.push(frame));
  expect(decoder.isPartial).toBe(false);
  return frames;
}

/** Cuts bytes at random places, empty pieces included. */
function cutAt(bytes: Buffer, places: number[]): Buffer[] {
  const cuts = [0, ...places.map((place) => place % (bytes.length + 1)), bytes.length].sort((a, b) => a - b);
  return cuts.slice(1).map((end, at) => bytes.subarray(cuts[at], end));
}

const dataFrame = fc.record({
  stream: fc.integer({ min: 1, max: 0xffffffff }),
  flags: fc.constantFrom(0, 1),
  payload: fc.uint8Array({ minLength: 1, maxLength: 300 }),
});

describe('FrameDecoder', () => {
  it('gives back the frames that were written, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(dataFrame, { maxLength: 20 }),
        fc.array(fc.nat(10_000), { maxLength: 40 }),
        (sent, places) => {
          const bytes = Buffer.concat(
            sent.map(({ stream, flags, payload }) => encodeFrame(FRAME.data, stream, payload, flags)),
          );
          const got = decodeIn(cutAt(bytes, places));
          expect(got.map((f) => [f.type, f.flags, f.stream, f.payload.toString('hex')])).toEqual(
            sent.map((f) => [FRAME.data, f.flags, f.stream, Buffer.from(f.payload).toString('hex')]),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  it('refuses a header as soon as it is there, before any payload', () => {
    for (const size of [MAX_PAYLOAD + 1, MAX_DATA + 1, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const header = encodeFrame(FRAME.data, 1);
      header.writeUInt32LE(size, 0);
      for (const pieces of [[header], cutAt(header, [3, 5, 9])]) {
        expect(() => decodeIn(pieces)).toThrow(expect.objectContaining({ code: 'guest/bad-frame' }));
      }
    }
  });

  it('does not copy a payload that lies whole in one chunk', () => {
    const chunk = encodeFrame(FRAME.data, 1, Buffer.from('hello'));
    const [frame] = decodeIn([chunk]);
    expect(frame?.payload.buffer).toBe(chunk.buffer);
    expect(frame?.payload.byteOffset).toBe(chunk.byteOffset + HEADER_BYTES);
  });

  it('takes or refuses six thousand mutated streams, and never fails in any other way', () => {
    const random = mulberry32(20_26);
    const frames = [
      encodeFrame(FRAME.data, 7, Buffer.alloc(100, 'x'), 1),
      encodeFrame(FRAME.credit, 7, Buffer.from([0, 0, 1, 0])),
      encodeFrame(FRAME.end, 7),
      encodeFrame(FRAME.error, 7, Buffer.from([2, 0, 0, 0, 0, 0])),
    ];
    let refused = 0;
    let accepted = 0;
    for (let round = 0; round < 6000; round++) {
      const bytes = Buffer.concat(frames.map((frame) => Buffer.from(frame)));
      const mutations = 1 + Math.floor(random() * 4);
      for (let n = 0; n < mutations; n++) bytes[Math.floor(random() * bytes.length)] = random() * 256;
      const decoder = new FrameDecoder('guest');
      try {
        for (const piece of cutAt(bytes, [random() * 999, random() * 999].map(Math.floor))) {
          decoder.push(piece, (frame) => expect(frame.payload.length).toBeLessThanOrEqual(MAX_PAYLOAD));
        }
        accepted += 1;
      } catch (error) {
        expect(isSafeCoderError(error, 'guest/bad-frame')).toBe(true);
        refused += 1;
      }
    }
    // Both happen, or the mutations would prove nothing.
    expect(refused).toBeGreaterThan(500);
    expect(accepted).toBeGreaterThan(500);
  });
});

function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
