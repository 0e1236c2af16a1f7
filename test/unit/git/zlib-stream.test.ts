import { inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { adler32, deflateChunks, toZlib } from '../../../src/git/zlib-stream.ts';

const bytes = fc.uint8Array({ maxLength: 3000 });

it('inflates to what went in, whole or in pieces', () => {
  fc.assert(
    fc.property(fc.array(bytes, { maxLength: 6 }), (chunks) => {
      const whole = Buffer.concat(chunks);
      return (
        inflateSync(toZlib(whole)).equals(whole) &&
        inflateSync(Buffer.concat([...deflateChunks(chunks)])).equals(whole)
      );
    }),
  );
});

it('makes pieces smaller than what can be compressed', () => {
  const chunks = Array.from({ length: 4 }, () => Buffer.alloc(1 << 20, 'text '));
  expect(Buffer.concat([...deflateChunks(chunks)]).length).toBeLessThan(100_000);
});

it('sums as Adler-32 does, in one go or several', () => {
  expect(adler32(Buffer.from('Wikipedia'))).toBe(0x11e60398);
  const high = Buffer.alloc(100_000, 0xff);
  expect(adler32(high.subarray(40_001), adler32(high.subarray(0, 40_001)))).toBe(adler32(high));
  // Node's own stream ends in the same sum.
  expect(toZlib(high).readUInt32BE(toZlib(high).length - 4)).toBe(adler32(high));
});
