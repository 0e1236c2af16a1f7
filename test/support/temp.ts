import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { HostPath } from '../../src/base/path-bytes.ts';

/** A private folder that is removed when the test is over. */
export function temporaryFolder(): HostPath {
  const folder = mkdtempSync(join(tmpdir(), 'sc-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  return folder as HostPath;
}
