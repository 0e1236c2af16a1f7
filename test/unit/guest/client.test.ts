import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { openGuest } from '../../../src/guest/client.ts';
import type { Deadlines } from '../../../src/guest/deadlines.ts';
import type { Guest, SpawnOptions } from '../../../src/guest/guest.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import { FRAME } from '../../../src/protocol/frames.ts';
import { type StatRecord, writeStat } from '../../../src/protocol/stat-record.ts';
import { FakeGuest } from '../../support/fake-guest.ts';

const WHO = { uid: 1000, gid: 1000 };
const STAT: StatRecord = {
  kind: 'file',
  isOpaque: false,
  isMount: false,
  isPruned: false,
  mode: 0o644,
  uid: 1000,
  gid: 1000,
  nlink: 1,
  size: 5,
  ino: 7n,
  mtimeNs: 1n,
  ctimeNs: 2n,
};

const stat = (change: Partial<StatRecord> = {}) => {
  const writer = new ByteWriter();
  writeStat(writer, { ...STAT, ...change });
  return writer.done();
};
const u32 = (value: number) => new ByteWriter().u32(value).done();
const u64 = (value: number) => new ByteWriter().u64(value).done();
const exited = (code: number) =>
  new ByteWriter().u8(0).u8(code).u8(0).u8(0).u64(1000).u64(500).u64(4096).done();

async function open(deadlines: Partial<Deadlines> = {}): Promise<{ fake: FakeGuest; guest: Guest }> {
  const fake = new FakeGuest();
  const opening = openGuest(fake.channel, { restored: false, deadlines });
  fake.hello();
  return { fake, guest: await opening };
}

function command(change: Partial<SpawnOptions> = {}): SpawnOptions {
  return { argv: ['true'], env: {}, cwd: '/w', ...WHO, onOutput: () => undefined, ...change };
}

describe('openGuest', () => {
  it('takes what the guest says of itself', async () => {
    const { guest } = await open();
    expect(guest.hello).toMatchObject({ kernel: '1.2.3-fake', hasPid1: true, agentPid: 1 });
  });

  it('greets a restored guest with a knock and takes only the hello that answers it', async () => {
    const fake = new FakeGuest();
    const opening = openGuest(fake.channel, { restored: true });
    const knock = await fake.next(FRAME.knock);
    fake.hello({ kernel: 'stale' });
    fake.hello({ kernel: 'fresh' }, knock.payload.readBigUInt64LE(8));
    expect((await opening).hello.kernel).toBe('fresh');
  });

  it('refuses another version of the protocol', async () => {
    const fake = new FakeGuest();
    const opening = openGuest(fake.channel, { restored: false });
    fake.hello({ version: 2 });
    await expect(opening).rejects.toMatchObject({ code: 'guest/version' });
    expect(fake.channel.destroyed).toBe(true);
  });

  it('gives up on a guest that never says hello, and names the phase', async () => {
    const fake = new FakeGuest();
    const opening = openGuest(fake.channel, { restored: false, deadlines: { helloMs: 20 } });
    await expect(opening).rejects.toMatchObject({ code: 'guest/timeout', details: { phase: 'hello' } });
    expect(fake.channel.destroyed).toBe(true);
  });
});

