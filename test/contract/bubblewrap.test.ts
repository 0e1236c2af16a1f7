import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rgPath } from '@vscode/ripgrep';
import { afterAll } from 'vitest';
import { createBubblewrapBackend } from '../../src/backends/bubblewrap/bubblewrap-backend.ts';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { sourceOf } from '../support/test-project.ts';
import { testCache } from '../support/vm.ts';
import { sandboxContract } from './sandbox-contract.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

sandboxContract('the bubblewrap backend', {
  level: 'container',
  open: (project) => {
    const runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
    folders.push(runDir);
    return openSandbox({
      backend: createBubblewrapBackend({
        cacheDir: testCache(),
        agentBinary: AGENT,
        rgBinary: rgPath as HostPath,
      }),
      spec: plainSpec(runDir, 'contract'),
      source: sourceOf(project),
      signal: new AbortController().signal,
      emit: () => undefined,
    });
  },
});
