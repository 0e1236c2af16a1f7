import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseGitIndex } from '../../../src/workspace/git-index.ts';
import { temporaryFolder } from '../../support/temp.ts';

const ENV = {
  PATH: process.env.PATH ?? '',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  HOME: '/',
};

function git(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-C', folder, ...args], { env: ENV, encoding: 'latin1' });
}

/** An index that git made of some odd paths. */
function makeIndex(version: number, format: 'sha1' | 'sha256'): { folder: string; bytes: Buffer } {
  const folder = temporaryFolder();
  git(folder, 'init', '-q', `--object-format=${format}`);
  const paths = ['a', 'a b', 'deep/er/x', 'deep/er/xy', 'deep/z', 'é', 'new\nline', 'x'.repeat(200)];
  for (const path of paths) {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), path);
  }
  git(folder, 'update-index', `--index-version=${version}`);
  git(folder, 'add', '-A');
  if (version > 2) {
    writeFileSync(join(folder, 'later'), '');
    git(folder, 'add', '--intent-to-add', 'later');
  }
  return { folder, bytes: readFileSync(join(folder, '.git/index')) };
}

function ours(bytes: Buffer, format: 'sha1' | 'sha256'): string[] {
  const index = parseGitIndex(bytes, format);
  if (index === undefined) throw new Error('not an index');
  return [...index].map(([path, { oid, mode, stage }]) => `${mode.toString(8)} ${oid} ${stage}\t${path}`);
}

const FORMATS = [
  [2, 'sha1'],
  [3, 'sha1'],
  [4, 'sha1'],
  [2, 'sha256'],
  [4, 'sha256'],
] as const;

describe('parsing the index of git', () => {
  test.each(FORMATS)('reads version %i with %s as git does', (version, format) => {
    const { folder, bytes } = makeIndex(version, format);
    expect(bytes.readUInt32BE(4)).toBe(version);
    expect(ours(bytes, format)).toEqual(git(folder, 'ls-files', '--stage', '-z').split('\0').slice(0, -1));
  });

  test('takes our side of a conflict', () => {
    const { folder } = makeIndex(2, 'sha1');
    const [, oid = ''] = git(folder, 'ls-files', '--stage', 'a').split(/[ \t]/);
    const other = git(folder, 'hash-object', '-w', 'deep/z').trim();
    const lines = `0 ${'0'.repeat(40)}\ta\n100644 ${other} 1\ta\n100644 ${oid} 2\ta\n100644 ${other} 3\ta\n`;
    execFileSync('git', ['-C', folder, 'update-index', '--index-info'], { env: ENV, input: lines });
    const index = parseGitIndex(readFileSync(join(folder, '.git/index')), 'sha1');
    expect(index?.get('a')).toEqual({ oid, mode: 0o100644, stage: 2 });
  });

  test('says that a split index is none', () => {
    const { folder } = makeIndex(2, 'sha1');
    git(folder, 'update-index', '--split-index');
    expect(parseGitIndex(readFileSync(join(folder, '.git/index')), 'sha1')).toBeUndefined();
  });

  test('says that a cut index is none', () => {
    const { bytes } = makeIndex(4, 'sha1');
    for (const length of [0, 3, 12, 32, 60, 200]) {
      expect(parseGitIndex(bytes.subarray(0, length), 'sha1'), `${length} bytes`).toBeUndefined();
    }
  });

  test.each([2, 4])('never throws on a damaged index of version %i', (version) => {
    const { bytes } = makeIndex(version, 'sha1');
    const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(damage, fc.nat(bytes.length), (changes, length) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[at] = value;
        const index = parseGitIndex(copy.subarray(0, length), 'sha1');
        for (const path of index?.keys() ?? []) expect(path.length).toBeLessThanOrEqual(4096);
      }),
      { numRuns: 500 },
    );
  });
});
