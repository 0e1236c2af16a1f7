import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { FileState } from '../../../src/diff/change-set.ts';
import { hashObject } from '../../../src/git/object-id.ts';
import { buildTree } from '../../../src/ledger/build-tree.ts';
import { changeTree, createFolder, writeDrafts } from '../../../src/ledger/tree-node.ts';

const write = (bytes: Buffer) => hashObject('sha1', 'tree', bytes);
const state: FileState = { mode: '100644', oid: 'ab'.repeat(20) };
const build = (...paths: string[]) =>
  buildTree('sha1', new Map(paths.map((path) => [path as RelPath, state])), write);

it('makes the same tree as putting the files in one by one, in any order', async () => {
  const part = fc.constantFrom(
    'a',
    'a-b',
    'a.b',
    'a0',
    'b',
    '.git',
    '%',
    'ü',
    '\udcff',
    '\u{1f600}',
    '\uffff',
  );
  const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(path, { maxLength: 20 }), async (paths) => {
      const isFolder = (each: string) => paths.some((other) => other.startsWith(`${each}/`));
      const files = paths.filter((each) => !isFolder(each));
      const written = files.map((each) => ({ path: each as RelPath, ...state }));
      const none = () => Promise.reject(new Error('nothing to read'));
      const draft = await changeTree('sha1', createFolder(), { written, removed: [] }, none);
      expect(build(...files)).toBe(writeDrafts('sha1', draft, write));
    }),
  );
});

it('of no files is the empty tree', () => {
  expect(build()).toBe('4b825dc642cb6eb9a060e54bf8d69288fbee4904');
});

it('refuses a file that is a folder as well, and a path that leads out', () => {
  for (const paths of [
    ['x', 'x/y'],
    ['x', 'x-', 'x/y'],
    ['d/x', 'd/x/y/z'],
    ['../x'],
    ['/x'],
    ['a//b'],
    [''],
  ]) {
    expect(() => build(...paths)).toThrow(expect.objectContaining({ code: 'ledger/write-failed' }));
  }
});
