import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HostPath, RelPath } from '../../src/base/path-bytes.ts';
import { copyProject, describeTree, hasErofsTools } from '../support/copy-in.ts';
import { temporaryFolder } from '../support/temp.ts';

/** A folder with the given files; a name that ends in a slash is a directory. */
function makeTree(files: Record<string, string>): HostPath {
  const root = temporaryFolder();
  for (const [path, content] of Object.entries(files)) {
    const full = join(root, path);
    mkdirSync(path.endsWith('/') ? full : join(full, '..'), { recursive: true });
    if (!path.endsWith('/')) writeFileSync(full, content);
  }
  return root;
}

describe.skipIf(!hasErofsTools)('a project copied into an image (needs fsck.erofs)', () => {
  test('holds every file, link, mode, time and odd name of the project', async () => {
    const root = makeTree({ 'a.txt': 'one', empty: '', 'src/deep/er/x.ts': 'x'.repeat(9000), 'bare/': '' });
    chmodSync(join(root, 'a.txt'), 0o755);
    utimesSync(join(root, 'a.txt'), 1_600_000_000, 1_600_000_000);
    symlinkSync('../outside/secret', join(root, 'out'));
    symlinkSync('.', join(root, 'loop'));
    symlinkSync('y'.repeat(4050), join(root, 'long'));
    const odd = [
      'new\nline',
      '\x1b[31mred',
      '-rf',
      ' blank ',
      'é',
      '日本',
      '"quoted"',
      'a\\b',
      'x'.repeat(255),
    ];
    for (const name of odd) writeFileSync(join(root, name), name);
    for (const bytes of [
      [0xff, 0xfe],
      [0x61, 0xe9],
      [0xc3, 0x28],
    ]) {
      writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from(bytes)]), 'bytes');
    }

    const { tree, snapshot, blobs } = await copyProject(root);

    expect(tree).toEqual(describeTree(root));
    expect(snapshot.files.size).toBe(3 + 3 + odd.length + 3);
    expect(snapshot.files.get('a.txt' as RelPath)).toMatchObject({ mode: '100755', size: 3 });
    for (const [path, file] of snapshot.files) expect(blobs.bytes(file.oid), path).toHaveLength(file.size);
  });
});
