import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePath, encodePath, type RelPath } from '../../../src/base/path-bytes.ts';
import type { FileMode } from '../../../src/diff/change-set.ts';
import { formatPatch, type PatchChange } from '../../../src/diff/patch.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { hashObject } from '../../../src/git/object-id.ts';
import { temporaryFolder } from '../../support/temp.ts';

type Tree = Map<string, { mode: FileMode; bytes: Buffer }>;

const inFolder = (folder: string, path: string) =>
  Buffer.concat([Buffer.from(`${folder}/`), encodePath(path)]);

function put(folder: string, tree: Tree): void {
  for (const [path, { mode, bytes }] of tree) {
    mkdirSync(dirname(inFolder(folder, path).toString('latin1')), { recursive: true });
    if (mode === '120000') symlinkSync(bytes, inFolder(folder, path));
    else {
      writeFileSync(inFolder(folder, path), bytes);
      chmodSync(inFolder(folder, path), mode === '100755' ? 0o755 : 0o644);
    }
  }
}

function take(folder: string, prefix = ''): Tree {
  const tree: Tree = new Map();
  for (const name of readdirSync(inFolder(folder, prefix), { encoding: 'buffer' })) {
    const path = prefix + decodePath(name);
    if (path === '.git') continue;
    const stat = lstatSync(inFolder(folder, path));
    if (stat.isDirectory()) for (const [below, file] of take(folder, `${path}/`)) tree.set(below, file);
    else if (stat.isSymbolicLink()) {
      tree.set(path, { mode: '120000', bytes: readlinkSync(inFolder(folder, path), 'buffer') });
    } else {
      const mode = stat.mode & 0o100 ? '100755' : '100644';
      tree.set(path, { mode, bytes: readFileSync(inFolder(folder, path)) });
    }
  }
  return tree;
}

function changesOf(before: Tree, after: Tree): PatchChange[] {
  const side = (path: string, file: { mode: FileMode; bytes: Buffer } | undefined) =>
    file && { path: path as RelPath, ...file, oid: hashObject('sha1', 'blob', file.bytes) };
  return [...new Set([...before.keys(), ...after.keys()])].map((path) => {
    const old = side(path, before.get(path));
    const now = side(path, after.get(path));
    return { ...(old ? { before: old } : {}), ...(now ? { after: now } : {}) };
  });
}

/** What the real git makes of the old files and the patch. */
function applyWithGit(before: Tree, patch: Buffer): Tree {
  const folder = temporaryFolder();
  put(folder, before);
  const options = { cwd: folder, env: { ...GIT_ENVIRONMENT } };
  execFileSync('git', ['init', '-q'], options);
  const apply = ['apply', '--whitespace=nowarn', '-'];
  if (patch.length > 0)
    execFileSync('git', apply, { ...options, input: patch, stdio: ['pipe', 'pipe', 'pipe'] });
  return take(folder);
}

const sorted = (tree: Tree) => [...tree].sort(([a], [b]) => (a < b ? -1 : 1));
const regular = (text: string | Buffer, mode: FileMode = '100644') => ({ mode, bytes: Buffer.from(text) });

const names = fc.constantFrom(
  'a',
  'b c',
  'dir/x',
  'quo"te',
  'back\\slash',
  'new\nline',
  'tab\t',
  'ünï',
  '\udcff\udcfe',
  '-rf',
  'a b/c d',
);
const bytes = fc.oneof(
  fc
    .array(
      fc.constantFrom('one\n', 'two\r\n', '\n', '--- a/x\n', '+++ b\n', '\xe9\n', 'end', '@@ -1 +1 @@\n'),
      { maxLength: 12 },
    )
    .map((lines) => Buffer.from(lines.join(''), 'latin1')),
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
);
const file = fc.oneof(
  { weight: 5, arbitrary: fc.record({ mode: fc.constantFrom<FileMode>('100644', '100755'), bytes }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('target', 'other/target').map((target) => regular(target, '120000')),
  },
);
const tree = fc.array(fc.tuple(names, file), { maxLength: 6 }).map((entries): Tree => new Map(entries));

describe('a patch', () => {
  it('turns the old files into the new ones in the hands of git, whatever their names and bytes', () => {
    fc.assert(
      fc.property(tree, tree, (before, after) => {
        expect(sorted(applyWithGit(before, formatPatch(changesOf(before, after))))).toEqual(sorted(after));
      }),
      { numRuns: 40 },
    );
  });

  it('moves a file and changes it and its mode', () => {
    const old = { path: 'old name' as RelPath, ...regular('1\n2\n3\n'), oid: '' };
    const now = { path: 'new/näme' as RelPath, ...regular('1\n2\nthree\n', '100755'), oid: '' };
    old.oid = hashObject('sha1', 'blob', old.bytes);
    now.oid = hashObject('sha1', 'blob', now.bytes);
    const patch = formatPatch([{ before: old, after: now }]);
    expect(patch.toString('latin1')).toContain('rename from old name\nrename to "new/n\\303\\244me"\n');
    const result = applyWithGit(new Map([['old name', regular('1\n2\n3\n')]]), patch);
    expect(sorted(result)).toEqual([['new/näme', regular('1\n2\nthree\n', '100755')]]);
  });

  it('moves a file whose bytes stay', () => {
    const bytes = Buffer.from('same\n');
    const oid = hashObject('sha1', 'blob', bytes);
    const patch = formatPatch([
      {
        before: { path: 'a' as RelPath, mode: '100644', bytes, oid },
        after: { path: 'b' as RelPath, mode: '100644', bytes, oid },
      },
    ]);
    expect(sorted(applyWithGit(new Map([['a', regular('same\n')]]), patch))).toEqual([
      ['b', regular('same\n')],
    ]);
  });

  it('of files too different to compare replaces them whole', () => {
    const numbers = Array.from({ length: 9000 }, (_, at) => `${at}\n`);
    const before: Tree = new Map([['big', regular(numbers.join(''))]]);
    const after: Tree = new Map([['big', regular(numbers.toReversed().join(''))]]);
    expect(sorted(applyWithGit(before, formatPatch(changesOf(before, after))))).toEqual(sorted(after));
  });
});
