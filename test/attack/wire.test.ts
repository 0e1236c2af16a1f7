/**
 * The promise: whatever a guest sends, it can neither make the host hold more than it granted, nor act on what was not
 * asked for, nor wait forever. Rows P01 to P14 of the threat catalogue. The guest is played by the test.
 */
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../src/base/path-bytes.ts';
import { openGuest } from '../../src/guest/client.ts';
import type { Deadlines } from '../../src/guest/deadlines.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { ByteWriter } from '../../src/protocol/byte-writer.ts';
import { ChangesDecoder } from '../../src/protocol/entry-decoder.ts';
import { encodeFrame, FRAME, HEADER_BYTES } from '../../src/protocol/frames.ts';
import { type StatRecord, writeStat } from '../../src/protocol/stat-record.ts';
import { FakeGuest } from '../support/fake-guest.ts';

const WHO = { uid: 0, gid: 0 };
const BAD = { code: 'guest/bad-frame' };
const STAT: StatRecord = {
  kind: 'file',
  isOpaque: false,
  isMount: false,
  isPruned: false,
  mode: 0o644,
  uid: 0,
  gid: 0,
  nlink: 1,
  size: 1,
  ino: 1n,
  mtimeNs: 1n,
  ctimeNs: 1n,
};

async function open(deadlines: Partial<Deadlines> = {}): Promise<{ fake: FakeGuest; guest: Guest }> {
  const fake = new FakeGuest();
  const opening = openGuest(fake.channel, { restored: false, deadlines });
  fake.hello();
  return { fake, guest: await opening };
}

/** The connection must be over for this reason, the channel closed, and nothing left that waits. */
async function expectEnded(fake: FakeGuest, guest: Guest, reason: object): Promise<void> {
  expect(await guest.closed).toMatchObject(reason);
  expect(fake.channel.destroyed).toBe(true);
  await expect(guest.freeze()).rejects.toMatchObject(reason);
}

const stat = (change: Partial<StatRecord> = {}) => {
  const writer = new ByteWriter();
  writeStat(writer, { ...STAT, ...change });
  return writer.done();
};
const u32 = (value: number) => new ByteWriter().u32(value).done();
const u64 = (value: number | bigint) => new ByteWriter().u64(value).done();
const change = (path: string, of: Partial<StatRecord> = {}) =>
  new ByteWriter().bytes(stat(of)).str16(Buffer.from(path, 'latin1')).done();
const header = (size: number, type: number, flags: number, reserved: number, stream: number) => {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.writeUInt32LE(size, 0);
  bytes[4] = type;
  bytes[5] = flags;
  bytes.writeUInt16LE(reserved, 6);
  bytes.writeUInt32LE(stream, 8);
  return bytes;
};

async function reading(
  guest: Guest,
  fake: FakeGuest,
  maxBytes = 100,
): Promise<{ read: Promise<unknown>; stream: number }> {
  const read = guest.read('/w/a', { ...WHO, maxBytes });
  read.catch(() => undefined);
  return { read, stream: (await fake.next(FRAME.read)).stream };
}

async function running(
  guest: Guest,
  fake: FakeGuest,
  onOutput: (chunk: Buffer) => void | Promise<void> = () => undefined,
) {
  const starting = guest.spawn({ argv: ['x'], env: {}, cwd: '/', ...WHO, onOutput });
  const { stream } = await fake.next(FRAME.spawn);
  fake.send(FRAME.reply, stream, u32(9));
  const process = await starting;
  process.ended.catch(() => undefined);
  return { process, stream };
}

describe('P01, P02: a length is checked before anything is held', () => {
  it.each([262_145, 0x7fffffff, 0x80000000, 0xffffffff])(
    'ends the connection at a size of %d',
    async (size) => {
      const { fake, guest } = await open();
      const before = process.memoryUsage().arrayBuffers;
      fake.raw(header(size, FRAME.data, 0, 0, 1));
      await expectEnded(fake, guest, BAD);
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1 << 20);
    },
  );

  it('would have been fooled with signed lengths: the attack is real', () => {
    const naive = header(0xffffffff, FRAME.data, 0, 0, 1).readInt32LE(0);
    expect(Buffer.from('keep').subarray(0, naive).toString()).toBe('kee');
  });

  it('refuses lengths inside payloads that point beyond them', async () => {
    const { fake, guest } = await open();
    const { stream } = await reading(guest, fake);
    fake.send(FRAME.error, stream, Buffer.from([2, 0, 0, 0, 0xff, 0xff, 1, 2]));
    await expectEnded(fake, guest, BAD);
  });
});

