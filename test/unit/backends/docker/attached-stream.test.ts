import { Duplex, PassThrough } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AttachedStream } from '../../../../src/backends/docker/attached-stream.ts';

const piece = (kind: number, bytes: Uint8Array) => {
  const header = Buffer.alloc(8);
  header.writeUInt8(kind, 0);
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
};

/** A connection whose far end is in the test's hands. */
function connection() {
  const incoming = new PassThrough();
  const outgoing = new PassThrough();
  return { incoming, outgoing, near: Duplex.from({ readable: incoming, writable: outgoing }) };
}

async function readAll(stream: Duplex): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

describe('an attached stream', () => {
  it('puts output and complaints together again, however they were cut on the way', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(1, 2), fc.uint8Array({ maxLength: 40 })), { maxLength: 20 }),
        fc.integer({ min: 1, max: 30 }),
        fc.nat(20),
        async (pieces, step, headLength) => {
          const wire = Buffer.concat(pieces.map(([kind, bytes]) => piece(kind, bytes)));
          const { incoming, near } = connection();
          const complaints: Buffer[] = [];
          const head = wire.subarray(0, headLength);
          const stream = new AttachedStream(near, head, (bytes) => complaints.push(Buffer.from(bytes)));
          const all = readAll(stream);
          for (let at = head.length; at < wire.length; at += step) {
            incoming.write(wire.subarray(at, at + step));
            await setImmediate();
          }
          incoming.end();
          const of = (wanted: number) =>
            Buffer.concat(pieces.filter(([kind]) => kind === wanted).map(([, bytes]) => bytes));
          expect((await all).equals(of(1))).toBe(true);
          expect(Buffer.concat(complaints).equals(of(2))).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('passes on what is written as it is', async () => {
    const { outgoing, near } = connection();
    const stream = new AttachedStream(near, Buffer.alloc(0), () => undefined);
    stream.write('to the container');
    await expect.poll(() => outgoing.read()?.toString()).toBe('to the container');
    stream.destroy();
  });

  it('fails on a piece of no known stream', async () => {
    const { incoming, near } = connection();
    const stream = new AttachedStream(near, Buffer.alloc(0), () => undefined);
    const failed = expect(readAll(stream)).rejects.toThrow('stream 7');
    incoming.write(piece(7, Buffer.from('x')));
    await failed;
  });

  it('stops reading from the connection while nobody takes what came', async () => {
    const { incoming, near } = connection();
    const stream = new AttachedStream(near, Buffer.alloc(0), () => undefined);
    const block = piece(1, Buffer.alloc(60_000));
    let taken = 0;
    while (taken < 100 && incoming.write(block)) taken += 1;
    for (let turn = 0; turn < 200; turn++) {
      await setImmediate();
      if (!incoming.writableNeedDrain) incoming.write(block);
    }
    // What is held on the way is a few blocks, not all that was offered.
    expect(stream.readableLength).toBeLessThan(4 * block.length);
    expect(near.isPaused()).toBe(true);
    stream.destroy();
  });
});
