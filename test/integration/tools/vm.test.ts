import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { openSandbox } from '../../../src/sandbox/open.ts';
import type { Sandbox } from '../../../src/sandbox/sandbox.ts';
import { createTools } from '../../../src/tools/create-tools.ts';
import { createToolState } from '../../../src/tools/tool-state.ts';
import { toolRunner } from '../../support/fake-sandbox.ts';
import { createProject, sourceOf } from '../../support/test-project.ts';
import { testQemu, vmSpec, whyNoVm, writeProjectImage } from '../../support/vm.ts';

const reason = await whyNoVm();
if (reason !== undefined) test.skip(`tools in a virtual machine: ${reason}`);

describe.skipIf(reason !== undefined)('tools in a virtual machine', () => {
  const state = createToolState();
  let sandbox: Sandbox;
  let run: ReturnType<typeof toolRunner>['run'];
  let runDir: HostPath;

  beforeAll(async () => {
    runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
    const project = createProject({
      '.gitignore': { content: 'dist/\n' },
      'src/main.ts': { content: 'export const port = 80;\n' },
      'dist/out.ts': { content: 'port\n' },
    });
    sandbox = await openSandbox({
      backend: testQemu(),
      spec: vmSpec(runDir),
      source: sourceOf(project, writeProjectImage),
      signal: new AbortController().signal,
      emit: () => undefined,
    });
    run = toolRunner(sandbox, createTools({ state })).run;
  });

  afterAll(async () => {
    await state[Symbol.asyncDispose]();
    await sandbox?.end();
    rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  });

  it('read, edit and write its files', async () => {
    expect((await run('read', { path: 'src/main.ts' })).text).toBe('1\texport const port = 80;');
    expect((await run('edit', { path: 'src/main.ts', old_string: '80', new_string: '8080' })).ok).toBe(true);
    expect((await run('write', { path: 'a/b.txt', content: 'b\n' })).wrote).toEqual(['a/b.txt']);
    expect((await run('read', { path: '.' })).text).toContain('a/\n');
    expect((await run('read', { path: '/etc/passwd' })).text).toContain('outside the workspace');
  });

  it('run commands in its own kernel, and keep the directory', async () => {
    expect((await run('bash', { command: 'cd src; cat main.ts; exit 3' })).text).toBe(
      'export const port = 8080;\n[exit code 3]',
    );
    expect((await run('bash', { command: 'pwd' })).text).toBe(`${sandbox.workspace}/src\n[exit code 0]`);
    expect((await run('bash', { command: 'cd ..; false' })).exitCode).toBe(1);
  });

  it('find with ripgrep, which the machine brings', async () => {
    expect((await run('glob', { pattern: '**/*.ts' })).text).toBe('src/main.ts');
    expect((await run('grep', { pattern: 'port', mode: 'content' })).text).toBe(
      'src/main.ts:1:export const port = 8080;',
    );
  });

  it('keep a long output in the machine', async () => {
    const { text } = await run('bash', { command: 'seq 1 50000' });
    const path = /saved at (\S+\.log)/.exec(text)?.[1] ?? '';
    expect((await run('read', { path, offset: 40_000, limit: 1 })).text).toContain('40000\t40000');
  });

  it('name a full disk, and go on', async () => {
    // Allocating is quick where writing a gigabyte is not.
    const reserve =
      'for s in 512 256 128 64 32 16 8 4 2 1; do fallocate -l "$s"M full.$s || true; done 2>/dev/null';
    await run('bash', { command: `${reserve}; true` });
    const filled = await run('bash', { command: 'head -c 64M /dev/zero > full.rest' });
    expect(filled.text).toMatch(/No space left on device: disk full: \d+ MB of 1\.0 GB/);
    expect((await run('write', { path: 'b.txt', content: 'x'.repeat(1_000_000) })).text).toContain(
      'No space left',
    );
    expect((await run('bash', { command: 'rm full.*' })).ok).toBe(true);
    expect((await run('write', { path: 'b.txt', content: 'x' })).ok).toBe(true);
  });

  it('start, read and kill a background job', async () => {
    await run('bash', { command: 'echo up; sleep 1000', background: true });
    await run('bash', { command: 'sleep 1' });
    expect((await run('bash_output', { job_id: 'job-1', since: 0 })).text).toMatch(/^up\n\[job-1 is running/);
    expect((await run('bash_kill', { job_id: 'job-1' })).text).toContain('SIGTERM');
  });
});
