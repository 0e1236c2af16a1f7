/** Whatever is done to honest content, its decoders read it or refuse it as bad frames; they never do anything else. */
import { describe, expect, it } from 'vitest';
import { isSafeCoderError } from '../../../src/base/errors.ts';
import { relPathFault } from '../../../src/base/path-bytes.ts';
import * as answers from '../../../src/protocol/answers.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import { ChangesDecoder, ListDecoder } from '../../../src/protocol/entry-decoder.ts';
import { FetchDecoder } from '../../../src/protocol/fetch-decoder.ts';
import { decodeFailure, decodeHello, encodeHello } from '../../../src/protocol/greeting.ts';
import { type FileKind, type StatRecord, writeStat } from '../../../src/protocol/stat-record.ts';
import { HELLO } from '../../support/fake-guest.ts';

const LIMIT = 64;

function stat(kind: FileKind, size = 3): Buffer {
  const record: StatRecord = {
    kind,
    isOpaque: false,
    isMount: false,
    isPruned: false,
    mode: 0o644,
    uid: 0,
    gid: 0,
    nlink: 1,
    size,
    ino: 9n,
    mtimeNs: 1n,
    ctimeNs: 1n,
  };
  const writer = new ByteWriter();
  writeStat(writer, record);
  return writer.done();
}

const join = (...parts: Uint8Array[]) => Buffer.concat(parts);
const u32 = (value: number) => new ByteWriter().u32(value).done();
const named = (kind: FileKind, name: string) => new ByteWriter().bytes(stat(kind)).str16(name).done();

/** What is honest, and what reads it. The reader checks what it was given, as a caller would rely on it. */
const subjects: Record<string, { honest: Buffer; read: (pieces: Buffer[]) => void }> = {
  list: {
    honest: join(named('file', 'a'), named('directory', 'ünï'), named('symlink', 'c')),
    read: (pieces) => {
      const decoder = new ListDecoder(3);
      for (const piece of pieces) decoder.push(piece);
      decoder.finish();
      for (const { name } of decoder.entries) {
        expect(name.includes('/') || relPathFault(name) !== undefined).toBe(false);
      }
      expect(decoder.entries.length).toBeLessThanOrEqual(3);
    },
  },
  changes: {
    honest: join(
      named('directory', 'd'),
      named('file', 'd/f'),
      named('symlink', 'l'),
      new ByteWriter().str16('../x').done(),
      named('deleted', 'gone'),
    ),
    read: (pieces) => {
      let count = 0;
      const decoder = new ChangesDecoder(4, ({ path, stat: of, target }) => {
        count += 1;
        expect(relPathFault(path)).toBeUndefined();
        expect(target === undefined).toBe(of.kind !== 'symlink');
      });
      for (const piece of pieces) decoder.push(piece);
      decoder.finish();
      expect(count).toBeLessThanOrEqual(4);
    },
  },
  fetch: {
    honest: join(
      join(
        u32(0),
        stat('file'),
        u32(2),
        Buffer.from('ab'),
        u32(1),
        Buffer.from('c'),
        u32(0),
        Buffer.from([0]),
      ),
      u32(2),
      join(u32(0), stat('symlink'), u32(1), Buffer.from('t'), u32(0), Buffer.from([1])),
      join(u32(0), stat('directory'), u32(0), Buffer.from([0])),
    ),
    read: (pieces) => {
      let size = 0;
      const decoder = new FetchDecoder(LIMIT, {
        onContent: (bytes) => {
          size += bytes.length;
          expect(size).toBeLessThanOrEqual(4095);
        },
        onEnd: () => {
          size = 0;
        },
      });
      for (const piece of pieces) decoder.push(piece);
      decoder.finish();
    },
  },
  hello: {
    honest: encodeHello(HELLO, 0n),
    read: (pieces) => {
      const { hello } = decodeHello(join(...pieces));
      for (const text of [hello.kernel, hello.bootId, hello.arch])
        expect(text).toMatch(/^[\x20-\x7e]{0,64}$/);
    },
  },
  failure: {
    honest: new ByteWriter().u32(2).str16('no such file').done(),
    read: (pieces) => {
      const { errno, message } = decodeFailure(join(...pieces));
      expect(errno).toBeGreaterThan(0);
      expect(message).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e]/);
    },
  },
  'end of an execution': {
    honest: new ByteWriter().u8(1).u8(9).u8(1).u8(0).u64(5).u64(6).u64(7).done(),
    read: (pieces) => {
      const end = answers.decodeAll(join(...pieces), answers.readSpawnEnd);
      expect((end.exitCode === undefined) !== (end.signal === undefined)).toBe(true);
    },
  },
  'end of a stat': {
    honest: new ByteWriter().bytes(stat('symlink')).str16('/w/l').str16('x').done(),
    read: (pieces) => {
      const { canonical } = answers.decodeAll(join(...pieces), answers.readStatEnd);
      expect(canonical.startsWith('/') && !canonical.includes('\0')).toBe(true);
    },
  },
};

describe('content that was tampered with', () => {
  it.each(Object.entries(subjects))('%s is read or refused', (_name, { honest, read }) => {
    read([honest]);
    const random = generator(99);
    let refused = 0;
    let accepted = 0;
    for (let round = 0; round < 4000; round++) {
      const bytes = mutate(honest, random);
      try {
        read(cut(bytes, random));
        accepted += 1;
      } catch (error) {
        if (!isSafeCoderError(error, 'guest/bad-frame')) throw error;
        refused += 1;
      }
    }
    // Both happen, or the mutations would prove nothing.
    expect(refused).toBeGreaterThan(100);
    expect(accepted).toBeGreaterThan(10);
  });
});

function mutate(honest: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(honest);
  switch (random(4)) {
    case 0:
      return bytes.subarray(0, random(bytes.length));
    case 1:
      return join(bytes, bytes.subarray(random(bytes.length)));
    case 2:
      bytes.writeUInt16LE([0, 0xff, 0xffff, 0x8000, 0x7fff][random(5)] ?? 0, random(bytes.length - 1));
      return bytes;
    default:
      for (let n = 0; n <= random(3); n++) bytes[random(bytes.length)] = random(256);
      return bytes;
  }
}

function cut(bytes: Buffer, random: (below: number) => number): Buffer[] {
  const at = random(bytes.length + 1);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >> 8) % below;
  };
}
