/** What must hold whatever happens to a machine or is missing for one, through the built program. */
import { execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { toSafeCoderError } from '../../src/base/errors.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { killGroup } from '../../src/base/process.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import type { ProjectSource } from '../../src/sandbox/project-source.ts';
import { type CliOptions, cliCommand, cliEnvironment, jsonLines, runCli } from '../support/cli.ts';
import { makeProject, pictureOf } from '../support/project.ts';
import { temporaryFolder } from '../support/temp.ts';
import { testCacheHome, testQemu, vmOrSkip, vmSpec } from '../support/vm.ts';

/** The machine that all VM tests share a saved state of. */
const SMALL = ['--cpus', '1', '--memory', '512M', '--disk', '1G'];
const QEMU = '/usr/bin/qemu-system-x86_64';
const FILES = { 'a.txt': 'one\n', 'src/b.txt': 'two\n' };

function setUp(options: { files?: Record<string, string>; name?: string; cache?: string } = {}) {
  const home = temporaryFolder();
  const project = makeProject(home, options.files ?? FILES, options.name);
  const state = join(home, 'state/safe-coder');
  const env = {
    XDG_CACHE_HOME: options.cache ?? testCacheHome(),
    XDG_STATE_HOME: join(home, 'state'),
    XDG_CONFIG_HOME: join(home, 'config'),
    SAFE_CODER_HOME: '',
  };
  const run = (args: string[], more: Partial<CliOptions> = {}) =>
    runCli(args, { home, cwd: project, ...more, env: { ...env, ...more.env } });
  /** Starts the program; it is killed when the test is over. Resolves `ended` with its exit code. */
  const start = (args: string[]) => {
    const [file, argv] = cliCommand(args);
    const child = spawn(file, argv, {
      cwd: project,
      env: cliEnvironment(home, env),
      detached: true,
      stdio: 'ignore',
    });
    onTestFinished(() => killGroup(child.pid));
    return { child, ended: new Promise<number | null>((resolve) => child.once('exit', resolve)) };
  };
  return { home, project, state, run, start };
}

/** Files of the machines that run now. */
function machineFiles(state: string): string[] {
  const runs = join(state, 'run');
  return existsSync(runs) ? readdirSync(runs, { recursive: true, encoding: 'utf8' }) : [];
}

function processesNaming(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch {
        // It ended while we looked.
        return false;
      }
    });
}

/** Waits until the condition holds; a test that waits for what never comes fails by its own time limit. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5);
}

/** A cache with the tests' kernel in it, to be damaged. */
function copyCache(what: RegExp): string {
  const cache = temporaryFolder();
  mkdirSync(join(cache, 'safe-coder'), { mode: 0o700 });
  const shared = join(testCacheHome(), 'safe-coder');
  for (const name of readdirSync(shared).filter((entry) => what.test(entry))) {
    execFileSync('cp', ['-a', '--sparse=always', join(shared, name), join(cache, 'safe-coder', name)]);
  }
  return cache;
}

beforeEach(async ({ skip }) => {
  await vmOrSkip({ skip });
}, 300_000);

