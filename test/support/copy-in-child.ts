/** Copies a project as the user that runs this, and prints what came of it; for tests that need not to be root. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HostPath } from '../../src/base/path-bytes.ts';
import { EntryStream, openProject } from '../../src/workspace/copy-in.ts';

const folder = mkdtempSync(join(tmpdir(), 'sc-test-'));
using project = openProject((process.argv[2] ?? '') as HostPath, { stateFolders: [] });
const blobs = { objectFormat: 'sha1' as const, has: () => true, write: () => undefined };
const stream = new EntryStream(project, { blobs, spoolFile: join(folder, 'spool') as HostPath });
for await (const entry of stream.entries()) {
  if (entry.kind === 'file') for await (const _ of entry.content);
}
const skipped = stream.snapshot.skipped.map(({ path, reason, detail }) => [path, reason, detail]);
console.log(JSON.stringify({ files: [...stream.snapshot.files.keys()], skipped: skipped.toSorted() }));
rmSync(folder, { recursive: true });