describe('P03: what is unknown ends the connection', () => {
  it.each([
    ['an unknown type', header(0, 0x7f, 0, 0, 1)],
    ['a type of the host’s', header(0, FRAME.eof, 0, 0, 1)],
    ['a request', header(0, FRAME.freeze, 0, 0, 1)],
    ['unknown flags', header(1, FRAME.data, 0x80, 0, 1)],
    ['reserved bits', header(0, FRAME.end, 0, 1, 1)],
    ['content on the connection itself', header(1, FRAME.data, 0, 0, 0)],
    ['a greeting on a stream', header(32, FRAME.hello, 0, 0, 1)],
    ['empty content', header(0, FRAME.data, 0, 0, 1)],
  ])('%s', async (_what, bytes) => {
    const { fake, guest } = await open();
    fake.raw(bytes);
    await expectEnded(fake, guest, BAD);
  });

  it('a flood of greetings', async () => {
    const { fake, guest } = await open();
    for (let n = 0; n < 100; n++) fake.hello();
    await expectEnded(fake, guest, BAD);
  });
});

describe('P04: a stream is one that the host opened and that is still open', () => {
  it.each([FRAME.data, FRAME.reply, FRAME.end, FRAME.error, FRAME.credit])(
    'frame type %d on a stream never opened ends the connection',
    async (type) => {
      const { fake, guest } = await open();
      const payload = type === FRAME.error ? Buffer.from([2, 0, 0, 0, 0, 0]) : Buffer.from([1, 0, 0, 0]);
      fake.send(type, 77, payload);
      await expectEnded(fake, guest, BAD);
    },
  );

  it('a second end of the same stream ends the connection', async () => {
    const { fake, guest } = await open();
    const freezing = guest.freeze();
    const { stream } = await fake.next(FRAME.freeze);
    fake.send(FRAME.end, stream, u32(1));
    await freezing;
    fake.send(FRAME.end, stream, u32(1));
    await expectEnded(fake, guest, BAD);
  });

  it('the host never uses a stream’s number twice', async () => {
    const { fake, guest } = await open();
    const seen = new Set<number>();
    for (let n = 0; n < 50; n++) {
      const freezing = guest.freeze();
      const { stream } = await fake.next(FRAME.freeze);
      seen.add(stream);
      fake.send(FRAME.end, stream, u32(1));
      await freezing;
    }
    expect(seen.size).toBe(50);
  });
});

describe('P05: a flood is bounded by the credit that was given', () => {
  it('content beyond its credit ends the connection', async () => {
    const { fake, guest } = await open();
    const { process, stream } = await running(guest, fake, () => new Promise(() => undefined));
    for (let n = 0; n < 4; n++) fake.send(FRAME.data, stream, Buffer.alloc(65_536));
    fake.send(FRAME.data, stream, Buffer.alloc(1));
    await expectEnded(fake, guest, BAD);
    await expect(process.ended).rejects.toMatchObject(BAD);
  });

  it('a quarter of a million one-byte frames cost no object each while the consumer is busy', async () => {
    const { fake, guest } = await open();
    let release: () => void = () => undefined;
    let calls = 0;
    let bytes = 0;
    const { process, stream } = await running(guest, fake, (chunk) => {
      calls += 1;
      bytes += chunk.length;
      return calls === 1
        ? new Promise<void>((resolve) => {
            release = resolve;
          })
        : undefined;
    });
    const one = encodeFrame(FRAME.data, stream, Buffer.from('x'));
    const many = Buffer.concat(Array.from({ length: 1024 }, () => one));
    for (let n = 0; n < 256; n++) fake.raw(many);
    fake.send(FRAME.end, stream, new ByteWriter().u8(0).u8(0).u16(0).u64(0).u64(0).u64(0).done());
    await expect.poll(() => calls).toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    release();
    await process.ended;
    expect(bytes).toBe(262_144);
    expect(calls).toBeLessThan(30);
  });

  it('a file longer than asked for ends the connection', async () => {
    const { fake, guest } = await open();
    const { read, stream } = await reading(guest, fake, 4);
    fake.send(FRAME.reply, stream, stat());
    fake.send(FRAME.data, stream, Buffer.from('12345'));
    await expect(read).rejects.toMatchObject(BAD);
    await expectEnded(fake, guest, BAD);
  });

  it('more entries, changes or fetched bytes than asked for end the connection', async () => {
    const attempts: ((guest: Guest) => Promise<unknown>)[] = [
      (guest) => guest.list('/w', { ...WHO, max: 1 }),
      (guest) => guest.changes({ mode: 'walk', max: 1, prune: [] }, () => undefined),
      (guest) =>
        guest.fetch(
          ['a' as RelPath],
          { maxFileBytes: 4 },
          () => undefined,
          () => undefined,
        ),
    ];
    const answers = [
      Buffer.concat([change('a'), change('b')]),
      Buffer.concat([change('a'), change('b')]),
      Buffer.concat([u32(0), stat(), u32(5), Buffer.from('12345')]),
    ];
    const types = [FRAME.list, FRAME.changes, FRAME.fetch];
    for (const [at, attempt] of attempts.entries()) {
      const { fake, guest } = await open();
      const asked = attempt(guest);
      asked.catch(() => undefined);
      fake.send(FRAME.data, (await fake.next(types[at] ?? 0)).stream, answers[at] ?? Buffer.alloc(0));
      await expect(asked).rejects.toMatchObject(BAD);
      await expectEnded(fake, guest, BAD);
    }
  });

  it('credit without end for what the host sends ends the connection', async () => {
    const { fake, guest } = await open();
    const { stream } = await running(guest, fake);
    fake.send(FRAME.credit, stream, u32(16_777_216));
    await expectEnded(fake, guest, BAD);
  });
});

