import { afterEach, describe, expect, it, vi } from 'vitest';
import { SafeCoderError } from '../../../src/base/errors.ts';
import { createTools } from '../../../src/tools/create-tools.ts';
import { createToolState } from '../../../src/tools/tool-state.ts';
import { type FakeExec, FakeSandbox, guestFailed, toolRunner } from '../../support/fake-sandbox.ts';

function setup(script?: (exec: FakeExec) => void | Promise<void>) {
  const sandbox = new FakeSandbox();
  if (script !== undefined) sandbox.script = script;
  const state = createToolState();
  return { sandbox, state, ...toolRunner(sandbox, createTools({ state })) };
}

/** Plays the log's sink as well as the command. */
function isSink(exec: FakeExec): boolean {
  return exec.options.stdin === true;
}

function commandScript(play: (exec: FakeExec) => Promise<void>) {
  return (exec: FakeExec): void => {
    if (!isSink(exec)) void play(exec);
  };
}

afterEach(() => {
  vi.useRealTimers();
});

describe('bash', () => {
  it('runs in the workspace, without a person, standard error merged, and never through the host', async () => {
    const { sandbox, run } = setup();
    await run('bash', { command: 'make' });
    const options = sandbox.execs[0]?.options;
    expect(options).toMatchObject({ cwd: sandbox.workspace, mergeStderr: true });
    expect(options?.stdin).toBeUndefined();
    expect(options?.argv[0]).toBe('bash');
    expect(options?.env).toEqual({
      PAGER: 'cat',
      GIT_PAGER: 'cat',
      TERM: 'dumb',
      CI: '1',
      NO_COLOR: '1',
      DEBIAN_FRONTEND: 'noninteractive',
      GIT_TERMINAL_PROMPT: '0',
      GIT_EDITOR: 'true',
    });
  });

  it('falls back to sh, and remembers it', async () => {
    const { sandbox, run } = setup((exec) => {
      if (exec.options.argv[0] === 'bash') throw guestFailed('ENOENT');
      exec.end();
    });
    expect((await run('bash', { command: 'ls' })).ok).toBe(true);
    await run('bash', { command: 'ls' });
    expect(sandbox.execs.map((exec) => exec.options.argv[0])).toEqual(['bash', 'sh', 'sh']);
  });

  it('says how a command ended', async () => {
    const ends: [Parameters<FakeExec['end']>[0], number, string][] = [
      [{ exitCode: 0 }, 0, '(no output)\n[exit code 0]'],
      [{ exitCode: 2 }, 2, '[exit code 2]'],
      [{ exitCode: 127 }, 127, 'command not found'],
      [{ exitCode: 139 }, 139, 'exit code 139: ended by SIGSEGV'],
      [{ signal: 15, exitCode: undefined }, 143, 'killed by SIGTERM (signal 15)'],
      [{ signal: 9, exitCode: undefined, wasKilledForMemory: true }, 137, 'out of memory: killed at 512 MB'],
      [{ exitCode: 254, wasRefusedProcesses: true }, 254, 'too many processes: 256'],
    ];
    for (const [end, code, text] of ends) {
      const { run } = setup((exec) => exec.end(end));
      const result = await run('bash', { command: 'x' });
      expect(result).toMatchObject({ ok: code === 0, exitCode: code });
      expect(result.text).toContain(text);
    }
  });

  it('names a full disk', async () => {
    const { run } = setup(
      commandScript(async (exec) => {
        await exec.output('cp: error writing: No space left on device\n');
        exec.end({ exitCode: 1 });
      }),
    );
    expect((await run('bash', { command: 'cp a b' })).text).toContain('disk full: the sandbox has 1.0 GB');
  });

  it('works on a full disk, without a log and without following directories', async () => {
    const { sandbox, run } = setup(
      commandScript(async (exec) => {
        await exec.output('x\n'.repeat(3000));
        exec.end();
      }),
    );
    sandbox.failWrites = 'ENOSPC';
    const result = await run('bash', { command: 'rm -rf cache' });
    expect(result).toMatchObject({ ok: true });
    expect(result.text).toContain('could not be saved');
  });

  it('cleans output for the model and leaves it raw for the person', async () => {
    const { run, outputs } = setup(
      commandScript(async (exec) => {
        await exec.output('\x1b[31mred\x1b[0m 10%\r100%\n');
        await exec.output(Buffer.from([0xe2, 0x82]));
        await exec.output(Buffer.from([0xac, 0x0a]));
        exec.end();
      }),
    );
    expect((await run('bash', { command: 'x' })).text).toBe('100%\n€\n[exit code 0]');
    expect(outputs.join('')).toBe('\x1b[31mred\x1b[0m 10%\r100%\n€\n');
  });

  it('calls back at most once in 50 ms, and gives out everything at the end', async () => {
    vi.useFakeTimers();
    let exec: FakeExec | undefined;
    const { run, outputs } = setup((started) => {
      exec = started;
    });
    const running = run('bash', { command: 'x' });
    await vi.advanceTimersByTimeAsync(0);
    for (let i = 0; i < 100; i++) {
      await exec?.output(`${i}\n`);
      await vi.advanceTimersByTimeAsync(10);
    }
    expect(outputs.length).toBeGreaterThan(15);
    expect(outputs.length).toBeLessThanOrEqual(21);
    exec?.end();
    await running;
    expect(outputs.join('')).toBe(Array.from({ length: 100 }, (_, i) => `${i}\n`).join(''));
  });

  it('streams a long output into a log in the guest, in order and whole', async () => {
    const { sandbox, run } = setup(
      commandScript(async (exec) => {
        for (let i = 0; i < 300; i++) await exec.output(`${String(i).padStart(999, '.')}\n`);
        exec.end();
      }),
    );
    const result = await run('bash', { command: 'x' });
    const sink = sandbox.execs.find(isSink);
    expect(Buffer.concat(sink?.input ?? []).toString()).toBe(
      Array.from({ length: 300 }, (_, i) => `${String(i).padStart(999, '.')}\n`).join(''),
    );
    expect(result.text).toContain('saved at /tmp/safe-coder-fake1/out/call-1.log');
    expect(sink?.options.argv.at(-1)).toBe('/tmp/safe-coder-fake1/out/call-1.log');
  });

  it('is not held up by a log that ends early', async () => {
    const { run } = setup((exec) => {
      if (isSink(exec)) return exec.end({ exitCode: 1 });
      void (async () => {
        for (let i = 0; i < 100; i++) await exec.output(`${'y'.repeat(2000)}\n`);
        exec.end();
      })();
    });
    expect((await run('bash', { command: 'x' })).text).toContain('could not be saved');
  });

  it('holds a flood in bounded memory', async () => {
    const { run } = setup((exec) => {
      if (isSink(exec)) return;
      void (async () => {
        const chunk = Buffer.alloc(65_536, 'z\n');
        for (let i = 0; i < 2000; i++) await exec.output(chunk);
        exec.end();
      })();
    });
    const sinkless = await run('bash', { command: 'yes' });
    expect(Buffer.byteLength(sinkless.text)).toBeLessThan(60_000);
    expect(sinkless.text).toContain('the first 64 MB of the output saved at');
    expect(sinkless.meta).toMatchObject({ bytes: 131_072_000, truncated: true });
  });

  it('interrupts a cancelled command, waits two seconds, then kills its group', async () => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const { sandbox, run } = setup(() => undefined);
    const running = run('bash', { command: 'x' }, { signal: controller.signal });
    const failed = expect(running).rejects.toMatchObject({ code: 'cancelled' });
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    await vi.advanceTimersByTimeAsync(1990);
    expect(sandbox.execs[0]).toMatchObject({ signals: [2], wasKilled: false });
    await vi.advanceTimersByTimeAsync(20);
    expect(sandbox.execs[0]?.wasKilled).toBe(true);
    await failed;
  });

  it('gives up on a guest that does not say that a killed command is over', async () => {
    vi.useFakeTimers();
    const controller = new AbortController();
    const { run } = setup((exec) => {
      exec.onKill = () => undefined;
    });
    const running = run('bash', { command: 'x' }, { signal: controller.signal });
    const failed = expect(running).rejects.toMatchObject({ code: 'guest/timeout' });
    await vi.advanceTimersByTimeAsync(10);
    controller.abort();
    await vi.advanceTimersByTimeAsync(20_000);
    await failed;
  });

  it('throws when the guest is lost while a command runs', async () => {
    const { run } = setup((exec) => exec.fail(new SafeCoderError('guest/lost', 'gone')));
    await expect(run('bash', { command: 'x' })).rejects.toMatchObject({ code: 'guest/lost' });
  });

  it('does not believe a file about the last directory that another call left or that makes no sense', async () => {
    const { sandbox, state, run } = setup();
    sandbox.folder('sub');
    const claims: [string, string | undefined][] = [
      ['call-1\n/home/user/project/sub\n', '/home/user/project/sub'],
      ['call-1\n/home/user/project\n', '/home/user/project/sub'],
      ['call-3\nrelative\n', '/home/user/project/sub'],
      [`call-4\n/${'x'.repeat(9000)}\n`, '/home/user/project/sub'],
      ['call-5\n/home/user/project/sub\0\n', '/home/user/project/sub'],
      ['call-6\n/tmp\n', undefined],
    ];
    for (const [claim, expected] of claims) {
      sandbox.script = (exec) => {
        sandbox.file('/tmp/safe-coder-fake1/cwd', claim);
        exec.end();
      };
      await run('bash', { command: 'cd somewhere' });
      expect(state.shellFolder).toBe(expected);
    }
  });
});

