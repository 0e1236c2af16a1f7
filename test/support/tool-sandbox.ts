import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { createTools } from '../../src/tools/create-tools.ts';
import { createToolState } from '../../src/tools/tool-state.ts';
import { toolRunner } from './fake-sandbox.ts';
import { plainSpec } from './plain-spec.ts';
import { createProject, sourceOf } from './test-project.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const RIPGREP = dirname(
  createRequire(import.meta.url).resolve(`@vscode/ripgrep-${process.platform}-${process.arch}/bin/rg`),
);
let opened = 0;

/** The tools over a real sandbox of the demo backend; everything is ended when the test is over. */
export async function openToolSandbox(
  files: Record<string, string> = {},
  options: { withRipgrep?: boolean; links?: Record<string, string>; env?: Record<string, string> } = {},
) {
  const runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
  mkdirSync(runDir, { recursive: true });
  opened += 1;
  const sandbox = await openSandbox({
    backend: createDemoBackend({
      agentBinary: AGENT,
      path: `${options.withRipgrep === false ? '' : `${RIPGREP}:`}/usr/local/bin:/usr/bin:/bin`,
    }),
    spec: plainSpec(runDir, `tools-${process.pid}-${opened}`, options.env ?? {}),
    source: sourceOf(
      createProject({
        ...Object.fromEntries(Object.entries(files).map(([name, content]) => [name, { content }])),
        ...Object.fromEntries(
          Object.entries(options.links ?? {}).map(([name, target]) => [name, { target }]),
        ),
      }),
    ),
    signal: new AbortController().signal,
    emit: () => undefined,
  });
  const state = createToolState();
  onTestFinished(async () => {
    await state[Symbol.asyncDispose]();
    await sandbox.end();
    rmSync(runDir, { recursive: true, force: true, maxRetries: 3 });
  });
  return { sandbox, state, root: sandbox.workspace, ...toolRunner(sandbox, createTools({ state })) };
}
