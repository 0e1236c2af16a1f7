import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, test } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { openSandbox } from '../../src/sandbox/open.ts';
import { sourceOf } from '../support/test-project.ts';
import { testQemu, vmSpec, whyNoVm, writeProjectImage } from '../support/vm.ts';
import { sandboxContract } from './sandbox-contract.ts';

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const reason = await whyNoVm();
if (reason === undefined) {
  sandboxContract('the qemu backend', {
    level: 'vm',
    open: (project) => {
      const runDir = mkdtempSync(join(tmpdir(), 'sc-test-')) as HostPath;
      folders.push(runDir);
      return openSandbox({
        backend: testQemu(),
        spec: vmSpec(runDir),
        source: sourceOf(project, writeProjectImage),
        signal: new AbortController().signal,
        emit: () => undefined,
      });
    },
  });
} else {
  test.skip(`a sandbox of the qemu backend: ${reason}`);
}