describe('file verbs', () => {
  it('reads a file in pieces', async () => {
    const { fake, guest } = await open();
    const reading = guest.read('/w/a', { ...WHO, maxBytes: 100 });
    const { stream } = await fake.next(FRAME.read);
    fake.send(FRAME.reply, stream, stat());
    fake.send(FRAME.data, stream, Buffer.from('hel'));
    fake.send(FRAME.data, stream, Buffer.from('lo'));
    fake.send(FRAME.end, stream, u64(5));
    const { bytes, stat: got } = await reading;
    expect(bytes.toString()).toBe('hello');
    expect(got).toEqual(STAT);
  });

  it('reports a failure with its errno and its name', async () => {
    const { fake, guest } = await open();
    const reading = guest.read('/w/a', { ...WHO, maxBytes: 100 });
    fake.error((await fake.next(FRAME.read)).stream, 2, 'no\u001bpe');
    await expect(reading).rejects.toMatchObject({
      code: 'guest/failed',
      details: { errno: 2, errnoName: 'ENOENT' },
      message: expect.not.stringContaining('\u001b'),
    });
  });

  it('sends a large file only as fast as the guest gives credit', async () => {
    const { fake, guest } = await open();
    const bytes = Buffer.alloc(300_000, 'x');
    let got = 0;
    let stream = 0;
    fake.onFrame = (frame) => {
      if (frame.type === FRAME.write) stream = frame.stream;
      if (frame.type === FRAME.data) got += frame.payload.length;
      if (frame.type === FRAME.eof) {
        fake.send(FRAME.end, stream, Buffer.concat([stat({ size: got }), Buffer.from([1])]));
      }
    };
    const writing = guest.write('/w/a', bytes, WHO);
    await expect.poll(() => got).toBe(262_144);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(got).toBe(262_144);
    fake.send(FRAME.credit, stream, u32(100_000));
    expect(await writing).toEqual({ stat: { ...STAT, size: 300_000 }, created: true });
  });

  it('gives up on a file verb after a silence, and goes on with the others', async () => {
    const { fake, guest } = await open({ silenceMs: 40, cancelMs: 40 });
    const reading = guest.stat('/w/a', WHO);
    const { stream } = await fake.next(FRAME.stat);
    await expect(reading).rejects.toMatchObject({ code: 'guest/timeout' });
    expect((await fake.next(FRAME.cancel)).stream).toBe(stream);
    // A late end of the one given up on is no violation.
    fake.error(stream, 125);
    const freezing = guest.freeze();
    fake.send(FRAME.end, (await fake.next(FRAME.freeze)).stream, u32(3));
    expect(await freezing).toBe(3);
  });

  it('cancels: the guest is told, the caller hears it at once', async () => {
    const { fake, guest } = await open();
    const abort = new AbortController();
    const reading = guest.read('/w/a', { ...WHO, maxBytes: 100 }, abort.signal);
    const { stream } = await fake.next(FRAME.read);
    abort.abort();
    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
    expect((await fake.next(FRAME.cancel)).stream).toBe(stream);
  });

  it('rejects everything that is pending when the connection is lost, as unknown in outcome', async () => {
    const { fake, guest } = await open();
    const writing = guest.write('/w/a', Buffer.from('x'), WHO);
    const spawning = guest.spawn(command());
    await fake.next(FRAME.spawn);
    fake.end();
    const isLost = { code: 'guest/lost', message: expect.stringContaining('unknown outcome') };
    await expect(writing).rejects.toMatchObject(isLost);
    await expect(spawning).rejects.toMatchObject(isLost);
    expect(await guest.closed).toMatchObject(isLost);
    await expect(guest.stat('/', WHO)).rejects.toMatchObject({ code: 'guest/lost' });
  });

  it('unpacks entries of a slow source without taking the silence for the guest’s', async () => {
    const { fake, guest } = await open({ silenceMs: 30 });
    const parts: Buffer[] = [];
    let stream = 0;
    fake.onFrame = (frame) => {
      if (frame.type === FRAME.unpack) stream = frame.stream;
      if (frame.type === FRAME.data) parts.push(frame.payload);
      if (frame.type === FRAME.eof) fake.send(FRAME.end, stream, u64(2));
    };
    async function* slowly() {
      await new Promise((resolve) => setTimeout(resolve, 120));
      yield { kind: 'directory', path: 'd' as RelPath, mode: 0o755, mtimeNs: 0n } as const;
      yield {
        kind: 'file',
        path: 'd/f' as RelPath,
        mode: 0o644,
        mtimeNs: 0n,
        content: [Buffer.from('hi')],
      } as const;
    }
    expect(await guest.unpack('/w', WHO, slowly())).toBe(2);
    expect(Buffer.concat(parts).includes('hi')).toBe(true);
  });
});

