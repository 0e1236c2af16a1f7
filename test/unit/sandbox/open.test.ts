import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Backend, Launched, LaunchSpec } from '../../../src/backends/backend.ts';
import type { GuestPath } from '../../../src/base/path-bytes.ts';
import { ByteWriter } from '../../../src/protocol/byte-writer.ts';
import { FRAME, type Frame } from '../../../src/protocol/frames.ts';
import { type OpenSandboxOptions, openSandbox } from '../../../src/sandbox/open.ts';
import type { ProjectSource } from '../../../src/sandbox/project-source.ts';
import { FakeGuest } from '../../support/fake-guest.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { createProject, sourceOf } from '../../support/test-project.ts';

interface Stage {
  options: OpenSandboxOptions;
  fake: FakeGuest;
  /** What happened, in order. */
  log: string[];
  abort: AbortController;
}

interface Play {
  level?: 'vm' | 'container' | 'demo';
  populate?: 'image' | 'unpack';
  /** Answers a request in place of the honest answer; true when it did. */
  answer?: (fake: FakeGuest, frame: Frame) => boolean;
  source?: Partial<ProjectSource>;
  isSilent?: boolean;
  early?: boolean;
}

const end = (write: (writer: ByteWriter) => ByteWriter) => write(new ByteWriter()).done();

/** An honest guest in a machine of its own: sees no host file, has no network. */
function answerHonestly(fake: FakeGuest, frame: Frame): void {
  const { stream, type } = frame;
  if (type === FRAME.stat) fake.error(stream, 2);
  else if (type === FRAME.probe)
    fake.send(
      FRAME.end,
      stream,
      end((w) => w.u32(101).u32(0).u32(0)),
    );
  else if (type === FRAME.changes)
    fake.send(
      FRAME.end,
      stream,
      end((w) => w.u64(0).u8(0)),
    );
  else if (type === FRAME.shutdown) {
    fake.send(FRAME.end, stream);
    fake.end();
  } else if (type === FRAME.eof)
    fake.send(
      FRAME.end,
      stream,
      end((w) => w.u64(1)),
    );
  else if (type === FRAME.clock || type === FRAME.entropy || type === FRAME.setup)
    fake.send(FRAME.end, stream);
}

function stage(play: Play = {}): Stage {
  const fake = new FakeGuest();
  const log: string[] = [];
  const abort = new AbortController();
  const runDir = temporaryFolder();
  const name = (type: number) => Object.entries(FRAME).find(([, value]) => value === type)?.[0] ?? '?';
  fake.onFrame = (frame) => {
    if (frame.type < FRAME.data) log.push(name(frame.type));
    if (play.answer?.(fake, frame)) return;
    answerHonestly(fake, frame);
  };
  const project = createProject({ 'a.txt': { content: 'a' } });
  const file = `${runDir}/project.img` as typeof runDir;
  const backend: Backend = {
    name: 'fake',
    level: play.level ?? 'vm',
    missing: async () => undefined,
    ...(play.early ? { imageFile: () => file } : {}),
    async launch(): Promise<Launched> {
      log.push('launch');
      if (!play.isSilent) fake.hello();
      const over = async () => {
        if (log.at(-1) !== 'end') log.push('end');
        fake.channel.destroy();
      };
      return {
        channel: fake.channel,
        info: {
          backend: 'fake',
          level: play.level ?? 'vm',
          accel: 'none',
          workspace: '/home/me/project' as GuestPath,
          capture: 'overlay',
          env: {},
        },
        setup: [{ op: 'loopback' }],
        populate:
          play.populate === 'unpack'
            ? { by: 'unpack', into: '/home/me/project' as GuestPath, after: [] }
            : { by: 'image', file },
        restored: false,
        consoleTail: async () => 'the last words',
        ended: new Promise(() => undefined),
        end: over,
        [Symbol.asyncDispose]: over,
      };
    },
  };
  const spec: LaunchSpec = {
    id: 'x',
    runDir,
    workspace: '/home/me/project' as GuestPath,
    uid: 1000,
    gid: 1000,
    cpus: 1,
    memoryBytes: 1,
    diskBytes: 1,
    pids: 1,
    env: {},
  };
  const source = {
    ...sourceOf(project, async () => {
      log.push('image');
    }),
    ...play.source,
  };
  const deadlines = { helloMs: 100, silenceMs: 100, cancelMs: 50 };
  const options = { backend, spec, source, signal: abort.signal, emit: () => undefined, deadlines };
  return { options, fake, log, abort };
}

