import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { killGroup } from '../../src/base/process.ts';
import { cliCommand, cliEnvironment, jsonLines, runCli } from '../support/cli.ts';
import { asOrdinaryUser } from '../support/ordinary-user.ts';
import { makeProject, pictureOf, writeReplay } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { openTerminal } from '../support/terminal.ts';
import { testCacheHome, vmOrSkip } from '../support/vm.ts';

/** The machine that all VM tests share a saved state of. */
const SMALL = ['--cpus', '1', '--memory', '512M', '--disk', '1G'];
const FILES = {
  'a.txt': 'one\n',
  'src/deep/b.txt': 'two\n',
  '.env': 'TOKEN=very-secret-value\n',
  'package.json': '{}\n',
};

function setUp(steps: readonly Record<string, unknown>[] = []) {
  const home = temporaryFolder();
  const project = makeProject(home, FILES);
  const state = join(home, 'state/safe-coder');
  const env = {
    XDG_CACHE_HOME: testCacheHome(),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    SAFE_CODER_HOME: '',
  };
  const replay = join(home, 'conversation.jsonl');
  writeReplay(replay, steps);
  const run = (args: string[], more: { env?: Record<string, string>; input?: string } = {}) =>
    runCli(args, { home, cwd: project, ...more, env: { ...env, ...more.env } });
  return { home, project, state, env, model: [...SMALL, '--model', `replay/${replay}`], run };
}

/** Ids of QEMU and jail processes whose command line or open files name the folder. */
function processesUsing(folder: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'latin1');
        if (!/qemu|bwrap|safe-coder-guest/.test(command)) return false;
        const files = readdirSync(`/proc/${pid}/fd`).map((fd) => tryReadLink(`/proc/${pid}/fd/${fd}`));
        return [command, ...files].some((text) => text.includes(folder));
      } catch {
        // It ended while we looked.
        return false;
      }
    });
}

function tryReadLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    // The descriptor was closed meanwhile.
    return '';
  }
}

async function waitUntilGone(folder: string): Promise<string[]> {
  let left = processesUsing(folder);
  for (const end = Date.now() + 15_000; left.length > 0 && Date.now() < end; left = processesUsing(folder))
    await sleep(100);
  return left;
}

