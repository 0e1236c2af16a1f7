import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { createBubblewrapBackend } from '../../src/backends/bubblewrap/bubblewrap-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { cliCommand, cliEnvironment, jsonLines, runCli } from '../support/cli.ts';
import { asOrdinaryUser, canBecomeOrdinary, NOBODY } from '../support/ordinary-user.ts';
import { makeProject, pictureOf } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { testCacheHome } from '../support/vm.ts';

const LEVEL = ['--isolation', 'container', '--disk', '256M', '--memory', '512M', '--pids', '200'];

async function containerOrSkip(context: TestContext): Promise<void> {
  const none = '/nonexistent' as HostPath;
  const missing = await createBubblewrapBackend({
    cacheDir: none,
    agentBinary: none,
    rgBinary: none,
  }).missing();
  if (missing === undefined) return;
  if (process.env.SAFE_CODER_REQUIRE_VM === '1')
    throw new Error(`A container is required: ${missing.reason}`);
  context.skip(missing.reason);
}

function setUp() {
  const home = temporaryFolder();
  const project = makeProject(home, {
    'a.txt': 'one\n',
    'src/b.txt': 'two\n',
    '.env': 'TOKEN=very-secret-value\n',
  });
  const env = {
    XDG_CACHE_HOME: testCacheHome(),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    SAFE_CODER_HOME: '',
  };
  const run = (args: string[]) => runCli(args, { home, cwd: project, env });
  return { home, project, env, run };
}

/** Processes whose command line names the text. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
    } catch {
      // It ended while we looked.
      return false;
    }
  });
}

describe('a session in a container', () => {
  beforeEach(containerOrSkip);

  it('works on a copy, records, and lands only what is accepted', async () => {
    const { project, run } = setUp();
    const before = pictureOf(project);
    const script = 'cat .env; echo changed > a.txt; mkdir new; echo n > new/c.txt; rm src/b.txt; pwd; id -u';
    const result = await run(['exec', ...LEVEL, '--', 'sh', '-c', script]);
    expect(result.code, result.stderr).toBe(0);
    expect(result.stdout).toContain(`${project}\n0\n`);
    expect(`${result.stdout}${result.stderr}`).not.toContain('very-secret-value');
    expect(result.stderr).toContain('Isolated: container, bubblewrap');
    expect(pictureOf(project)).toEqual(before);
    expect((await run(['apply', '--yes'])).code).toBe(0);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('changed\n');
    expect(existsSync(join(project, 'src/b.txt'))).toBe(false);
    expect(jsonLines((await run(['log', '--json', '--verify'])).stdout).at(-1)).toMatchObject({ ok: true });
  });

  it('holds its limits: disk, memory and processes run out inside, and only there', {
    timeout: 90_000,
  }, async () => {
    const { run } = setUp();
    const disk = await run([
      'exec',
      ...LEVEL,
      '--',
      'sh',
      '-c',
      'head -c 400M /dev/zero > /tmp/big; echo $?; rm /tmp/big; echo on',
    ]);
    expect(`${disk.stdout}${disk.stderr}`).toMatch(/No space left on device/);
    expect(disk.stdout).toMatch(/on\n$/);
    const many = 'for i in $(seq 2000); do sleep 20 & done; echo all of them';
    const processes = await run(['exec', ...LEVEL, '--', 'bash', '-c', many]);
    const isLimited = !/processes are not limited|processes, CPUs are not|processes.* not limited/.test(
      processes.stderr,
    );
    if (isLimited) expect(processes.stdout).not.toContain('all of them');
    expect((await run(['exec', ...LEVEL, '--', 'echo', 'fine'])).stdout).toBe('fine\n');
  });

  it('dies with Safe Coder, whatever kills it', async () => {
    const { home, project, env } = setUp();
    const mark = `${100_000 + process.pid}.25`;
    const [file, argv] = cliCommand([
      'exec',
      ...LEVEL,
      '--',
      'sh',
      '-c',
      `setsid sleep ${mark} & sleep ${mark}`,
    ]);
    const child = spawn(file, argv, { cwd: project, env: cliEnvironment(home, env), stdio: 'ignore' });
    for (let tries = 0; tries < 200 && processesNaming(`sleep\0${mark}`).length < 2; tries++)
      await sleep(100);
    expect(processesNaming(`sleep\0${mark}`).length).toBeGreaterThanOrEqual(2);
    child.kill('SIGKILL');
    for (let tries = 0; tries < 100 && processesNaming(`sleep\0${mark}`).length > 0; tries++)
      await sleep(100);
    expect(processesNaming(`sleep\0${mark}`)).toEqual([]);
  });

  it('is an ordinary user’s as well', { timeout: 60_000 }, (context) => {
    if (!canBecomeOrdinary()) return context.skip('needs root to become somebody else');
    const { home, project, env } = setUp();
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, home]);
    chownSync(home, NOBODY, NOBODY);
    const own = { ...env, XDG_CACHE_HOME: join(home, 'cache') };
    const [file, argv] = cliCommand([
      'exec',
      ...LEVEL,
      '--',
      'sh',
      '-c',
      'id -u; echo mine >> a.txt; unshare -U true || echo refused',
    ]);
    const [through = '', ...rest] = asOrdinaryUser();
    const output = execFileSync(through, [...rest, file, ...argv], {
      cwd: project,
      env: cliEnvironment(home, own),
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    expect(output).toBe('0\nrefused\n');
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\n');
  });
});