describe('in a machine, a project', () => {
  it('of no files at all is a session like any other', async () => {
    const { project, run } = setUp({ files: {} });
    const script = 'ls; git status --short; echo first > new.txt';
    const result = await run(['exec', '--quiet', '--apply', 'all', ...SMALL, '--', 'sh', '-c', script]);
    expect([result.code, result.stdout]).toEqual([0, '']);
    expect(pictureOf(project)).toEqual({ 'new.txt': expect.any(String) });
  });

  it('at a path of spaces, accents, quotes and a line break is at that very path', async () => {
    const { project, run } = setUp({ name: 'é "日本"\n$HOME it\'s, a=b' });
    const script = 'pwd; echo three >> a.txt; git log 2>&1 | head -1';
    const result = await run(['exec', '--apply', 'all', ...SMALL, '--', 'sh', '-c', script]);
    expect([result.code, result.stdout]).toEqual([0, expect.stringContaining(`${project}\n`)]);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\nthree\n');
  });

  it('with a file of a gigabyte brings it along, keeps it out of the ledger and says so', {
    timeout: 120_000,
  }, async () => {
    const { project, state, run } = setUp();
    const fd = openSync(join(project, 'huge.bin'), 'w');
    ftruncateSync(fd, 2 ** 30);
    writeSync(fd, 'the end', 2 ** 30 - 7);
    closeSync(fd);
    const script = 'stat -c %s huge.bin; tail -c 7 huge.bin; echo more >> a.txt';
    const result = await run(['exec', '--json', ...SMALL, '--', 'sh', '-c', script]);
    const events = jsonLines(result.stdout);
    const output = events.filter((event) => event.type === 'tool.output').map((event) => event.text);
    expect([result.code, output.join('')]).toEqual([0, `${2 ** 30}\nthe end`]);
    expect(events.find((event) => event.code === 'workspace/skipped')?.message).toMatch(/huge\.bin.*large/);
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: true, changes: [{ path: 'a.txt' }] });
    const kept = execFileSync('du', ['-sm', state], { encoding: 'utf8' });
    expect(Number.parseInt(kept, 10)).toBeLessThan(20);
  });

  it('of 50,000 files is copied, worked on and compared; stopped in the middle of the copy, it leaves nothing', {
    timeout: 180_000,
  }, async () => {
    const { project, state, run, start } = setUp();
    for (let folder = 0; folder < 500; folder++) {
      mkdirSync(join(project, `d${folder}`));
      for (let file = 0; file < 100; file++)
        writeFileSync(join(project, `d${folder}/${file}`), `${folder}.${file}\n`);
    }
    const { child, ended } = start(['exec', '--quiet', ...SMALL, '--', 'sleep', '1000']);
    await until(() => machineFiles(state).some((file) => file.endsWith('.erofs')));
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
    expect(machineFiles(state)).toEqual([]);
    expect(processesNaming(state)).toEqual([]);
    expect(readdirSync(join(state, 'sessions'))).toEqual([]);

    const script = 'ls | wc -l; ls d7 | wc -l; cat d250/50; echo changed > d499/99; rm d0/0';
    const result = await run(['exec', '--apply', 'all', '--quiet', ...SMALL, '--', 'sh', '-c', script]);
    expect([result.code, result.stdout]).toEqual([0, '502\n100\n250.50\n']);
    expect(readFileSync(join(project, 'd499/99'), 'utf8')).toBe('changed\n');
    expect(existsSync(join(project, 'd0/0'))).toBe(false);
  });
});

describe('SIGTERM while the machine starts', () => {
  it('leaves no session, no process and no file', async () => {
    const { project, state, run, start } = setUp();
    const before = pictureOf(project);
    const { child, ended } = start(['exec', '--quiet', ...SMALL, '--', 'sleep', '1000']);
    await until(() => machineFiles(state).some((file) => file.endsWith('qmp.sock')));
    child.kill('SIGTERM');
    expect(await ended).toBe(130);
    expect(machineFiles(state)).toEqual([]);
    expect(processesNaming(state)).toEqual([]);
    expect(jsonLines((await run(['sessions', '--json'])).stdout).map(({ state: is }) => is)).not.toContain(
      'running',
    );
    expect(pictureOf(project)).toEqual(before);
  });
});

describe('a full disk on the host', () => {
  /** A small file system on a loop device: unlike tmpfs it takes no room for what is only read. */
  function mountSmall(context: Pick<TestContext, 'skip'>, home: string, folder: string, size: number): void {
    if (process.getuid?.() !== 0) context.skip('mounting needs root');
    const image = join(home, 'disk.img');
    writeFileSync(image, '');
    truncateSync(image, size);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    try {
      execFileSync('mount', ['-o', 'loop', image, folder], { stdio: 'pipe' });
    } catch (error) {
      context.skip(`no loop device can be mounted here: ${String(error)}`);
    }
    onTestFinished(() => {
      execFileSync('umount', ['-l', folder]);
    });
    rmSync(join(folder, 'lost+found'), { recursive: true });
    execFileSync('chmod', ['700', folder]);
  }

  it('while a project is copied into its image is no session: exit code 4, and nothing left', async (context) => {
    const { home, project, state, run } = setUp();
    mountSmall(context, home, state, 24 << 20);
    execFileSync('sh', ['-c', 'head -c 40000000 /dev/urandom > noise.bin'], { cwd: project });
    const before = pictureOf(project);
    const result = await run(['exec', '--json', ...SMALL, '--', 'true']);
    expect(result.code).toBe(4);
    const error = jsonLines(result.stdout).at(-1);
    expect(error).toMatchObject({ type: 'error', hint: expect.stringMatching(/space|room/) });
    expect(machineFiles(state)).toEqual([]);
    expect(readdirSync(join(state, 'sessions'))).toEqual([]);
    expect(processesNaming(state)).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
  });

  it('that the guest fills stops the session, which keeps what it had; the machine does not hang', async (context) => {
    const { home, project, state, run } = setUp();
    mountSmall(context, home, state, 130 << 20);
    const before = pictureOf(project);
    const script = 'head -c 150000000 /dev/urandom > /var/tmp/fill; sync; echo done';
    const result = await run(['exec', '--json', '--apply', 'all', ...SMALL, '--', 'sh', '-c', script]);
    expect(result.code).toBe(4);
    const events = jsonLines(result.stdout);
    expect(events.find((event) => event.type === 'error')).toMatchObject({
      hint: expect.stringMatching(/space|room/),
    });
    expect(events.at(-1)).toMatchObject({ type: 'session.end', ok: false, applied: [] });
    expect(machineFiles(state)).toEqual([]);
    expect(processesNaming(state)).toEqual([]);
    expect(pictureOf(project)).toEqual(before);
    const log = await run(['log', '--json', '--verify']);
    expect(jsonLines(log.stdout).at(-1)).toMatchObject({ type: 'verify', ok: true });
  });
});