describe('P06: a guest that stops in the middle is given up on', () => {
  it('a verb that is never answered', async () => {
    const { fake, guest } = await open({ silenceMs: 40, cancelMs: 40 });
    const { read, stream } = await reading(guest, fake);
    fake.send(FRAME.reply, stream, stat());
    await expect(read).rejects.toMatchObject({ code: 'guest/timeout' });
  });

  it('a guest that takes no content', async () => {
    const { fake, guest } = await open({ silenceMs: 40, cancelMs: 40 });
    const writing = guest.write('/w/a', Buffer.alloc(600_000), WHO);
    await fake.next(FRAME.write);
    await expect(writing).rejects.toMatchObject({ code: 'guest/timeout' });
  });

  it('a shutdown that is never answered', async () => {
    const { fake, guest } = await open();
    await guest.shutdown(30);
    await guest[Symbol.asyncDispose]();
    await expectEnded(fake, guest, { code: 'guest/lost' });
  });
});

describe('P07: bytes stay bytes', () => {
  it('a character cut by frames arrives whole for whoever joins the bytes', async () => {
    const { fake, guest } = await open();
    const parts: Buffer[] = [];
    const { process, stream } = await running(guest, fake, (chunk) => {
      parts.push(chunk);
    });
    for (const byte of Buffer.from('€')) fake.send(FRAME.data, stream, Buffer.from([byte]));
    fake.send(FRAME.end, stream, new ByteWriter().u8(0).u8(0).u16(0).u64(0).u64(0).u64(0).done());
    await process.ended;
    expect(parts.map((part) => part.toString()).join('')).not.toBe('€');
    expect(Buffer.concat(parts).toString()).toBe('€');
  });
});

describe('P09: names that mean something to JavaScript mean nothing here', () => {
  it('takes files named like parts of objects as files', async () => {
    const { fake, guest } = await open();
    const names = ['__proto__', 'constructor', 'toString'];
    const listing = guest.list('/w', { ...WHO, max: 10 });
    const { stream } = await fake.next(FRAME.list);
    fake.send(FRAME.data, stream, Buffer.concat(names.map((name) => change(name))));
    fake.send(FRAME.end, stream, new ByteWriter().u32(3).u8(0).done());
    expect((await listing).entries.map((entry) => entry.name)).toEqual(names);
    expect(({} as Record<string, unknown>).stat).toBeUndefined();
  });
});

