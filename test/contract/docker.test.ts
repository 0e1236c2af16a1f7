import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, test } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { openEngine, type TestEngine, whyNoEngine } from '../support/docker-engine.ts';
import { plainSpec } from '../support/plain-spec.ts';
import { sourceOf } from '../support/test-project.ts';
import { sandboxContract } from './sandbox-contract.ts';

const reason = whyNoEngine();
if (reason === undefined) {
  describe('with an engine of its own', () => {
    let engine: TestEngine;
    const folders: string[] = [];
    let count = 0;
    beforeAll(async () => {
      engine = await openEngine();
    });
    afterAll(async () => {
      await engine?.close();
      for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    });

    sandboxContract('the docker backend', {
      level: 'container',
      open: (project) => {
        const runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
        folders.push(runDir);
        count += 1;
        return openSandbox({
          backend: engine.backend(),
          spec: plainSpec(runDir, `contract-${count}`),
          source: sourceOf(project),
          signal: new AbortController().signal,
          emit: () => undefined,
        });
      },
    });
  });
} else {
  test.skip(`a sandbox of the docker backend: ${reason}`);
}