describe('openSandbox', () => {
  it('sets the clock, adds entropy, and sets up only once the image is written', async () => {
    let release: () => void = () => undefined;
    const log: string[] = [];
    const play = stage({
      source: {
        writeImage: async () => {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
          play.log.push('image');
          return createProject({}).manifest;
        },
      },
    });
    const opening = openSandbox(play.options);
    await expect.poll(() => play.log).toContain('entropy');
    await new Promise((resolve) => setTimeout(resolve, 20));
    log.push(...play.log);
    expect(log).toEqual(['launch', 'clock', 'entropy']);
    release();
    const sandbox = await opening;
    expect(play.log.slice(3, 5)).toEqual(['image', 'setup']);
    expect(sandbox.isolation.proof).toMatchObject({ isolated: true });
    await sandbox.end();
  });

  it('begins the image before the launch for a backend that names its file beforehand', async () => {
    const play = stage({ early: true });
    await using sandbox = await openSandbox(play.options);
    expect(sandbox.id).toBe('x');
    expect(play.log.slice(0, 2)).toEqual(['image', 'launch']);
  });

  it('unpacks after the set-up where there is no image', async () => {
    const play = stage({ populate: 'unpack' });
    await using sandbox = await openSandbox(play.options);
    expect(sandbox.id).toBe('x');
    expect(play.log.indexOf('setup')).toBeLessThan(play.log.indexOf('unpack'));
  });

  it.each([
    ['reaches the host’s loopback', FRAME.probe, (w: ByteWriter) => w.u32(0).u32(0).u32(0)],
    ['has a network interface', FRAME.probe, (w: ByteWriter) => w.u32(101).u32(1).u32(0)],
  ])('ends a machine that %s, and says that it is not isolated', async (_what, type, payload) => {
    const play = stage({
      answer: (fake, frame) => {
        if (frame.type !== type) return false;
        fake.send(FRAME.end, frame.stream, end(payload));
        return true;
      },
    });
    await expect(openSandbox(play.options)).rejects.toMatchObject({ code: 'backend/not-isolated' });
    expect(play.log.at(-1)).toBe('end');
  });

  it('ends a machine that sees a file of the host', async () => {
    const play = stage({
      answer: (fake, frame) => {
        if (frame.type !== FRAME.stat) return false;
        fake.error(frame.stream, 13);
        return true;
      },
    });
    await expect(openSandbox(play.options)).rejects.toMatchObject({ code: 'backend/not-isolated' });
    expect(play.log.at(-1)).toBe('end');
  });

  it('leaves no canary behind', async () => {
    const play = stage();
    await using sandbox = await openSandbox(play.options);
    expect(sandbox.id).toBe('x');
    expect(readdirSync(play.options.spec.runDir)).toEqual([]);
  });

  it('names the phase and shows the console when the guest never answers', async () => {
    const play = stage({ isSilent: true });
    await expect(openSandbox(play.options)).rejects.toMatchObject({
      code: 'backend/boot-failed',
      details: { phase: 'greet', console: 'the last words' },
    });
    expect(play.log.at(-1)).toBe('end');
  });

  it('names the phase when the set-up fails', async () => {
    const play = stage({
      answer: (fake, frame) => {
        if (frame.type !== FRAME.setup) return false;
        fake.error(frame.stream, 22, '3');
        return true;
      },
    });
    await expect(openSandbox(play.options)).rejects.toMatchObject({
      code: 'backend/boot-failed',
      details: { phase: 'copy-in' },
    });
    expect(play.log.at(-1)).toBe('end');
  });

  it('tells of the image’s failure and ends the guest', async () => {
    for (const early of [false, true]) {
      const failure = new Error('disk full');
      const play = stage({ early, source: { writeImage: () => Promise.reject(failure) } });
      await expect(openSandbox(play.options)).rejects.toThrow('disk full');
      if (play.log.includes('launch')) expect(play.log.at(-1)).toBe('end');
    }
  });

  it('ends the guest when it is cancelled, at any phase', { timeout: 10_000 }, async () => {
    for (const at of [FRAME.clock, FRAME.setup, FRAME.changes, FRAME.probe] as number[]) {
      const play = stage({
        answer: (_fake, frame) => {
          if (frame.type !== at) return false;
          play.abort.abort();
          return true;
        },
      });
      // Only the cancellation ends it in this time.
      play.options.deadlines = { silenceMs: 600_000, cancelMs: 600_000 };
      await expect(openSandbox(play.options)).rejects.toMatchObject({ code: 'cancelled' });
      expect(play.log.at(-1)).toBe('end');
    }
  });

  it('ends a guest that breaks the protocol later on, without being told to', async () => {
    const play = stage();
    const sandbox = await openSandbox(play.options);
    play.fake.send(FRAME.end, 999);
    expect(await sandbox.closed).toMatchObject({ code: 'guest/bad-frame' });
    await expect.poll(() => play.log.at(-1)).toBe('end');
  });

  it('ends a guest that does not answer the shutdown', async () => {
    const play = stage({ answer: (_fake, frame) => frame.type === FRAME.shutdown });
    const sandbox = await openSandbox(play.options);
    await sandbox.end();
    expect(play.log.at(-1)).toBe('end');
  });
});
