import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rgPath } from '@vscode/ripgrep';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Backend } from '../../src/backends/backend.ts';
import { createBubblewrapBackend } from '../../src/backends/bubblewrap/bubblewrap-backend.ts';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { attemptEscapes } from '../../src/sandbox/escape-attempts.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { createProject, sourceOf } from '../support/test-project.ts';
import { testCache, testQemu, vmOrSkip, vmSpec, writeProjectImage } from '../support/vm.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const never = new AbortController().signal;

async function open(backend: Backend): Promise<{ sandbox: Sandbox; runDir: HostPath }> {
  const runDir = mkdtempSync(join(tmpdir(), 'sc-escape-')) as HostPath;
  const sandbox = await openSandbox({
    backend,
    spec: backend.level === 'vm' ? vmSpec(runDir) : { ...plainSpec(runDir, 'escape'), pids: 1000 },
    source: sourceOf(createProject({ 'a.txt': { content: 'a\n' } }), writeProjectImage),
    signal: never,
    emit: () => undefined,
  });
  onTestFinished(async () => {
    await sandbox.end();
    rmSync(runDir, { recursive: true, force: true });
  });
  return { sandbox, runDir };
}

const broken = (results: Awaited<ReturnType<typeof attemptEscapes>>) =>
  results.filter(({ held }) => !held).map(({ name }) => name);

describe('a sandbox holds against escapes', () => {
  it('a virtual machine, every one of them', { timeout: 180_000 }, async (context) => {
    await vmOrSkip(context);
    const { sandbox, runDir } = await open(testQemu());
    const results = await attemptEscapes(sandbox, { runDir, signal: never });
    expect(broken(results)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(9);
  });

  it('a container, every one of them', { timeout: 120_000 }, async (context) => {
    const backend = createBubblewrapBackend({
      cacheDir: testCache(),
      agentBinary: AGENT,
      rgBinary: rgPath as HostPath,
    });
    const missing = await backend.missing();
    if (missing !== undefined) {
      if (process.env.SAFE_CODER_REQUIRE_VM === '1')
        throw new Error(`A container is required: ${missing.reason}`);
      context.skip(missing.reason);
    }
    const { sandbox, runDir } = await open(backend);
    const results = await attemptEscapes(sandbox, { runDir, signal: never });
    expect(broken(results)).toEqual([]);
    expect(results.length).toBeGreaterThanOrEqual(11);
  });

  it('and each that needs no machine of its own succeeds where there is no wall', async () => {
    const backend = createDemoBackend({ agentBinary: AGENT, path: '/usr/local/bin:/usr/bin:/bin' });
    const { sandbox, runDir } = await open(backend);
    const results = await attemptEscapes(sandbox, { runDir, signal: never });
    expect(broken(results)).toEqual(expect.arrayContaining(['host-file', 'host-process', 'host-loopback']));
  });
});
