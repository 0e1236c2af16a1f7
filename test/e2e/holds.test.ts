import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { killGroup } from '../../src/base/process.ts';
import { type CliOptions, cliCommand, cliEnvironment, jsonLines, runCli } from '../support/cli.ts';
import type { Reply } from '../support/fake-model/script.ts';
import { openFakeModel } from '../support/fake-model/server.ts';
import { asOrdinaryUser } from '../support/ordinary-user.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';

const FILES = { 'src/main.ts': 'export const a = 1;\n', 'notes.txt': 'one\n' };

function setUp(steps: readonly Record<string, unknown>[] = [], name = 'project') {
  const home = temporaryFolder();
  const project = makeProject(home, FILES, name);
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, steps);
  const state = join(home, 'sc/state');
  const run = (args: string[], more: Partial<CliOptions> = {}) =>
    runCli(args, { home, cwd: project, ...more });
  return { home, project, state, model: ['--demo', '--model', `replay/${replay}`], run };
}

type Run = ReturnType<typeof setUp>['run'];

/** A small file system at a folder, for as long as the test runs. Needs root. */
function mountSmall(context: Pick<TestContext, 'skip'>, folder: string, size: string): void {
  if (process.getuid?.() !== 0) context.skip('mounting needs root');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  execFileSync('chmod', ['700', join(folder, '..'), folder]);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', folder]);
  });
}

/** Takes all that is left of a file system. */
function fill(folder: string): string {
  const file = join(folder, 'filler');
  execFileSync('sh', ['-c', 'cat /dev/zero > "$1" 2>/dev/null || true', 'sh', file]);
  return file;
}

async function verifyLedger(run: Run, entries?: number): Promise<void> {
  const log = await run(['log', '--json', '--verify']);
  expect(jsonLines(log.stdout).at(-1)).toMatchObject({
    type: 'verify',
    ok: true,
    ...(entries === undefined ? {} : { entries }),
  });
}

async function sessionStates(run: Run): Promise<unknown[]> {
  return jsonLines((await run(['sessions', '--json'])).stdout).map((session) => session.state);
}

