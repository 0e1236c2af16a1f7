/**
 * The promise: however a guest's answers are garbled, every call on the host settles, with an answer that was checked
 * or with one of the errors that callers know; nothing else happens. Seeded, so that a failure can be run again.
 */
import { describe, expect, it } from 'vitest';
import { isSafeCoderError } from '../../src/base/errors.ts';
import { type RelPath, relPathFault } from '../../src/base/path-bytes.ts';
import { openGuest } from '../../src/guest/client.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import { encodeFrame, FRAME, type Frame } from '../../src/protocol/frames.ts';
import { encodeHello } from '../../src/protocol/greeting.ts';
import { type StatRecord, writeStat } from '../../src/protocol/stat-record.ts';
import { FakeGuest, HELLO } from '../support/fake-guest.ts';

const WHO = { uid: 0, gid: 0 };
const KNOWN = ['guest/bad-frame', 'guest/lost', 'guest/timeout', 'guest/failed', 'guest/version'];
const ROUNDS = 600;

function stat(kind: StatRecord['kind']): Buffer {
  const writer = new ByteWriter();
  const times = { mtimeNs: 1n, ctimeNs: 1n, ino: 1n, nlink: 1, size: 3 };
  const flags = { isOpaque: false, isMount: false, isPruned: false };
  writeStat(writer, { kind, mode: 0o644, uid: 0, gid: 0, ...times, ...flags });
  return writer.done();
}

const u32 = (value: number) => new ByteWriter().u32(value).done();
const u64 = (value: number) => new ByteWriter().u64(value).done();
const named = (kind: StatRecord['kind'], name: string) =>
  new ByteWriter().bytes(stat(kind)).str16(name).done();

/** Honest answers, as whole frames. */
function honestAnswers({ type, stream }: Frame): Buffer[] {
  const frame = (kind: number, payload?: Uint8Array) => encodeFrame(kind, stream, payload);
  switch (type) {
    case FRAME.read:
      return [
        frame(FRAME.reply, stat('file')),
        frame(FRAME.data, Buffer.from('abc')),
        frame(FRAME.end, u64(3)),
      ];
    case FRAME.list:
      return [
        frame(FRAME.data, Buffer.concat([named('file', 'a'), named('directory', 'b')])),
        frame(FRAME.end, new ByteWriter().u32(2).u8(0).done()),
      ];
    case FRAME.changes:
      return [
        frame(
          FRAME.data,
          Buffer.concat([named('directory', 'd'), named('file', 'd/f'), named('deleted', 'x')]),
        ),
        frame(FRAME.end, new ByteWriter().u64(3).u8(0).done()),
      ];
    case FRAME.fetch: {
      const file = [u32(0), stat('file'), u32(3), Buffer.from('abc'), u32(0), Buffer.from([0]), u32(2)];
      return [frame(FRAME.data, Buffer.concat(file)), frame(FRAME.end, u64(2))];
    }
    case FRAME.spawn:
      return [
        frame(FRAME.reply, u32(5)),
        frame(FRAME.data, Buffer.from('out')),
        frame(FRAME.end, new ByteWriter().u8(0).u8(0).u16(0).u64(1).u64(1).u64(1).done()),
      ];
    case FRAME.stat:
      return [frame(FRAME.end, new ByteWriter().bytes(stat('file')).str16('/w/a').str16('').done())];
    case FRAME.cancel:
      return [frame(FRAME.error, new ByteWriter().u32(125).str16('').done())];
    default:
      return [];
  }
}

type Random = (below: number) => number;

function garble(frames: Buffer[], random: Random): Buffer[] {
  const out = frames.map((frame) => Buffer.from(frame));
  const at = random(out.length);
  const victim = out[at];
  if (victim === undefined) return out;
  switch (random(6)) {
    case 0:
      out.splice(at, 1);
      return out;
    case 1:
      out.splice(at, 0, victim);
      return out;
    case 2:
      return out.reverse();
    case 3:
      out[at] = victim.subarray(0, random(victim.length));
      return out;
    case 4:
      victim.writeUInt32LE([0, 1, 0xffffffff, 70_000][random(4)] ?? 0, random(victim.length - 3));
      return out;
    default:
      for (let n = 0; n <= random(3); n++) victim[random(victim.length)] = random(256);
      return out;
  }
}

/** Everything a host asks, at once; each with a check of what came back. */
function askEverything(guest: Guest): Promise<unknown>[] {
  return [
    guest
      .read('/w/a', { ...WHO, maxBytes: 100 })
      .then(({ bytes }) => expect(bytes.length).toBeLessThanOrEqual(100)),
    guest.list('/w', { ...WHO, max: 10 }).then(({ entries }) => {
      for (const { name } of entries) expect(name.includes('/')).toBe(false);
    }),
    guest.changes({ mode: 'walk', max: 10, prune: [] }, ({ path }) => {
      expect(relPathFault(path)).toBeUndefined();
    }),
    guest.fetch(
      ['a', 'b'] as RelPath[],
      { maxFileBytes: 100 },
      (_path, chunk) => expect(chunk.length).toBeLessThanOrEqual(4095),
      ({ path }) => expect(['a', 'b']).toContain(path),
    ),
    guest
      .spawn({ argv: ['x'], env: {}, cwd: '/', ...WHO, onOutput: () => undefined })
      .then((process) => process.ended),
    guest.stat('/w/a', WHO).then(({ canonical }) => expect(canonical.startsWith('/')).toBe(true)),
  ];
}

describe('a guest whose answers are garbled', () => {
  it('settles every call, with a checked answer or a known error', { timeout: 120_000 }, async () => {
    const outcomes = { answered: 0, refused: 0 };
    for (let seed = 1; seed <= ROUNDS; seed++) {
      const random = generator(seed);
      const fake = new FakeGuest();
      // An execution that never answers is for a person to cancel; here the test does.
      const patience = setTimeout(() => fake.end(), 150);
      fake.onFrame = (frame) => {
        const frames = honestAnswers(frame);
        if (frames.length === 0) return;
        for (const bytes of random(4) === 0 ? garble(frames, random) : frames) fake.raw(bytes);
      };
      try {
        const deadlines = { helloMs: 60, silenceMs: 60, cancelMs: 30, frameMs: 60 };
        const opening = openGuest(fake.channel, { restored: false, deadlines });
        const hello = [encodeFrame(FRAME.hello, 0, encodeHello(HELLO, 0n))];
        for (const bytes of random(8) === 0 ? garble(hello, random) : hello) fake.raw(bytes);
        const guest = await opening;
        const all = await Promise.allSettled(askEverything(guest));
        for (const result of all) {
          if (result.status === 'fulfilled') outcomes.answered += 1;
          else expectKnown(result.reason, seed);
        }
        outcomes.refused += all.filter((result) => result.status === 'rejected').length;
        await guest[Symbol.asyncDispose]();
      } catch (error) {
        expectKnown(error, seed);
      } finally {
        clearTimeout(patience);
      }
      expect(fake.channel.destroyed).toBe(true);
    }
    // Both happen, or the garbling would prove nothing.
    expect(outcomes.answered).toBeGreaterThan(ROUNDS / 2);
    expect(outcomes.refused).toBeGreaterThan(ROUNDS / 2);
  });
});

function expectKnown(error: unknown, seed: number): void {
  const isKnown = isSafeCoderError(error) && KNOWN.includes(error.code);
  if (!isKnown) throw new Error(`seed ${seed}: ${error}`, { cause: error });
}

function generator(seed: number): Random {
  let state = Math.imul(seed, 2_654_435_761) & 0x7fffffff;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % Math.max(below, 1);
  };
}