describe('the tools’ own folder', () => {
  it('is not where a hostile guest says, when that makes no sense', async () => {
    for (const answer of [
      '',
      '\n',
      'relative\n',
      '/tmp/a b\n',
      '/tmp/$(x)\n',
      '/tmp/../etc\n',
      '/a\n/b\n',
      '/home/user/project/x\n',
      `/${'x'.repeat(5000)}\n`,
    ]) {
      const { sandbox, state, run } = setup();
      sandbox.scratchAnswer = answer;
      expect((await run('bash', { command: 'ls' })).ok).toBe(true);
      expect(state.scratch?.at).toEqual({ folder: '/tmp/safe-coder-fake1', isReady: false });
      expect(sandbox.execs[0]?.options.argv).toEqual(['bash', '-c', 'ls', 'bash']);
    }
  });

  it('is the guest’s temporary folder, and is asked for once', async () => {
    const { sandbox, state, run } = setup();
    sandbox.scratchAnswer = '/run/user/tmp/safe-coder-fake1\n';
    await run('bash', { command: 'ls' });
    expect(state.scratch?.at).toEqual({ folder: '/run/user/tmp/safe-coder-fake1', isReady: true });
    sandbox.scratchAnswer = '/elsewhere\n';
    await run('bash', { command: 'ls' });
    expect(state.scratch?.at.folder).toBe('/run/user/tmp/safe-coder-fake1');
  });
});