describe('P10: bytes that drip in don’t hold the host', () => {
  it('a greeting of one byte now and then', async () => {
    const fake = new FakeGuest();
    const opening = openGuest(fake.channel, { restored: false, deadlines: { helloMs: 60 } });
    const timer = setInterval(() => fake.raw(Buffer.from([0x20])), 20);
    await expect(opening).rejects.toMatchObject({ code: 'guest/timeout' });
    clearInterval(timer);
  });

  it('a frame of one byte now and then', async () => {
    const { fake, guest } = await open({ frameMs: 60 });
    fake.raw(header(100, FRAME.data, 0, 0, 1));
    const timer = setInterval(() => fake.raw(Buffer.from([1])), 15);
    await expectEnded(fake, guest, { code: 'guest/timeout', details: { phase: 'frame' } });
    clearInterval(timer);
  });
});

describe('P11: answers come in their order and add up', () => {
  const forged: [string, number, (stream: number, fake: FakeGuest) => void][] = [
    [
      'content before the answer',
      FRAME.read,
      (stream, fake) => fake.send(FRAME.data, stream, Buffer.from('x')),
    ],
    ['an end before the answer', FRAME.read, (stream, fake) => fake.send(FRAME.end, stream, u64(0))],
    [
      'an end of an execution that never began',
      FRAME.spawn,
      (stream, fake) => fake.send(FRAME.end, stream, Buffer.alloc(28)),
    ],
    [
      'two answers',
      FRAME.read,
      (stream, fake) => {
        fake.send(FRAME.reply, stream, stat());
        fake.send(FRAME.reply, stream, stat());
      },
    ],
    [
      'a size that is not what came',
      FRAME.read,
      (stream, fake) => {
        fake.send(FRAME.reply, stream, stat());
        fake.send(FRAME.data, stream, Buffer.from('x'));
        fake.send(FRAME.end, stream, u64(2));
      },
    ],
    [
      'content for a verb that has none',
      FRAME.freeze,
      (stream, fake) => fake.send(FRAME.data, stream, Buffer.from('x')),
    ],
    [
      'an answer that is cut off',
      FRAME.freeze,
      (stream, fake) => fake.send(FRAME.end, stream, Buffer.from([1])),
    ],
  ];
  it.each(forged)('%s ends the connection', async (_what, type, attack) => {
    const { fake, guest } = await open();
    const asked =
      type === FRAME.read
        ? guest.read('/w/a', { ...WHO, maxBytes: 10 })
        : type === FRAME.spawn
          ? guest.spawn({ argv: ['x'], env: {}, cwd: '/', ...WHO, onOutput: () => undefined })
          : guest.freeze();
    asked.catch(() => undefined);
    attack((await fake.next(type)).stream, fake);
    await expect(asked).rejects.toMatchObject(BAD);
    await expectEnded(fake, guest, BAD);
  });

  it.each([
    ['fewer files than asked for', u32(2), 1],
    ['a count that is not what came', Buffer.concat([u32(2), u32(2)]), 3],
  ])('%s end the connection', async (_what, content, count) => {
    const { fake, guest } = await open();
    const paths = ['a', 'b'] as RelPath[];
    const fetching = guest.fetch(
      paths,
      { maxFileBytes: 10 },
      () => undefined,
      () => undefined,
    );
    fetching.catch(() => undefined);
    const { stream } = await fake.next(FRAME.fetch);
    await fake.next(FRAME.eof);
    fake.send(FRAME.data, stream, content);
    fake.send(FRAME.end, stream, u64(count));
    await expect(fetching).rejects.toMatchObject(BAD);
  });

  it('a fetched file that nobody asked for ends the connection', async () => {
    const { fake, guest } = await open();
    const ended: string[] = [];
    const fetching = guest.fetch(
      ['a' as RelPath],
      { maxFileBytes: 10 },
      () => undefined,
      ({ path }) => {
        ended.push(path);
      },
    );
    fetching.catch(() => undefined);
    const { stream } = await fake.next(FRAME.fetch);
    await fake.next(FRAME.eof);
    fake.send(FRAME.data, stream, Buffer.concat([u32(2), u32(2)]));
    await expect(fetching).rejects.toMatchObject(BAD);
    expect(ended).toEqual(['a']);
  });
});

