import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, it } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { createOverlayBackend, layOut } from '../support/overlay-backend.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { sourceOf } from '../support/test-project.ts';
import { sandboxContract } from './sandbox-contract.ts';

/** Why overlays can't be mounted here, or undefined. */
function obstacle(): string | undefined {
  try {
    execFileSync('unshare', ['--mount', '--propagation', 'private', 'true'], { stdio: 'pipe' });
    return undefined;
  } catch {
    // Not root, or in a container that may not mount.
    return 'mounting in a namespace of its own is not allowed here';
  }
}

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const reason = obstacle();
if (reason === undefined) {
  sandboxContract('the agent over a real overlay', {
    level: 'demo',
    open: (project) => {
      const runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
      folders.push(runDir);
      return openSandbox({
        backend: createOverlayBackend(),
        spec: plainSpec(runDir, 'overlay'),
        source: sourceOf(project, layOut),
        signal: new AbortController().signal,
        emit: () => undefined,
      });
    },
  });
} else {
  describe.skip(`a sandbox of the agent over a real overlay (${reason})`, () => {
    it('keeps the contract', () => undefined);
  });
}