describe('what a machine is made of', () => {
  /** Runs the program where one path holds another file, for it and its children only. */
  function where(context: Pick<TestContext, 'skip'>, replaced: Record<string, string>): string[] {
    if (process.getuid?.() !== 0) context.skip('a mount namespace of its own needs root');
    const binds = Object.entries(replaced).map(([path, by]) => `mount --bind '${by}' '${path}' && `);
    return ['unshare', '--mount', 'sh', '-c', `${binds.join('')}exec "$@"`, 'sh'];
  }

  for (const [name, path, packageName] of [
    ['QEMU', QEMU, 'qemu-system-x86'],
    ['bubblewrap', '/usr/bin/bwrap', 'bubblewrap'],
  ] as const) {
    it(`is named with the command that installs it when ${name} is missing, and nothing runs instead`, async (context) => {
      const { project, state, run } = setUp();
      const through = where(context, { [path]: '/dev/null' });
      const result = await run(['exec', ...SMALL, '--', 'touch', 'ran'], { through });
      expect([result.code, result.stdout]).toEqual([4, '']);
      expect(result.stderr).toContain(basename(path));
      expect(result.stderr).toContain(`apt-get install -y --no-install-recommends ${packageName}`);
      expect(existsSync(join(project, 'ran'))).toBe(false);
      expect(existsSync(join(state, 'sessions'))).toBe(false);
      const json = await run(['exec', '--json', ...SMALL, '--', 'true'], { through });
      expect(jsonLines(json.stdout)).toEqual([
        expect.objectContaining({
          type: 'error',
          code: 'backend/unavailable',
          hint: expect.stringContaining(packageName),
        }),
      ]);
      expect((await run(['doctor'], { through })).stdout).toContain(basename(path));
    });
  }

  it('is refused with both versions when QEMU is too old', async (context) => {
    const { home, run } = setUp();
    const old = join(home, 'qemu');
    writeFileSync(old, '#!/bin/sh\necho "QEMU emulator version 5.2.0 (Debian 1:5.2+dfsg-11)"\n', {
      mode: 0o755,
    });
    const result = await run(['exec', ...SMALL, '--', 'true'], { through: where(context, { [QEMU]: old }) });
    expect([result.code, result.stderr]).toEqual([4, expect.stringMatching(/5\.2\.0.*7\.2 or newer/s)]);
  });

  it('is told as QEMU says it when QEMU can not start', async (context) => {
    const { home, state, run } = setUp();
    const broken = join(home, 'qemu');
    const version = execFileSync(QEMU, ['--version'], { encoding: 'utf8' }).split('\n')[0];
    writeFileSync(
      broken,
      `#!/bin/sh\n[ "$1" = --version ] && exec echo "${version}"\necho "no such machine type" >&2\nexit 1\n`,
      { mode: 0o755 },
    );
    const result = await run(['exec', ...SMALL, '--', 'true'], {
      through: where(context, { [QEMU]: broken }),
    });
    expect([result.code, result.stderr]).toEqual([
      4,
      expect.stringMatching(/did not start[\s\S]*no such machine type/),
    ]);
    expect(machineFiles(state)).toEqual([]);
  });

  it('is fetched again when the kernel in the cache was cut, and says so when that fails', async (context) => {
    const cache = copyCache(/^(kernel|accel\.json)$/);
    const { state, run } = setUp({ cache });
    const kernel = join(cache, 'safe-coder/kernel/vmlinux');
    truncateSync(kernel, 1000);
    const apt = join(cache, 'apt-get');
    writeFileSync(apt, '#!/bin/sh\necho "E: Failed to fetch the package" >&2\nexit 100\n', { mode: 0o755 });
    const through = where(context, { '/usr/bin/apt-get': apt });
    const result = await run(['exec', ...SMALL, '--', 'true'], { through });
    expect([result.code, result.stderr]).toEqual([
      4,
      expect.stringMatching(/kernel could not be prepared: apt-get download failed: E: Failed to fetch/),
    ]);
    expect(result.stderr).toMatch(/Check the network/);
    expect(existsSync(kernel)).toBe(false);
    expect(machineFiles(state)).toEqual([]);
  });

  it('is named with what to remove when the kernel in the cache does not start', async () => {
    const cache = copyCache(/^(kernel|accel\.json)$/);
    const { state, run } = setUp({ cache });
    const kernel = join(cache, 'safe-coder/kernel/vmlinux');
    const fd = openSync(kernel, 'r+');
    writeSync(fd, Buffer.alloc(65536), 0, 65536, 0);
    closeSync(fd);
    const result = await run(['exec', ...SMALL, '--', 'true']);
    expect([result.code, result.stderr]).toEqual([4, expect.stringMatching(/did not start/)]);
    expect(result.stderr).toContain(`remove ${cache}/safe-coder: kernel and images are then made anew`);
    expect(machineFiles(state)).toEqual([]);
  });

  it('mends itself when the saved state in the cache was cut', { timeout: 120_000 }, async () => {
    const cache = copyCache(/^(kernel|accel\.json|states|scratch|initramfs)$/);
    const { run } = setUp({ cache });
    expect((await run(['exec', '--quiet', ...SMALL, '--', 'true'])).code).toBe(0);
    const states = join(cache, 'safe-coder/states');
    const names = readdirSync(states).filter((name) => /^[0-9a-f]{32}$/.test(name));
    for (const name of names) truncateSync(join(states, name, 'memory'), 1 << 20);
    const result = await run(['exec', '--quiet', ...SMALL, '--', 'cat', 'a.txt']);
    expect([result.code, result.stdout]).toEqual([0, 'one\n']);
    const sizes = names.map((name) => join(states, name, 'memory')).map((file) => statSync(file).size);
    expect(sizes).toContain(512 << 20);
  });
});

