import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { IgnoreRules, parseIgnoreFile } from '../../../src/policy/ignore.ts';
import { temporaryFolder } from '../../support/temp.ts';

function rulesOf(files: Record<string, string>): IgnoreRules {
  const rules = new IgnoreRules();
  for (const [directory, text] of Object.entries(files))
    rules.add(directory, parseIgnoreFile(Buffer.from(text)));
  return rules;
}

const CASES: [rule: string, path: string, isIgnored: boolean][] = [
  ['*.log', 'deep/er/a.log', true],
  ['/a', 'a', true],
  ['/a', 'b/a', false],
  ['a/b', 'x/a/b', false],
  ['**/a/b', 'x/a/b', true],
  ['a/**', 'a/b/c', true],
  ['a/**/c', 'a/c', true],
  ['a/**/c', 'a/b/b/c', true],
  ['foo**/bar', 'foox/bar', true],
  ['dir/', 'dir/file', true],
  ['file/', 'file', false],
  ['*\n!keep', 'keep', false],
  ['d/\n!d/keep', 'd/keep', true],
  ['d/*\n!d/keep', 'd/keep', false],
  ['\\#a', '#a', true],
  ['#a', '#a', false],
  ['\\!a', '!a', true],
  ['a\\ ', 'a ', true],
  ['a ', 'a', true],
  ['[a-c]x', 'bx', true],
  ['[!a-c]x', 'bx', false],
  ['[', '[', false],
  ['a\r\nb', 'a', true],
  ['\u{feff}a', 'a', true],
  ['A', 'a', false],
  ['?', 'é', false],
  ['??', 'é', true],
];

describe('ignore rules', () => {
  test.each(CASES)('%j on %j: ignored is %j', (text, path, isIgnored) => {
    expect(rulesOf({ '': text }).isIgnored(path as RelPath, false)).toBe(isIgnored);
  });

  test('of a deeper file overrule those above it', () => {
    const rules = rulesOf({ '': '*.log\n', sub: '!keep.log\n' });
    expect(rules.isIgnored('sub/keep.log' as RelPath, false)).toBe(false);
    expect(rules.isIgnored('keep.log' as RelPath, false)).toBe(true);
  });

  test('of info/exclude are asked last', () => {
    const rules = rulesOf({ '': '!a\n' });
    rules.setExclude(parseIgnoreFile(Buffer.from('a\nb\n')));
    expect(rules.isIgnored('a' as RelPath, false)).toBe(false);
    expect(rules.isIgnored('b' as RelPath, false)).toBe(true);
  });

  test('answer at once when a pattern is made to be slow', () => {
    const rules = rulesOf({ '': `${'*a'.repeat(100)}b\n${'**/'.repeat(50)}[[:alpha:]]x\n` });
    expect(rules.isIgnored('a'.repeat(255) as RelPath, false)).toBe(false);
    expect(rules.isIgnored(`${'a/'.repeat(500)}y` as RelPath, false)).toBe(false);
  });

  test('agree with git check-ignore on generated rules and trees', () => {
    const pieces = [
      'a',
      'b',
      '*',
      '**',
      '?',
      '[ab]',
      '[!a]',
      '[a-',
      '\\',
      '/',
      '.',
      '!',
      '#',
      ' ',
      '[[:alpha:]]',
    ];
    const line = fc.array(fc.constantFrom(...pieces, 'é', '**/', '/**', 'foo', '-', ']', '\\ ', '\\*'), {
      minLength: 1,
      maxLength: 6,
    });
    const file = fc
      .array(line, { minLength: 1, maxLength: 4 })
      .map((lines) => `${lines.map((parts) => parts.join('')).join('\n')}\n`);
    const name = fc.constantFrom(
      'a',
      'b',
      'ab',
      'foo',
      'a b',
      'é',
      '.a',
      '-',
      '*',
      'c]',
      'a ',
      '#',
      '!',
      '\\',
    );
    const paths = fc.array(fc.array(name, { minLength: 1, maxLength: 4 }), { minLength: 4, maxLength: 10 });
    const compare = (root: string, deeper: string, wanted: string[][]) => {
      const folder = temporaryFolder();
      execFileSync('git', ['init', '-q', folder]);
      mkdirSync(join(folder, 'a'));
      writeFileSync(join(folder, '.gitignore'), root);
      writeFileSync(join(folder, 'a/.gitignore'), deeper);
      const made = wanted.map((parts) => parts.join('/')).filter((path) => tryMake(folder, path));
      const rules = rulesOf({ '': root, a: deeper });
      const ours = made.filter((path) => rules.isIgnored(path as RelPath, false));
      expect(ours.toSorted(), JSON.stringify({ root, deeper })).toEqual(askGit(folder, made));
    };
    fc.assert(fc.property(file, file, paths, compare), { numRuns: 60 });
  });
});

/** Makes a file unless another of the generated paths is in the way. */
function tryMake(folder: string, path: string): boolean {
  try {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(join(folder, path), '', { flag: 'wx' });
    return true;
  } catch {
    // One path is a prefix of another: that one is left out of the comparison.
    return false;
  }
}

function askGit(folder: string, paths: string[]): string[] {
  const script = 'git -C "$0" check-ignore --no-index -z --stdin || test $? = 1';
  const env = { PATH: process.env.PATH ?? '', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
  const input = paths.map((path) => `${path}\0`).join('');
  const out = execFileSync('sh', ['-c', script, folder], { input, env, encoding: 'utf8' });
  return out
    .split('\0')
    .filter((path) => path !== '')
    .toSorted();
}