/** Waits until the condition holds; a test that waits for what never comes fails by its own time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(10);
}

describe('a project', () => {
  it('of no files at all is a session like any other', async () => {
    const { project, state, run } = setUp();
    rmSync(join(project, 'src'), { recursive: true });
    rmSync(join(project, 'notes.txt'));
    const result = await run([
      'exec',
      '--demo',
      '--apply',
      'all',
      '--',
      'sh',
      '-c',
      'ls; echo first > new.txt',
    ]);
    expect([result.code, result.stdout]).toEqual([0, '']);
    expect(readFileSync(join(project, 'new.txt'), 'utf8')).toBe('first\n');
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    // What it began with, the command, and that its file was applied.
    await verifyLedger(run, 3);
  });

  it.each(['with spaces', 'mit Ümläuten 日本', 'new\nline', "it's $HOME `quoted`"])(
    'at a path like %j is worked on, applied and undone',
    async (name) => {
      const { project, run } = setUp([], name);
      const before = pictureOf(project);
      const result = await run([
        'exec',
        '--demo',
        '--apply',
        'all',
        '--',
        'sh',
        '-c',
        'echo two >> notes.txt',
      ]);
      expect([result.code, result.stderr]).toEqual([0, expect.stringContaining('✓ Changes synced to host')]);
      expect(readFileSync(join(project, 'notes.txt'), 'utf8')).toBe('one\ntwo\n');
      expect(await sessionStates(run)).toEqual(['ended']);
      expect((await run(['undo', '--yes'])).code).toBe(0);
      expect(pictureOf(project)).toEqual(before);
    },
  );

  it('with pipes, sockets, devices and link loops is copied without them, and each is named', async () => {
    const { project, run } = setUp();
    execFileSync('mkfifo', [join(project, 'pipe')]);
    symlinkSync('loop', join(project, 'loop'));
    symlinkSync('..', join(project, 'src/up'));
    const server = createServer().listen(join(project, 'socket'));
    onTestFinished(() => void server.close());
    const named = ['pipe', 'socket'];
    if (process.getuid?.() === 0) {
      execFileSync('mknod', [join(project, 'device'), 'c', '1', '3']);
      named.push('device');
    }
    const before = pictureOf(project);
    const result = await run(['exec', '--demo', '--json', '--', 'sh', '-c', 'readlink loop src/up; ls']);
    expect(result.code).toBe(0);
    const events = jsonLines(result.stdout);
    const warned = String(events.find((event) => event.code === 'workspace/skipped')?.message);
    for (const name of named) expect(warned).toContain(name);
    const output = events.filter((event) => event.type === 'tool.output').map((event) => event.text);
    expect(output.join('')).toBe('loop\n..\nloop\nnotes.txt\nsrc\n');
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: true, changes: [] });
    expect(pictureOf(project)).toEqual(before);
  });

  it('with files that its user may not read is copied without them, and each is named', async (context) => {
    if (process.getuid?.() !== 0) context.skip('needs root, to become somebody else');
    const { home, project, run } = setUp();
    mkdirSync(join(project, 'closed'));
    writeFileSync(join(project, 'closed/inside.txt'), 'x\n');
    writeFileSync(join(project, 'secretive.txt'), 'x\n');
    execFileSync('chown', ['-R', '65534:65534', home]);
    execFileSync('chown', ['root:root', join(project, 'closed'), join(project, 'secretive.txt')]);
    execFileSync('chmod', ['700', join(project, 'closed'), join(project, 'secretive.txt')]);
    const through = asOrdinaryUser();
    const before = pictureOf(project);
    const result = await run(['exec', '--demo', '--json', '--', 'sh', '-c', 'id -u; ls'], { through });
    expect([result.code, result.stderr]).toEqual([0, '']);
    const events = jsonLines(result.stdout);
    const warned = String(events.find((event) => event.code === 'workspace/skipped')?.message);
    expect(warned).toMatch(/closed.*unreadable/);
    expect(warned).toMatch(/secretive\.txt.*unreadable/);
    expect(events.at(-1)).toMatchObject({ type: 'session.end', changes: [] });
    expect(pictureOf(project)).toEqual(before);
    // A project that can't be read at all is no session.
    execFileSync('chown', ['root:root', project]);
    execFileSync('chmod', ['711', project]);
    const refused = await run(['exec', '--demo', '--', 'true'], { through });
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/can't be read/)]);
  });
});

describe('a full disk on the host', () => {
  it('from the start is no session: exit code 4, what is full, and nothing left', async (context) => {
    const { project, state, run } = setUp();
    mountSmall(context, state, '1M');
    const filler = fill(state);
    const before = pictureOf(project);
    const result = await run(['exec', '--demo', '--', 'true']);
    expect([result.code, result.stderr]).toEqual([4, expect.stringMatching(/[Nn]o (room|space)/)]);
    expect(result.stderr).not.toContain('bug');
    rmSync(filler);
    expect(await sessionStates(run)).toEqual([]);
    expect((await run(['exec', '--demo', '--', 'true'])).code).toBe(0);
    expect(pictureOf(project)).toEqual(before);
  });

  it('while the project is copied in is no session either', async (context) => {
    const { project, state, run } = setUp();
    mountSmall(context, state, '2M');
    const noise = randomBytes(4_000_000);
    writeFileSync(join(project, 'noise.bin'), noise);
    const before = pictureOf(project);
    const result = await run(['exec', '--demo', '--json', '--', 'true']);
    expect([result.code, result.stderr]).toEqual([4, '']);
    expect(jsonLines(result.stdout).at(-1)).toMatchObject({
      type: 'error',
      message: expect.stringMatching(/[Nn]o (room|space)/),
    });
    expect(readdirSync(join(state, 'sessions'))).toEqual([]);
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
  });

  it('while an entry is written stops the session, which keeps every entry before it', async (context) => {
    const { project, state, model, run } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo kept > kept.txt' } }] },
      { calls: [{ tool: 'bash', input: { command: 'head -c 3000000 /dev/urandom > big.bin' } }] },
      { text: 'never' },
    ]);
    mountSmall(context, join(state, 'sessions'), '1M');
    const before = pictureOf(project);
    const result = await run(['run', 'x', '--json', '--apply', 'all', ...model]);
    expect([result.code, result.stderr]).toEqual([4, '']);
    const events = jsonLines(result.stdout);
    expect(events.find((event) => event.type === 'error')).toMatchObject({
      code: 'ledger/write-failed',
      hint: expect.stringMatching(/room|space/),
    });
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: false, reason: 'ledger/write-failed' });
    expect(pictureOf(project)).toEqual(before);
    await verifyLedger(run, 2);
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'kept.txt'), 'utf8')).toBe('kept\n');
    expect(existsSync(join(project, 'big.bin'))).toBe(false);
  });

  it('with no byte left for entry, event or record still ends in order', async (context) => {
    const { project, state, model, run } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo kept > kept.txt' } }] },
      { calls: [{ tool: 'bash', input: { command: 'cat /dev/zero > "$(cat where)" 2>/dev/null; true' } }] },
      { text: 'never' },
    ]);
    mountSmall(context, join(state, 'sessions'), '1M');
    // The demo's tools run on this machine: one can fill what the session is kept on.
    const filler = join(state, 'sessions/filler');
    writeFileSync(join(project, 'where'), filler);
    const before = pictureOf(project);
    const result = await run(['run', 'x', '--json', ...model]);
    expect([result.code, result.stderr]).toEqual([4, '']);
    const events = jsonLines(result.stdout);
    expect(events.find((event) => event.type === 'error')).toMatchObject({
      hint: expect.stringMatching(/room|space/),
    });
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: false });
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    rmSync(filler);
    await verifyLedger(run, 2);
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'kept.txt'), 'utf8')).toBe('kept\n');
    rmSync(join(project, 'kept.txt'));
    expect(pictureOf(project)).toEqual(before);
  });

  it('while changes are applied leaves the project as it was, and apply works once there is room', async (context) => {
    const { project, state, run } = setUp();
    mountSmall(context, state, '8M');
    const command = 'echo two >> notes.txt; head -c 300000 /dev/urandom > new.bin; rm src/main.ts';
    expect((await run(['exec', '--demo', '--', 'sh', '-c', command])).code).toBe(0);
    const filler = fill(state);
    const before = pictureOf(project);
    const full = await run(['apply', '--yes', '--json']);
    expect(full.code).toBe(4);
    expect(jsonLines(full.stdout).at(-1)).toMatchObject({ type: 'error', code: 'environment/disk-full' });
    expect(pictureOf(project)).toEqual(before);
    rmSync(filler);
    await verifyLedger(run, 2);
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(statSync(join(project, 'new.bin')).size).toBe(300_000);
    expect(existsSync(join(project, 'src/main.ts'))).toBe(false);
  });
});

describe('a place that can not be used', () => {
  it.each([
    ['for state, because a file is in the way', ['sessions'], 4, /not a directory/],
    [
      'for state, because its parent is a file',
      ['sessions'],
      4,
      /can't be made \(ENOTDIR\)[\s\S]*SAFE_CODER_HOME/,
    ],
    [
      'for decisions, because there is none',
      ['apply', '--decisions', 'none.json'],
      2,
      /none\.json can't be read/,
    ],
  ] as const)('%s, is named', async (what, args, code, words) => {
    const { home, state, run } = setUp();
    expect((await run(['exec', '--demo', '--quiet', '--', 'sh', '-c', 'echo two > notes.txt'])).code).toBe(0);
    const env: Record<string, string> = {};
    if (what.includes('in the way')) {
      rmSync(state, { recursive: true });
      writeFileSync(state, '');
    }
    if (what.includes('parent')) {
      writeFileSync(join(home, 'file'), '');
      env.SAFE_CODER_HOME = join(home, 'file/sc');
    }
    const result = await run([...args], { env });
    expect([result.code, result.stderr]).toEqual([code, expect.stringMatching(words)]);
  });

  it('for state, because its user may not write there, is named', async (context) => {
    if (process.getuid?.() !== 0) context.skip('needs root, to become somebody else');
    const { home, run } = setUp();
    execFileSync('chmod', ['755', home]);
    const through = asOrdinaryUser();
    const result = await run(['sessions'], { through });
    expect([result.code, result.stderr]).toEqual([4, expect.stringMatching(/can't be made \(EACCES\)/)]);
  });
});

describe('a provider that fails', () => {
  const made: Reply = { calls: [{ tool: 'bash', input: { command: 'echo made > made.txt' } }] };
  const status = (code: number, headers: Record<string, string> = {}): Reply => ({
    fault: { kind: 'status', status: code, headers },
  });

  /** Runs a task against a scripted provider; what must hold however it fails is checked here. */
  async function runAgainst(script: readonly Reply[], more: Partial<CliOptions> = {}) {
    const { home, project, state, run } = setUp();
    await using server = await openFakeModel(script);
    const before = pictureOf(project);
    const result = await run(['run', 'x', '--demo', '--json', '--model', 'anthropic/claude-sonnet-4-5'], {
      env: { ANTHROPIC_API_KEY: 'sk-ant-test-key-1234', ANTHROPIC_BASE_URL: server.url },
      ...more,
    });
    const events = jsonLines(result.stdout);
    expect(result.stderr).toBe('');
    expect(events.filter((event) => event.type === 'session.end')).toHaveLength(1);
    expect(events.at(-1)?.type).toBe('session.end');
    expect(server.violations).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    expect(await sessionStates(run)).toEqual(['ended']);
    await verifyLedger(run);
    const of = (type: string) => events.filter((event) => event.type === type);
    return { home, code: result.code, end: events.at(-1), of, asked: server.requests.length };
  }

  it.each([
    ['401', [made, status(401)], 'provider/auth', /key/i, 2],
    ['403', [made, status(403)], 'provider/auth', /key|access/i, 2],
    ['400', [made, status(400)], 'provider/rejected', /refused|rejected|400/i, 2],
    [
      '500 until it is given up',
      [made, ...Array.from({ length: 8 }, () => status(500, { 'retry-after': '0' }))],
      'provider/overloaded',
      /500|server/i,
      9,
    ],
  ] as const)(
    'with %s ends the run with 8 and keeps what was done',
    async (_, script, code, words, asked) => {
      const outcome = await runAgainst(script);
      expect(outcome.code).toBe(8);
      expect(outcome.end).toMatchObject({
        ok: false,
        reason: code,
        changes: [{ path: 'made.txt', change: 'added' }],
      });
      const error = outcome.of('error')[0];
      expect(error).toMatchObject({ code, hint: expect.any(String) });
      expect(`${error?.message} ${error?.hint}`).toMatch(words);
      expect(outcome.asked).toBe(asked);
    },
  );

  it.each([
    ['429 and a time to wait', { ...status(429, { 'retry-after': '1' }) }],
    ['529', status(529, { 'retry-after': '0' })],
    ['an answer that is closed in the middle', { text: 'half of it', fault: { kind: 'close', events: 3 } }],
    ['an answer that is reset in the middle', { text: 'half of it', fault: { kind: 'reset', events: 3 } }],
    ['an error in the middle', { text: 'half of it', fault: { kind: 'error-event', events: 3 } }],
  ] as [string, Reply][])('with %s is asked again, and the task is worked through', async (_, fault) => {
    const outcome = await runAgainst([fault, made, { text: 'Done.' }]);
    expect(outcome.code).toBe(0);
    expect(outcome.of('retry')).toHaveLength(1);
    expect(outcome.of('message').at(-1)?.text).toBe('Done.');
    expect(outcome.end).toMatchObject({ ok: true, reason: 'done', changes: [{ path: 'made.txt' }] });
  });

  it('by stalling can be cancelled at once: exit code 130, and what was done is kept', async () => {
    const outcome = await runAgainst([made, { text: 'half of it', fault: { kind: 'stall', events: 4 } }], {
      onStdout: signalOnce('"message.delta","text":"half', 'SIGINT'),
    });
    expect(outcome.code).toBe(130);
    expect(outcome.end).toMatchObject({ ok: false, reason: 'cancelled', changes: [{ path: 'made.txt' }] });
  });

  it('by hanging ends with 1 when the time given to the run is over', async () => {
    const { project, run } = setUp();
    await using server = await openFakeModel([{ fault: { kind: 'hang' } }]);
    const model = ['--model', 'anthropic/claude-sonnet-4-5', '--timeout', '2s'];
    const result = await run(['run', 'x', '--demo', '--json', ...model], {
      env: { ANTHROPIC_API_KEY: 'sk-ant-test-key-1234', ANTHROPIC_BASE_URL: server.url },
    });
    expect(result.code).toBe(1);
    expect(jsonLines(result.stdout).at(-1)).toMatchObject({
      type: 'session.end',
      ok: false,
      reason: 'timeout',
    });
    expect(existsSync(project)).toBe(true);
  });

  it('by calling what is no tool, or with what is no JSON, is told so and goes on', async () => {
    const outcome = await runAgainst([
      { calls: [{ tool: 'launch_rockets', input: {} }] },
      { calls: [{ tool: 'bash', rawArguments: '{"command": "echo' }] },
      { calls: [{ tool: 'bash', rawArguments: '[1, 2]' }] },
      made,
      { text: 'Done.' },
    ]);
    expect(outcome.code).toBe(0);
    const ends = outcome.of('tool.end');
    expect(ends.map((event) => event.ok)).toEqual([false, false, false, true]);
    expect(String(ends[0]?.text)).toMatch(/bash/);
    expect(String(ends[1]?.text)).toMatch(/JSON/);
    expect(outcome.end).toMatchObject({ ok: true, changes: [{ path: 'made.txt' }] });
  });

  it('because nobody listens at its address is named as unreachable', async () => {
    const { run } = setUp();
    const closed = await openFakeModel();
    await closed[Symbol.asyncDispose]();
    const result = await run(['run', 'x', '--demo', '--json', '--model', 'anthropic/x'], {
      env: { ANTHROPIC_API_KEY: 'sk-ant-test-key-1234', ANTHROPIC_BASE_URL: closed.url },
      // It is tried again for a while; a person who reads why can stop that.
      onStdout: signalOnce('"retry"', 'SIGINT'),
    });
    const events = jsonLines(result.stdout);
    expect(String(events.find((event) => event.type === 'retry')?.reason)).toMatch(/reach|refused/);
    expect([result.code, events.at(-1)?.type]).toEqual([130, 'session.end']);
  });
});