describe('P13: a path from the guest is checked and stays a claim', () => {
  const paths = ['../out', '/etc/passwd', 'a/../b', './a', 'a//b', 'a/', '', 'a\0b', 'no-parent/file', '..'];
  it.each(paths)('a change at %j ends the connection', async (path) => {
    const { fake, guest } = await open();
    const seen: string[] = [];
    const asked = guest.changes({ mode: 'walk', max: 10, prune: [] }, (entry) => seen.push(entry.path));
    asked.catch(() => undefined);
    const { stream } = await fake.next(FRAME.changes);
    fake.send(FRAME.data, stream, change(path));
    fake.send(FRAME.end, stream, new ByteWriter().u64(1).u8(0).done());
    await expect(asked).rejects.toMatchObject(BAD);
    expect(seen).toEqual([]);
  });

  const trees: [string, Buffer[]][] = [
    ['a file below a file', [change('a'), change('a/b')]],
    [
      'a file below a directory that was left out',
      [change('d', { kind: 'directory', isPruned: true }), change('d/f')],
    ],
    ['a file below a mount', [change('d', { kind: 'directory', isMount: true }), change('d/f')]],
    [
      'a directory left out that nobody asked to leave out',
      [change('x', { kind: 'directory', isPruned: true })],
    ],
  ];
  it.each(trees)('%s ends the connection', async (_what, entries) => {
    const { fake, guest } = await open();
    const asked = guest.changes({ mode: 'walk', max: 10, prune: ['d' as RelPath] }, () => undefined);
    asked.catch(() => undefined);
    const { stream } = await fake.next(FRAME.changes);
    fake.send(FRAME.data, stream, Buffer.concat(entries));
    fake.send(FRAME.end, stream, new ByteWriter().u64(entries.length).u8(0).done());
    await expect(asked).rejects.toMatchObject(BAD);
  });

  it('a path reported twice counts once, and can’t become a file and a directory', async () => {
    const { fake, guest } = await open();
    const seen: string[] = [];
    const asked = guest.changes({ mode: 'walk', max: 10, prune: [] }, ({ path, stat: of }) => {
      seen.push(`${of.kind} ${path}`);
    });
    const { stream } = await fake.next(FRAME.changes);
    const entries = [change('a'), change('a', { kind: 'directory' })];
    fake.send(FRAME.data, stream, Buffer.concat(entries));
    fake.send(FRAME.end, stream, new ByteWriter().u64(2).u8(0).done());
    await asked;
    expect(seen).toEqual(['file a']);
  });

  it.each(['a/b', '..', '.', '', 'a\0b'])('a directory entry named %j ends the connection', async (name) => {
    const { fake, guest } = await open();
    const listing = guest.list('/w', { ...WHO, max: 10 });
    listing.catch(() => undefined);
    const { stream } = await fake.next(FRAME.list);
    fake.send(FRAME.data, stream, change(name));
    fake.send(FRAME.end, stream, new ByteWriter().u32(1).u8(0).done());
    await expect(listing).rejects.toMatchObject(BAD);
  });

  it('a message from the guest can’t drive the terminal that shows it', async () => {
    const { fake, guest } = await open();
    const { read, stream } = await reading(guest, fake);
    fake.error(stream, 13, '\u001b]52;c;ZXZpbA==\u0007\u009b2J\u202e');
    const error = await read.then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error?.message).toMatch(/EACCES/);
    expect(error?.message).toMatch(/^[\x20-\x7e]*$/);
  });
});

describe('P14: a guest that is gone stays gone', () => {
  it('nothing reconnects, and everything pending hears of it once', async () => {
    const { fake, guest } = await open();
    const all = [guest.freeze(), guest.stat('/', WHO), guest.thaw()].map((asked) =>
      asked.then(
        () => 'answered',
        (error: { code: string }) => error.code,
      ),
    );
    await fake.next(FRAME.thaw);
    fake.end();
    expect(await Promise.all(all)).toEqual(['guest/lost', 'guest/lost', 'guest/lost']);
    await expectEnded(fake, guest, { code: 'guest/lost' });
  });
});

it('a list of changes can make the host keep 64 MiB of paths, and no more', () => {
  let bytes = 0;
  const decoder = new ChangesDecoder(500_000, ({ path }) => {
    bytes += path.length;
  });
  const entry = change(`${'d/'.repeat(8000)}f`);
  const flood = () => {
    for (let sent = 0; sent < 5000; sent++) decoder.push(entry);
  };
  expect(flood).toThrow(expect.objectContaining(BAD));
  expect(bytes).toBeGreaterThanOrEqual(64 << 20);
  expect(bytes).toBeLessThan((64 << 20) + 16_384);
});