describe('a session in a real microVM', () => {
  beforeEach(async ({ skip }) => {
    await vmOrSkip({ skip });
  }, 300_000);

  it('works a task through: isolated, recorded, applied, undone, gone', { timeout: 240_000 }, async () => {
    const { home, project, state, model, run } = setUp([
      {
        text: 'Looking.',
        calls: [
          { tool: 'read', input: { path: 'a.txt' } },
          { tool: 'glob', input: { pattern: '**/*.txt' } },
          { tool: 'grep', input: { pattern: 'two' } },
        ],
      },
      {
        expect: {
          results: [
            { ok: true, text: 'one' },
            { ok: true, text: 'b\\.txt' },
            { ok: true, text: 'src/deep/b.txt' },
          ],
        },
        calls: [{ tool: 'write', input: { path: 'new/file.txt', content: 'made in the guest\n' } }],
      },
      {
        expect: { results: [{ ok: true }] },
        calls: [
          {
            tool: 'bash',
            input: {
              command:
                'echo three >> a.txt; rm src/deep/b.txt; ln -s a.txt link; cat /proc/sys/kernel/random/boot_id; pwd; env; ls -a',
            },
          },
        ],
      },
      { text: 'Done.' },
    ]);
    const before = pictureOf(project);
    const result = await run(['run', 'do it', '--json', ...model], {
      env: { ANTHROPIC_API_KEY: 'sk-ant-do-not-leak-me', HOST_ONLY: 'host-value' },
    });
    expect([result.code, result.stderr]).toEqual([0, '']);
    const events = jsonLines(result.stdout);
    const start = events.find((event) => event.type === 'session.start');
    expect(start).toMatchObject({
      path: project,
      withheld: ['.env'],
      isolation: { level: 'vm', backend: 'qemu', proof: { isolated: true } },
    });
    const { checks } = (start as { isolation: { proof: { checks: { name: string; ok: boolean }[] } } })
      .isolation.proof;
    expect(checks.length).toBeGreaterThanOrEqual(4);
    expect(checks.every((check) => check.ok)).toBe(true);
    const bash = String(events.filter((event) => event.type === 'tool.end').at(-1)?.text);
    expect(bash).not.toContain(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
    expect(bash).toContain(`${project}\n`);
    expect(result.stdout).not.toMatch(/do-not-leak-me|host-value|very-secret-value/);
    expect(events.at(-1)).toMatchObject({
      type: 'session.end',
      ok: true,
      changes: [
        { path: 'a.txt', change: 'modified', added: 1, removed: 0 },
        { path: 'link', change: 'added' },
        { path: 'new/file.txt', change: 'added' },
        { path: 'src/deep/b.txt', change: 'deleted' },
      ],
    });
    expect(pictureOf(project)).toEqual(before);
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    expect(await waitUntilGone(home)).toEqual([]);

    expect((await run(['log', '--verify'])).stdout).toMatch(/✓ Verified 6 entries/);
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\nthree\n');
    expect(readlinkSync(join(project, 'link'))).toBe('a.txt');
    expect(readFileSync(join(project, 'new/file.txt'), 'utf8')).toBe('made in the guest\n');
    expect(existsSync(join(project, 'src'))).toBe(false);
    expect((await run(['undo', '--yes'])).code).toBe(0);
    expect(pictureOf(project)).toEqual(before);
  });

  it('shows the guest no host file, no other process and no network', { timeout: 120_000 }, async () => {
    const { home, run } = setUp();
    writeFileSync(join(home, 'host-secret'), 'x');
    const look = [
      `ls ${home} 2>&1`,
      'ls -d /root/.ssh /home/*/.ssh /etc/shadow /etc/ssh /var/lib/docker 2>/dev/null',
      'cat /proc/net/dev | tail -n +3 | cut -d: -f1',
      'ls /proc | grep -c "^[0-9]*$"',
      'cat /proc/1/comm',
      'timeout 3 bash -c "exec 3<>/dev/tcp/1.1.1.1/80" 2>&1 | tail -1',
    ].join('; echo ---; ');
    const result = await run(['exec', '--quiet', ...SMALL, '--', 'sh', '-c', look]);
    const [listing, secrets, devices, processes, init, network] = result.stdout.split('---\n');
    expect(listing).toBe('project\n');
    expect(secrets).toBe('');
    expect(devices?.trim()).toBe('lo');
    expect(Number(processes)).toBeLessThan(120);
    expect(init?.trim()).toBe('init');
    expect(network).toMatch(/unreachable/i);
  });

  it('survives a full disk and names it; the ledger and the way back are whole', {
    timeout: 180_000,
  }, async () => {
    const { project, run, model } = setUp([
      {
        calls: [
          {
            tool: 'bash',
            input: {
              command:
                'dd if=/dev/zero of=/var/tmp/fill bs=1M count=4000 2>&1 | tail -1; echo kept > kept.txt; rm /var/tmp/fill; echo after > after.txt',
            },
          },
        ],
      },
      { text: 'Done.' },
    ]);
    const result = await run(['run', 'fill', '--json', '--apply', 'all', ...model]);
    const end = jsonLines(result.stdout).find((event) => event.type === 'tool.end');
    expect(String(end?.text)).toMatch(/No space left on device|disk full/i);
    expect(readFileSync(join(project, 'after.txt'), 'utf8')).toBe('after\n');
    expect(result.code).toBe(0);
  });

  it('exits with 7 and keeps the ledger when QEMU is killed in the middle of a call', {
    timeout: 180_000,
  }, async () => {
    const { home, state, env, project, model, run } = setUp([
      { calls: [{ tool: 'bash', input: { command: 'echo before > before.txt' } }] },
      { calls: [{ tool: 'bash', input: { command: 'echo begun; sleep 300' } }] },
      { text: 'never' },
    ]);
    let isKilled = false;
    const result = await runCli(['run', 'x', '--json', ...model], {
      home,
      cwd: project,
      env,
      onStdout: (text) => {
        if (isKilled || !text.includes('begun\\n')) return;
        isKilled = true;
        const victims = processesUsing(join(state, 'run'));
        for (const pid of victims) process.kill(Number(pid), 'SIGKILL');
      },
    });
    expect(isKilled).toBe(true);
    expect(result.code).toBe(7);
    expect(result.stdout).toMatch(/"code":"guest\/lost"/);
    expect(jsonLines((await run(['log', '--json', '--verify'])).stdout).at(-1)).toMatchObject({
      type: 'verify',
      ok: true,
    });
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'before.txt'), 'utf8')).toBe('before\n');
    expect(await waitUntilGone(home)).toEqual([]);
  });

  it('dies with Safe Coder when that is killed with -9, and the next start cleans up', {
    timeout: 180_000,
  }, async () => {
    const { home, state, env, project, run } = setUp();
    const [file, argv] = cliCommand(['exec', ...SMALL, '--', 'sh', '-c', 'echo ready; sleep 300']);
    const child = spawn(file, argv, {
      cwd: project,
      env: cliEnvironment(home, env),
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await new Promise<void>((resolve, reject) => {
        child.stdout.on('data', (chunk: Buffer) => chunk.includes('ready') && resolve());
        child.on('exit', () => reject(new Error('the program ended before it was killed')));
      });
      expect(processesUsing(join(state, 'run')).length).toBeGreaterThan(0);
      process.kill(child.pid ?? 0, 'SIGKILL');
      expect(await waitUntilGone(home)).toEqual([]);
      expect(readdirSync(join(state, 'run'))).toHaveLength(1);
      const next = await run(['exec', '--quiet', ...SMALL, '--', 'true']);
      expect(next.code).toBe(0);
      expect(readdirSync(join(state, 'run'))).toEqual([]);
      expect(jsonLines((await run(['sessions', '--json'])).stdout).map((session) => session.state)).toEqual([
        'ended',
        'interrupted',
      ]);
    } finally {
      killGroup(child.pid);
    }
  });

  it('runs twice at once on one project, and five times one after another, and leaves nothing', {
    timeout: 300_000,
  }, async () => {
    const { home, project, state, run } = setUp();
    const before = pictureOf(project);
    const both = await Promise.all(
      ['1', '2'].map((n) =>
        run(['exec', '--quiet', ...SMALL, '--', 'sh', '-c', `echo ${n} > mine.txt; sleep 2; cat mine.txt`]),
      ),
    );
    expect(both.map((result) => [result.code, result.stdout])).toEqual([
      [0, '1\n'],
      [0, '2\n'],
    ]);
    for (let n = 0; n < 5; n++) expect((await run(['exec', '--quiet', ...SMALL, '--', 'true'])).code).toBe(0);
    expect(await waitUntilGone(home)).toEqual([]);
    expect(readdirSync(join(state, 'run'))).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(home);
  });

  it('copies hostile names and kinds in, and brings odd names back to the byte', {
    timeout: 120_000,
  }, async () => {
    const { project, run } = setUp();
    const odd = ['-rf', 'it\'s "quoted"', 'new\nline', '\x1b[31mred', ' leading and trailing '];
    for (const name of odd) writeFileSync(join(project, name), `${name}\n`);
    writeFileSync(Buffer.concat([Buffer.from(`${project}/latin-`), Buffer.from([0xe9])]), 'x\n');
    execFileSync('mkfifo', [join(project, 'pipe')]);
    execFileSync('ln', ['-s', 'loop', join(project, 'loop')]);
    const result = await run([
      'exec',
      '--json',
      ...SMALL,
      '--',
      'sh',
      '-c',
      'for f in *; do [ -f "$f" ] && echo more >> "./$f"; done; true',
    ]);
    expect(result.code).toBe(0);
    const warnings = jsonLines(result.stdout).filter((event) => event.type === 'warning');
    expect(warnings.map((event) => event.message).join()).toContain('pipe');
    const applied = await run(['apply', '--yes', '--json']);
    const done = jsonLines(applied.stdout).at(-1);
    // Names with control characters, and such that are no text, are never written, whatever was accepted.
    expect(done?.applied).toEqual(
      expect.arrayContaining(['-rf', 'it\'s "quoted"', ' leading and trailing ', 'a.txt']),
    );
    expect(readFileSync(join(project, '-rf'), 'utf8')).toBe('-rf\nmore\n');
    expect(readFileSync(join(project, 'new\nline'), 'utf8')).toBe('new\nline\n');
  });

  it('plays the tour to its end', { timeout: 300_000 }, async () => {
    const { home, run } = setUp();
    const result = await run(['tour', '--yes', ...SMALL]);
    expect([result.code, result.stderr]).toEqual([
      0,
      expect.stringContaining('Undone: src/slugify.js is as it was before.'),
    ]);
    expect(result.stderr).toContain('✓ Isolated: vm');
    expect(await waitUntilGone(home)).toEqual([]);
  });

  it('is an interactive shell in a terminal', { timeout: 120_000 }, async () => {
    const { home, project, env } = setUp();
    const terminal = openTerminal(['shell', ...SMALL], {
      home,
      cwd: project,
      env,
      columns: 90,
      rows: 25,
      patienceMs: 60_000,
    });
    await terminal.waitFor(/[$#]$/);
    terminal.type('stty size; tty; echo changed > a.txt\r');
    await terminal.waitFor(/25 90[\s\S]*\/dev\/pts\//);
    terminal.type('sleep 100\r');
    await sleep(500);
    terminal.type('\x03');
    terminal.type('exit 0\r');
    expect(await terminal.exited).toBe(0);
    expect(terminal.screen()).toContain('M a.txt');
  });

  it('works for an ordinary user as for root', { timeout: 300_000 }, async ({ skip }) => {
    if (process.getuid?.() !== 0)
      return skip('this is an ordinary user already: every other test here shows it');
    const home = temporaryFolder();
    const project = makeProject(home, FILES);
    const cache = join(home, 'cache');
    // The kernel is public: copied, so that it is not fetched once more. States are made anew.
    mkdirSync(join(cache, 'safe-coder'), { recursive: true, mode: 0o700 });
    const shared = join(testCacheHome(), 'safe-coder');
    for (const name of readdirSync(shared).filter(
      (entry) => entry.startsWith('kernel') && statSync(join(shared, entry)).isDirectory(),
    )) {
      execFileSync('cp', ['-a', join(shared, name), join(cache, 'safe-coder', name)]);
    }
    execFileSync('chown', ['-R', '65534:65534', home]);
    const [file, argv] = cliCommand([
      'exec',
      ...SMALL,
      '--apply',
      'all',
      '--',
      'sh',
      '-c',
      'id -u; echo mine >> a.txt; touch /etc/not-mine 2>/dev/null || echo refused',
    ]);
    const environment = cliEnvironment(home, {
      XDG_CACHE_HOME: cache,
      XDG_STATE_HOME: join(home, 'state'),
      XDG_CONFIG_HOME: join(home, 'config'),
      SAFE_CODER_HOME: '',
    });
    const [through = '', ...rest] = asOrdinaryUser();
    const output = execFileSync(through, [...rest, file, ...argv], {
      cwd: project,
      env: environment,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(output).toBe('65534\nrefused\n');
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\nmine\n');
    expect(statSync(join(project, 'a.txt')).uid).toBe(65534);
  });
});