describe('spawn', () => {
  it('runs: pid, both channels, exit code', async () => {
    const { fake, guest } = await open();
    const seen: string[] = [];
    const running = guest.spawn(
      command({
        onOutput: (chunk, channel) => {
          seen.push(`${channel}:${chunk}`);
        },
      }),
    );
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    fake.send(FRAME.data, stream, Buffer.from('a'));
    fake.send(FRAME.data, stream, Buffer.from('b'), 1);
    fake.send(FRAME.end, stream, exited(3));
    const process = await running;
    expect(process.pid).toBe(42);
    expect(await process.ended).toMatchObject({ exitCode: 3, signal: undefined, wallMs: 1, cpuMs: 0.5 });
    expect(seen).toEqual(['out:a', 'err:b']);
  });

  it('holds back credit while the consumer is busy, and ends only when it took everything', async () => {
    const { fake, guest } = await open();
    let release: () => void = () => undefined;
    let taken = 0;
    const running = guest.spawn(
      command({
        onOutput: (chunk) => {
          taken += chunk.length;
          return new Promise<void>((resolve) => {
            release = resolve;
          });
        },
      }),
    );
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    for (let n = 0; n < 4; n++) fake.send(FRAME.data, stream, Buffer.alloc(65_536));
    fake.send(FRAME.end, stream, exited(0));
    const process = await running;
    let isEnded = false;
    void process.ended.then(() => {
      isEnded = true;
    });
    for (let n = 1; n <= 4; n++) {
      await expect.poll(() => taken).toBe(n * 65_536);
      expect(isEnded).toBe(false);
      release();
    }
    await process.ended;
  });

  it('gives credit back as the consumer takes content', async () => {
    const { fake, guest } = await open();
    const running = guest.spawn(command());
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    await running;
    for (let n = 0; n < 20; n++) {
      fake.send(FRAME.data, stream, Buffer.alloc(65_536));
      expect((await fake.next(FRAME.credit)).payload.readUInt32LE(0)).toBe(65_536);
    }
  });

  it('stops the execution when its consumer fails, and says why', async () => {
    const { fake, guest } = await open();
    const running = guest.spawn(command({ onOutput: () => Promise.reject(new Error('disk full')) }));
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    fake.send(FRAME.data, stream, Buffer.from('x'));
    const process = await running;
    await expect(process.ended).rejects.toThrow('disk full');
    expect((await fake.next(FRAME.cancel)).stream).toBe(stream);
  });

  it('writes to standard input in the order asked, however little credit there is, and closes it after', async () => {
    const { fake, guest } = await open();
    const parts: Buffer[] = [];
    let stream = 0;
    let isClosed = false;
    fake.onFrame = (frame) => {
      if (frame.type === FRAME.spawn) {
        stream = frame.stream;
        fake.send(FRAME.reply, stream, u32(42));
      } else if (frame.type === FRAME.data) {
        expect(isClosed).toBe(false);
        parts.push(frame.payload);
        fake.send(FRAME.credit, stream, u32(frame.payload.length));
      } else if (frame.type === FRAME.eof) {
        isClosed = true;
        fake.send(FRAME.end, stream, exited(0));
      }
    };
    const process = await guest.spawn(command({ stdin: true }));
    const texts = ['a', 'b', 'c'].map((letter) => letter.repeat(400_000));
    for (const text of texts) void process.write(Buffer.from(text));
    process.closeStdin();
    await process.ended;
    expect(Buffer.concat(parts).toString()).toBe(texts.join(''));
  });

  it('sends neither input nor a size to an execution that has no use for them', async () => {
    const { fake, guest } = await open();
    const sent: number[] = [];
    fake.onFrame = ({ type, stream }) => {
      sent.push(type);
      if (type === FRAME.spawn) fake.send(FRAME.reply, stream, u32(42));
      if (type === FRAME.signal) fake.send(FRAME.end, stream, exited(0));
    };
    const process = await guest.spawn(command());
    await process.write(Buffer.from('x'));
    process.closeStdin();
    process.resize(1, 2);
    process.signal(15);
    await process.ended;
    expect(sent).toEqual([FRAME.spawn, FRAME.signal]);
  });

  it.each([
    ['a program with a NUL byte', { argv: ['a\0b'] }, 'EINVAL'],
    ['no program', { argv: [] }, 'EINVAL'],
    ['a variable with a NUL byte', { env: { A: '\0' } }, 'EINVAL'],
    ['no directory', { cwd: '' }, 'ENOENT'],
    ['a directory beyond any path', { cwd: `/${'x'.repeat(5000)}` }, 'ENAMETOOLONG'],
    ['a command beyond one frame', { argv: ['x'.repeat(300_000)] }, 'E2BIG'],
  ])('refuses %s as a kernel would, and asks the guest nothing', async (_what, change, errnoName) => {
    const { fake, guest } = await open();
    let frames = 0;
    fake.onFrame = () => {
      frames += 1;
    };
    await expect(guest.spawn(command(change))).rejects.toMatchObject({
      code: 'guest/failed',
      details: { errnoName },
    });
    expect(frames).toBe(0);
  });

  it('kills on abort and still reports how it ended', async () => {
    const { fake, guest } = await open();
    const abort = new AbortController();
    const running = guest.spawn(command(), abort.signal);
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    const process = await running;
    abort.abort();
    await fake.next(FRAME.cancel);
    fake.send(FRAME.end, stream, new ByteWriter().u8(1).u8(9).u8(0).u8(0).u64(1).u64(1).u64(1).done());
    expect(await process.ended).toMatchObject({ signal: 9, exitCode: undefined });
  });

  it('gives the guest up when it does not stop an execution', async () => {
    const { fake, guest } = await open({ cancelMs: 30 });
    const running = guest.spawn(command());
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    const process = await running;
    process.kill();
    await expect(process.ended).rejects.toMatchObject({
      code: 'guest/timeout',
      details: { phase: 'cancel' },
    });
    expect(await guest.closed).toMatchObject({ code: 'guest/timeout' });
  });

  it('asks for a sign of life while an execution runs, and only then', async () => {
    const { fake, guest } = await open({ beatMs: 5, silenceMs: 60_000 });
    const running = guest.spawn(command());
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    const process = await running;
    const { stream: first } = await fake.next(FRAME.stat);
    // A refusal is a sign of life as well.
    fake.error(first, 11);
    const { stream: second } = await fake.next(FRAME.stat);
    fake.send(FRAME.end, stream, exited(0));
    fake.error(second, 11);
    expect((await process.ended).exitCode).toBe(0);
    const asked: number[] = [];
    fake.onFrame = (frame) => asked.push(frame.type);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(asked.length).toBeLessThanOrEqual(1);
  });

  it('gives up a guest whose agent is silent while an execution runs without end', async () => {
    const { fake, guest } = await open({ beatMs: 5, silenceMs: 30 });
    const running = guest.spawn(command());
    const { stream } = await fake.next(FRAME.spawn);
    fake.send(FRAME.reply, stream, u32(42));
    await expect((await running).ended).rejects.toMatchObject({
      code: 'guest/timeout',
      details: { phase: 'heartbeat' },
    });
    expect((await guest.closed).message).toContain('something in the guest has stopped it');
  });
});