describe('a guest agent', () => {
  it.each([
    [
      'never says a word',
      'for (;;) pause();',
      8000,
      /phase: greet.*within 8000 ms[\s\S]*console:\n[\s\S]*a mute agent runs/,
    ],
    [
      'ends at once',
      'return 3;',
      30_000,
      /phase: greet[\s\S]*console:\n[\s\S]*Attempted to kill init! exitcode=0x00000300/,
    ],
  ])(
    'that %s is told with the phase and the last of its console, and nothing is left',
    async (_, behave, helloMs, told) => {
      const folder = temporaryFolder();
      const source = join(folder, 'agent.c');
      writeFileSync(
        source,
        `#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts("a mute agent runs"); fflush(stdout); ${behave} }\n`,
      );
      const agentBinary = join(folder, 'agent') as HostPath;
      execFileSync('gcc', ['-static', '-o', agentBinary, source]);
      const runDir = join(folder, 'run') as HostPath;
      mkdirSync(runDir, { mode: 0o700 });
      // Its image of the agent goes into a cache of its own, beside the tests' kernel.
      const cacheDir = join(copyCache(/^(kernel|accel\.json|scratch)$/), 'safe-coder') as HostPath;
      const opening = openSandbox({
        backend: testQemu({ agentBinary, cacheDir, useSavedStates: false }),
        spec: vmSpec(runDir),
        source: emptyProject,
        signal: new AbortController().signal,
        emit: () => undefined,
        deadlines: { helloMs },
      });
      const error = await opening.then(
        () => undefined,
        (failure: unknown) => toSafeCoderError(failure),
      );
      expect([error?.code, error?.exitCode]).toEqual(['backend/boot-failed', 4]);
      expect(error?.message).toMatch(told);
      expect(error?.hint).toContain('safe-coder doctor');
      expect(processesNaming(runDir)).toEqual([]);
    },
  );
});

const emptyProject: ProjectSource = {
  writeImage: async (file) => {
    writeFileSync(file, '');
    return { files: new Map(), isIgnored: () => false };
  },
  entries: () => {
    throw new Error('a machine takes an image');
  },
  manifest: async () => ({ files: new Map(), isIgnored: () => false }),
};
