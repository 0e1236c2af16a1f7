import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { createDemoBackend } from '../../src/backends/demo/demo-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { sourceOf } from '../support/test-project.ts';
import { sandboxContract } from './sandbox-contract.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

sandboxContract('the demo backend', {
  level: 'demo',
  open: (project) => {
    const runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
    folders.push(runDir);
    return openSandbox({
      backend: createDemoBackend({ agentBinary: AGENT, path: '/usr/local/bin:/usr/bin:/bin' }),
      spec: plainSpec(runDir, 'contract'),
      source: sourceOf(project),
      signal: new AbortController().signal,
      emit: () => undefined,
    });
  },
});
