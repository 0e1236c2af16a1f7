import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { temporaryFolder } from '../support/temp.ts';
import { createProject, sourceOf } from '../support/test-project.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;

/** Processes of this machine whose environment or arguments name the folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const cwd = readlinkSync(`/proc/${pid}/cwd`);
      return cwd.startsWith(folder) || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
    } catch {
      // The process went while we looked.
      return false;
    }
  });
}

async function open(runDir: HostPath) {
  mkdirSync(runDir, { recursive: true });
  const project = createProject({ 'a.txt': { content: 'a' } });
  return openSandbox({
    backend: createDemoBackend({ agentBinary: AGENT, path: '/usr/local/bin:/usr/bin:/bin' }),
    spec: plainSpec(runDir, 'test'),
    source: sourceOf(project),
    signal: new AbortController().signal,
    emit: () => undefined,
  });
}

describe('the demo backend', () => {
  it('keeps the project in the run folder, under the project’s name', async () => {
    const folder = temporaryFolder();
    await using sandbox = await open(folder);
    expect(sandbox.workspace).toBe(`${folder}/workspace/project`);
    expect(readFileSync(`${folder}/workspace/project/a.txt`, 'utf8')).toBe('a');
  });

  it('says that it isolates nothing', async () => {
    await using sandbox = await open(temporaryFolder());
    expect(sandbox.isolation).toMatchObject({ level: 'demo', accel: 'none', proof: { isolated: false } });
    const canary = sandbox.isolation.proof.checks.find((check) => check.name === 'canary');
    expect(canary?.ok).toBe(false);
  });

  it('leaves no process behind when it ends', async () => {
    const folder = temporaryFolder();
    const sandbox = await open(folder);
    await sandbox.exec({
      argv: ['sh', '-c', '(setsid sleep 1000 &); sleep 1000'],
      onOutput: () => undefined,
    });
    await expect.poll(() => processesOf(folder).length).toBeGreaterThan(1);
    await sandbox.end();
    await expect.poll(() => processesOf(folder)).toEqual([]);
  });

  it('leaves no process behind when this program is killed', async () => {
    const folder = temporaryFolder();
    const script = `${folder}/host.ts`;
    const from = (path: string) => JSON.stringify(new URL(`../../${path}`, import.meta.url).href);
    writeFileSync(
      script,
      `import { createDemoBackend } from ${from('src/backends/demo/demo-backend.ts')};
      import { openSandbox } from ${from('src/sandbox/open.ts')};
      import { createProject, sourceOf } from ${from('test/support/test-project.ts')};
      const sandbox = await openSandbox({
        backend: createDemoBackend({ agentBinary: ${JSON.stringify(AGENT)}, path: '/usr/local/bin:/usr/bin:/bin' }),
        spec: { id: 'x', runDir: ${JSON.stringify(folder)}, workspace: '/p', uid: ${process.getuid?.()},
          gid: ${process.getgid?.()}, cpus: 1, memoryBytes: 1, diskBytes: 1, pids: 0, env: {} },
        source: sourceOf(createProject({ a: { content: 'a' } })),
        signal: new AbortController().signal,
        emit: () => undefined,
      });
      await sandbox.exec({ argv: ['sh', '-c', '(setsid sleep 1000 &); sleep 1000'], onOutput: () => undefined });
      console.log('ready');`,
    );
    const host = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await new Promise((resolve) => host.stdout.once('data', resolve));
    await expect.poll(() => processesOf(`${folder}/workspace`).length).toBeGreaterThan(1);
    host.kill('SIGKILL');
    await expect.poll(() => processesOf(folder), { timeout: 20_000 }).toEqual([]);
  });

  it('names the mend when the agent was not built', async () => {
    const backend = createDemoBackend({ agentBinary: '/nowhere/agent' as HostPath, path: '/bin' });
    expect(await backend.missing()).toMatchObject({ mend: 'make -C guest' });
  });
});