describe('background jobs', () => {
  it('take over a command that runs too long, with what it wrote', async () => {
    const { sandbox, run } = setup(
      commandScript(async (exec) => {
        await exec.output('begun\npartial');
      }),
    );
    const result = await run('bash', { command: 'npm start', timeout_ms: 20 });
    expect(result).toMatchObject({ ok: true, meta: { job: 'job-1' } });
    expect(result.text).toMatch(
      /^begun\npartial\n\[still running after 20 ms: moved to the background as job-1/,
    );
    expect(result.exitCode).toBeUndefined();
    await sandbox.execs[0]?.output(' line\nmore\n');
    const first = await run('bash_output', { job_id: 'job-1' });
    expect(first.text).toMatch(/^partial line\nmore\n\[job-1 is running; next since=24\]/);
    expect((await run('bash_output', { job_id: 'job-1' })).text).toMatch(/^\(nothing new\)/);
    expect((await run('bash_output', { job_id: 'job-1', since: 6 })).text).toMatch(/^partial line\nmore\n/);
    expect((await run('bash_output', { job_id: 'job-1', since: 25 })).ok).toBe(false);
  });

  it('show no more to the person once the call is over', async () => {
    const { sandbox, run, outputs } = setup(() => undefined);
    await run('bash', { command: 'x', timeout_ms: 10 });
    await sandbox.execs[0]?.output('late\n');
    expect(outputs.join('')).toBe('');
  });

  it('tell of their end once, and are still there to read', async () => {
    const { sandbox, run } = setup(() => undefined);
    await run('bash', { command: 'x', timeout_ms: 10 });
    await sandbox.execs[0]?.output('bye\n');
    sandbox.execs[0]?.end({ exitCode: 4 });
    sandbox.script = (exec) => exec.end();
    expect((await run('bash', { command: 'y' })).text).toContain('job-1 (x) has ended');
    expect((await run('bash', { command: 'y' })).text).not.toContain('job-1');
    const result = await run('bash_output', { job_id: 'job-1' });
    expect(result).toMatchObject({ ok: true, exitCode: 4 });
    expect(result.text).toMatch(/^bye\njob-1 is over: \[exit code 4\]/);
  });

  it('are sixteen at most: one more is refused, and a slow command stopped', async () => {
    vi.useFakeTimers();
    const { sandbox, run } = setup(() => undefined);
    for (let i = 0; i < 16; i++) {
      const started = run('bash', { command: `server ${i}`, background: true });
      await vi.advanceTimersByTimeAsync(500);
      await started;
    }
    const refused = await run('bash', { command: 'one more', background: true });
    expect(refused.ok).toBe(false);
    expect(refused.text).toContain('bash_kill');
    const slow = run('bash', { command: 'slow', timeout_ms: 1000 });
    await vi.advanceTimersByTimeAsync(4000);
    expect((await slow).text).toContain('too many background jobs');
    expect(sandbox.execs.at(-1)?.signals).toEqual([2]);
  });

  it('are stopped with SIGTERM first, and a wrong name lists the right ones', async () => {
    const { sandbox, run } = setup((exec) => {
      exec.onSignal = (signal) => exec.end({ signal, exitCode: undefined });
    });
    await run('bash', { command: 'x', timeout_ms: 10 });
    expect((await run('bash_kill', { job_id: 'job-7' })).text).toContain('Jobs are: job-1');
    const killed = await run('bash_kill', { job_id: 'job-1' });
    expect(killed.text).toContain('killed by SIGTERM');
    expect(killed.ok).toBe(true);
    expect(sandbox.execs[0]).toMatchObject({ signals: [15], wasKilled: false });
  });

  it('die with the session, and the files of the tools with them', async () => {
    const { sandbox, state, run } = setup(() => undefined);
    await run('bash', { command: 'x', timeout_ms: 10 });
    await state[Symbol.asyncDispose]();
    expect(sandbox.execs[0]?.wasKilled).toBe(true);
    expect(state.jobs.running()).toEqual([]);
    await state[Symbol.asyncDispose]();
  });

  it('forget old output, and say how much', async () => {
    const { run } = setup(
      commandScript(async (exec) => {
        for (let i = 0; i < 700; i++) await exec.output(`${'l'.repeat(999)}\n`);
      }),
    );
    await run('bash', { command: 'x', timeout_ms: 50 });
    const { text } = await run('bash_output', { job_id: 'job-1', since: 0 });
    expect(text).toMatch(/\[\d+ earlier characters are no longer held here\]/);
  });

  it('that are lost with the guest are called lost', async () => {
    const { sandbox, state, run } = setup(() => undefined);
    await run('bash', { command: 'x', timeout_ms: 10 });
    sandbox.execs[0]?.fail(new SafeCoderError('guest/lost', 'gone'));
    await vi.waitUntil(() => state.jobs.running().length === 0);
    expect((await run('bash_output', { job_id: 'job-1' })).text).toContain('job-1 is lost');
  });
});