describe('SIGTERM', () => {
  it('while the project is copied in leaves nothing: no session, no process, no file', async () => {
    const { home, project, state, run } = setUp();
    for (let folder = 0; folder < 40; folder++) {
      mkdirSync(join(project, `d${folder}`));
      for (let file = 0; file < 100; file++)
        writeFileSync(join(project, `d${folder}/${file}.txt`), `${file}\n`);
    }
    const before = pictureOf(project);
    const { child, ended } = start(['exec', '--demo', '--', 'sleep', '1000'], home, project);
    const runs = join(state, 'run');
    await until(
      () =>
        existsSync(runs) && readdirSync(runs, { recursive: true }).some((path) => /d\d+/.test(String(path))),
    );
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
    expect(readdirSync(runs)).toEqual([]);
    expect(await sessionStates(run)).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
  });

  it('during a tool ends it, records it and leaves nothing running', async () => {
    const { project, state, model, run } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo x > begun.txt; echo begun; exec sleep 1234.5' } }] },
      { text: 'never' },
    ]);
    const before = pictureOf(project);
    const result = await run(['run', 'x', '--json', '--apply', 'all', ...model], {
      onStdout: signalOnce('begun\\n', 'SIGTERM'),
    });
    expect(result.code).toBe(130);
    expect(jsonLines(result.stdout).at(-1)).toMatchObject({
      type: 'session.end',
      ok: false,
      reason: 'cancelled',
      changes: [{ path: 'begun.txt' }],
      applied: [],
    });
    expect(commandsNaming(state)).toEqual([]);
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
    await verifyLedger(run, 2);
  });

  it.each(['SIGTERM', 'SIGKILL'] as const)(
    'or worse, %s in the middle of an apply, leaves all of it or nothing, and apply can be done again',
    async (signal) => {
      const { home, project, run } = setUp();
      const command = 'for d in $(seq 20); do mkdir d$d; for f in $(seq 30); do echo $f > d$d/$f; done; done';
      expect((await run(['exec', '--demo', '--quiet', '--', 'sh', '-c', command])).code).toBe(0);
      const before = pictureOf(project);
      const { child, ended } = start(['apply', '--yes'], home, project);
      await until(() => readdirSync(project).length > Object.keys(FILES).length);
      child.kill(signal);
      const code = await ended;
      // Whatever comes next finishes or takes back what was interrupted.
      expect((await run(['exec', '--demo', '--quiet', '--', 'true'])).code).toBe(0);
      const added = Object.keys(pictureOf(project)).filter((path) => !(path in before));
      expect([0, 620]).toContain(added.length);
      if (signal === 'SIGTERM') expect(added.length).toBe(code === 0 ? 620 : 0);
      const sessions = jsonLines((await run(['sessions', '--json'])).stdout);
      expect((await run(['apply', String(sessions.at(-1)?.session), '--yes'])).code).toBe(0);
      expect(Object.keys(pictureOf(project))).toHaveLength(Object.keys(before).length + 620);
    },
  );
});

