import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { LaunchSpec } from '../../src/backends/backend.ts';
import type { DockerOptions } from '../../src/backends/docker/docker-backend.ts';
import { Engine } from '../../src/backends/docker/engine.ts';
import { resolveEngine } from '../../src/backends/docker/engine-address.ts';
import { removeForsaken } from '../../src/backends/docker/forsaken.ts';
import type { GuestPath, HostPath } from '../../src/base/path-bytes.ts';
import { attemptEscapes } from '../../src/sandbox/escape-attempts.ts';
import { type OpenSandboxOptions, openSandbox } from '../../src/sandbox/open.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { runCli } from '../support/cli.ts';
import { openEngine, TEST_IMAGE, type TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { openOrigin, openProxy } from '../support/egress.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { temporaryFolder } from '../support/temp.ts';
import { createProject, sourceOf } from '../support/test-project.ts';

const reason = whyNoEngine();
const CHILD = fileURLToPath(new URL('../support/docker-child.ts', import.meta.url));
const LEAST_MEMORY = 64 << 20;

describe.skipIf(reason !== undefined)(`a container of a Docker engine${reason ? ` (${reason})` : ''}`, () => {
  let engine: TestEngine;
  let count = 0;
  beforeAll(async () => {
    engine = await openEngine();
  });
  afterAll(async () => {
    await engine?.close();
  });

  const open = async (
    change: Partial<LaunchSpec> = {},
    more: Partial<OpenSandboxOptions> = {},
    options: Partial<DockerOptions> = {},
  ): Promise<Sandbox> => {
    count += 1;
    const runDir = temporaryFolder() as HostPath;
    const sandbox = await openSandbox({
      backend: engine.backend(options),
      spec: { ...plainSpec(runDir, `case-${count}`), ...change },
      source: sourceOf(createProject({ 'README.md': { content: '# Project\n' } })),
      signal: new AbortController().signal,
      emit: () => undefined,
      ...more,
    });
    onTestFinished(() => sandbox.end());
    return sandbox;
  };
  const run = async (sandbox: Sandbox, script: string) => {
    let out = '';
    const running = await sandbox.exec({
      argv: ['bash', '-c', script],
      mergeStderr: true,
      onOutput: (chunk) => {
        out += chunk.toString();
      },
    });
    return { end: await running.ended, out };
  };
  const containers = async (): Promise<{ Id: string; State: string }[]> =>
    JSON.parse((await engine.engine.call('GET', '/containers/json', { query: { all: '1' } })).toString());
  const volumes = async (): Promise<unknown[]> =>
    ((await engine.engine.get('/volumes')).Volumes as unknown[] | null) ?? [];

  it('has no network, no mount of the host, no new privileges and few capabilities', async () => {
    await open();
    const [only] = await containers();
    const { HostConfig, Mounts, Config } = (await engine.engine.get(`/containers/${only?.Id}/json`)) as {
      HostConfig: Record<string, unknown>;
      Mounts: unknown[];
      Config: Record<string, unknown>;
    };
    expect(HostConfig).toMatchObject({
      NetworkMode: 'none',
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      AutoRemove: true,
      Binds: null,
      PidMode: '',
      IpcMode: 'private',
      LogConfig: { Type: 'none' },
      Memory: 1 << 30,
      MemorySwap: 1 << 30,
    });
    expect(Mounts).toEqual([]);
    expect(Config).toMatchObject({ StdinOnce: true, Tty: false });
  });

  it('lets nobody out of it, neither root nor an ordinary user', async () => {
    for (const who of [
      { uid: 0, gid: 0 },
      { uid: 1234, gid: 1234 },
    ]) {
      const runDir = temporaryFolder() as HostPath;
      const results = await attemptEscapes(await open(who), { runDir, signal: new AbortController().signal });
      expect(results.length).toBeGreaterThan(8);
      expect(results.filter(({ held }) => !held)).toEqual([]);
    }
  });

  it('runs commands as the person’s ids: a user of the image by its name, another one added', async () => {
    const known = await open({ uid: 1234, gid: 1234 });
    const script =
      'id -un; echo $HOME; touch $HOME/mine made; stat -c %u:%g made README.md; grep CapEff /proc/self/status';
    expect((await run(known, script)).out).toBe(
      'builder\n/home/builder\n1234:1234\n1234:1234\nCapEff:\t0000000000000000\n',
    );
    const written = await known.write(`${known.workspace}/by/tool`, Buffer.from('x'), { makeParents: true });
    expect([written.stat.uid, written.created]).toEqual([1234, true]);
    const { written: captured } = await known.capture(new MemorySink(), { sweep: true, alsoWrote: [] });
    expect(captured.map(({ path }) => path)).toEqual(['by/tool', 'made']);
    const added = await open({ uid: 4321, gid: 4321 });
    expect((await run(added, 'id -un; id -gn; echo $HOME; touch $HOME/mine && echo made')).out).toBe(
      'user\nuser\n/home/user\nmade\n',
    );
  });

  it('gives commands the variables of the image, and ripgrep', async () => {
    const sandbox = await open();
    expect((await run(sandbox, 'echo $OF_IMAGE; rg --files')).out).toBe('yes\nREADME.md\n');
  });

  it('hides what the image has where the project goes, and leaves no volume behind', async () => {
    const sandbox = await open({ workspace: '/usr/src/app' as GuestPath });
    expect((await run(sandbox, 'ls -A; echo more > new')).out).toBe('README.md\n');
    const capture = await sandbox.capture(new MemorySink(), { sweep: true, alsoWrote: [] });
    expect(capture.written.map(({ path }) => path)).toEqual(['new']);
    expect(await volumes()).toHaveLength(1);
    await sandbox.end();
    expect(await volumes()).toEqual([]);
  });

  it('kills what takes more memory than there is, and goes on', async () => {
    const sandbox = await open({ memoryBytes: LEAST_MEMORY });
    const { end } = await run(sandbox, 'head -c 300M /dev/zero | (exec tail) > /dev/null');
    expect(end).toMatchObject({ exitCode: 137, wasKilledForMemory: true });
    expect((await run(sandbox, 'kill -9 $$')).end).toMatchObject({ signal: 9, wasKilledForMemory: false });
    expect((await run(sandbox, 'echo alive')).out).toBe('alive\n');
  });

  it('refuses processes beyond its limit, and goes on', async () => {
    const sandbox = await open({ pids: 16 });
    const { out, end } = await run(sandbox, "sh -c 'for i in $(seq 400); do sleep 60 & done'");
    expect(out).toMatch(/Cannot fork/);
    expect(end.wasRefusedProcesses).toBe(true);
    expect((await run(sandbox, 'true')).end.wasRefusedProcesses).toBe(false);
    expect((await run(sandbox, 'echo alive')).out).toBe('alive\n');
  });

  it('refuses a file beyond the disk’s limit, and says that the disk as a whole has none', async () => {
    const warnings: string[] = [];
    const sandbox = await open({ diskBytes: 8 << 20 }, {}, { onWarning: (text) => warnings.push(text) });
    const { end } = await run(sandbox, 'head -c 9M /dev/zero > big');
    expect(end.exitCode).not.toBe(0);
    expect(Number((await run(sandbox, 'stat -c %s big')).out)).toBeLessThanOrEqual(8 << 20);
    expect(warnings).toEqual([expect.stringContaining('disk is not limited as a whole')]);
  });

  it('reaches an allowed host through the proxy, and no other', async () => {
    const origin = await openOrigin();
    const { proxy } = await openProxy({
      policy: { mode: 'none', rules: [{ host: 'allowed.example', origin: 'allowed' }] },
      server: origin.port,
    });
    const egress = { serve: proxy.serve.bind(proxy), provide: async () => ({ files: [], env: {} }) };
    const sandbox = await open({}, { egress });
    expect((await run(sandbox, 'curl -s http://allowed.example/path')).out).toContain('/path');
    expect((await run(sandbox, 'curl -s -o said -w "%{http_code}" http://other.example/')).out).toBe('403');
    expect(origin.seen).toHaveLength(1);
    expect((await run(sandbox, 'curl -s --noproxy "*" http://93.184.215.14/ || echo no way')).out).toBe(
      'no way\n',
    );
  });

  it('is gone with everything when its owner ends it', async () => {
    const sandbox = await open();
    expect(await containers()).toHaveLength(1);
    await sandbox.end();
    expect(await containers()).toEqual([]);
  });

  it('is gone when its owner is killed', async () => {
    const child = spawn(process.execPath, [CHILD, engine.host, TEST_IMAGE, temporaryFolder()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`the child ended with ${code}`)));
    });
    expect(await containers()).toHaveLength(1);
    child.kill('SIGKILL');
    await expect.poll(containers, { timeout: 30_000 }).toEqual([]);
  });

  it('is gone when it is killed from outside, and says so to whoever waits', async () => {
    const sandbox = await open();
    const [only] = await containers();
    await engine.engine.call('POST', `/containers/${only?.Id}/kill`);
    await sandbox.closed;
    await expect.poll(containers, { timeout: 30_000 }).toEqual([]);
  });

  it('is removed later when its owner was killed before it ran, and only then', async () => {
    const sandbox = await open();
    const [running] = await containers();
    const json = { Image: TEST_IMAGE, Cmd: ['true'], Labels: { 'safe-coder.sandbox': 'forsaken' } };
    await engine.engine.call('POST', '/containers/create', { json });
    await removeForsaken(engine.engine, Date.now());
    expect(await containers()).toHaveLength(2);
    await removeForsaken(engine.engine, Date.now() + 2 * 3_600_000);
    expect((await containers()).map(({ Id }) => Id)).toEqual([running?.Id]);
    expect((await run(sandbox, 'echo alive')).out).toBe('alive\n');
  });

  it('leaves nothing when its start is cancelled at any moment', async () => {
    for (const phase of ['launch', 'greet', 'copy-in', 'prove']) {
      const abort = new AbortController();
      const emit: OpenSandboxOptions['emit'] = (event) => {
        if (event.type === 'progress' && event.phase === phase) setTimeout(() => abort.abort(), 5);
      };
      await open({}, { signal: abort.signal, emit }).then(
        (sandbox) => sandbox.end(),
        (error) => expect(error).toMatchObject({ code: 'cancelled' }),
      );
      await expect.poll(containers, { timeout: 30_000 }).toEqual([]);
    }
  });

  it('says exactly what is missing: the image, the runtime, an image for this processor', async () => {
    expect(await engine.backend({ image: 'nothing/here:1' }).missing()).toEqual({
      reason: 'The Docker engine has no image nothing/here:1.',
      mend: `docker -H ${engine.host} pull nothing/here:1`,
    });
    expect((await engine.backend({ runtime: 'runsc' }).missing())?.reason).toMatch(
      /no runtime "runsc"; it has .*runc/,
    );
    expect(await engine.backend({ runtime: 'runc' }).missing()).toBeUndefined();
    await expect(open({}, {}, { image: 'nothing/here:1' })).rejects.toMatchObject({
      code: 'backend/unavailable',
      hint: `docker -H ${engine.host} pull nothing/here:1`,
    });
  });

  it('runs with a runtime that is named', async () => {
    const sandbox = await open({}, {}, { runtime: 'runc' });
    expect((await run(sandbox, 'echo ran')).out).toBe('ran\n');
  });

  it('is what the program starts when the backend is named, and nothing else is tried', async () => {
    const home = temporaryFolder();
    const project = temporaryFolder();
    writeFileSync(join(project, 'a.txt'), 'one\n');
    const start = (more: string[], script: string) =>
      runCli(['exec', '--isolation', 'container', '--backend', 'docker', ...more, '--', 'sh', '-c', script], {
        home,
        cwd: project,
        env: { DOCKER_HOST: engine.host },
      });
    const done = await start(['--image', TEST_IMAGE, '--apply', 'all'], 'pwd; echo two > a.txt');
    expect([done.code, done.stdout]).toEqual([0, expect.stringContaining(project)]);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('two\n');
    const refused = await start(['--image', 'nothing/here:1'], 'true');
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('pull nothing/here:1')]);
    const other = await start(['--image', TEST_IMAGE, '--runtime', 'kata'], 'true');
    expect([other.code, other.stderr]).toEqual([4, expect.stringContaining('no runtime "kata"')]);
    expect(await containers()).toEqual([]);
  });

  it('works on an engine that is reached by ssh, with nothing of this machine’s files', async () => {
    const folder = temporaryFolder();
    const programs = join(folder, 'bin');
    mkdirSync(programs);
    // Stands for a machine behind ssh: it is asked for the same command and gives the same stream.
    writeFileSync(
      join(programs, 'ssh'),
      `#!/bin/sh\necho "$*" >> ${folder}/asked\nexec /usr/bin/docker -H ${engine.host} system dial-stdio\n`,
    );
    chmodSync(join(programs, 'ssh'), 0o755);
    const address = resolveEngine({
      host: 'ssh://me@far.example',
      home: folder as HostPath,
      sshEnvironment: { PATH: `${programs}:/usr/bin:/bin`, HOME: folder },
    });
    expect((await new Engine(address).ask('GET', '/_ping')).status).toBe(200);
    const sandbox = await open({}, {}, { engine: address });
    expect((await run(sandbox, 'cat README.md')).out).toBe('# Project\n');
    await sandbox.end();
    expect(await containers()).toEqual([]);
  });
});