describe('sessions side by side', () => {
  it('applied twice at once are written once, and whoever came second is told', async () => {
    const { project, run } = setUp();
    const command = 'for f in $(seq 300); do echo $f > f$f; done';
    expect((await run(['exec', '--demo', '--quiet', '--', 'sh', '-c', command])).code).toBe(0);
    const both = await Promise.all([run(['apply', '--yes', '--json']), run(['apply', '--yes', '--json'])]);
    const ends = both.map((result) => jsonLines(result.stdout).at(-1));
    for (const [index, { code }] of both.entries()) {
      if (code === 0) expect(ends[index]).toMatchObject({ type: 'applied', conflicts: [] });
      else
        expect([code, ends[index]]).toEqual([
          6,
          expect.objectContaining({ code: 'apply/busy', hint: expect.any(String) }),
        ]);
    }
    expect(both.map(({ code }) => code)).toContain(0);
    expect(ends.flatMap((end) => (end?.applied as string[] | undefined) ?? [])).toHaveLength(300);
    expect(readdirSync(project)).toHaveLength(302);
  });

  it('that run can not be removed, and can once they have ended', async () => {
    const { home, project, run } = setUp();
    const { child, ended, untilSaid } = start(
      ['exec', '--demo', '--', 'sh', '-c', 'echo ready; sleep 1000'],
      home,
      project,
    );
    await untilSaid('ready');
    const [session] = jsonLines((await run(['sessions', '--json'])).stdout);
    expect(session?.state).toBe('running');
    const refused = await run(['rm', String(session?.session), '--yes']);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringMatching(/runs in process \d+/)]);
    child.kill('SIGINT');
    expect(await ended).toBe(130);
    expect((await run(['rm', String(session?.session), '--yes'])).code).toBe(0);
    expect(await sessionStates(run)).toEqual([]);
  });

  it('that were killed with -9 are interrupted, can be read and applied, and leave nothing after the next start', async () => {
    const { home, project, state, model, run } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo kept > kept.txt' } }] },
      { calls: [{ tool: 'bash', input: { command: 'echo lost > lost.txt; echo begun; sleep 1234.5' } }] },
    ]);
    const before = pictureOf(project);
    const { child, ended, untilSaid } = start(['run', 'x', '--json', ...model], home, project);
    await untilSaid('begun\\n');
    child.kill('SIGKILL');
    await ended;
    expect(pictureOf(project)).toEqual(before);
    await until(() => commandsNaming(state).length === 0);
    expect(await sessionStates(run)).toEqual(['interrupted']);
    await verifyLedger(run, 2);
    expect((await run(['show', '#2'])).stdout).toContain('+kept');
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'kept.txt'), 'utf8')).toBe('kept\n');
    expect((await run(['exec', '--demo', '--quiet', '--', 'true'])).code).toBe(0);
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    const interrupted = jsonLines((await run(['sessions', '--json'])).stdout).at(-1);
    expect((await run(['rm', String(interrupted?.session), '--yes'])).code).toBe(0);
  });

  it('whose record is damaged are named, and can be removed', async () => {
    const { state, run } = setUp();
    expect((await run(['exec', '--demo', '--quiet', '--', 'true'])).code).toBe(0);
    const [id = ''] = readdirSync(join(state, 'sessions'));
    writeFileSync(join(state, 'sessions', id, 'session.json'), '{"version": 1, "id"');
    const listed = await run(['sessions']);
    expect([listed.code, listed.stderr]).toEqual([0, expect.stringContaining(`safe-coder rm ${id}`)]);
    expect((await run(['rm', id, '--yes'])).code).toBe(0);
    expect(readdirSync(join(state, 'sessions'))).toEqual([]);
  });
});

/** Sends a signal when a text has been said, and only then: a second one would end the program at once. */
function signalOnce(text: string, signal: NodeJS.Signals): NonNullable<CliOptions['onStdout']> {
  let isSent = false;
  return (said, child) => {
    if (isSent || !said.includes(text)) return;
    isSent = true;
    child.kill(signal);
  };
}

/** Starts the program; it is killed when the test is over. */
function start(args: readonly string[], home: HostPath, cwd: HostPath) {
  const [file, argv] = cliCommand(args);
  const child = spawn(file, argv, {
    cwd,
    env: cliEnvironment(home),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => killGroup(child.pid));
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
  const ended = new Promise<number | null>((resolve) => child.once('close', (code) => resolve(code)));
  const untilSaid = async (text: string) => {
    while (!said.includes(text)) {
      if (child.exitCode !== null) throw new Error(`the program ended before it said ${text}: ${said}`);
      await sleep(10);
    }
  };
  return { child, ended, untilSaid };
}

/** Processes whose command line, environment or folder names a text. */
function commandsNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return ['cmdline', 'environ'].some((file) =>
          readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(text),
        );
      } catch {
        // It ended while we looked.
        return false;
      }
    });
}
