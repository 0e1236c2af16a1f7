import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  findCollisions,
  foldName,
  isDotGit,
  pathFault,
  symlinkFault,
} from '../../../../src/policy/apply-path.ts';

describe('isDotGit', () => {
  it.each([
    '.git',
    '.GIT',
    '.Git',
    '.g\u200cit',
    '\u200b.git',
    '.git\ufeff',
    '.git.',
    '.git ',
    '.git . .',
    '.git::$INDEX_ALLOCATION',
    '.git:stream',
    'git~1',
    'GIT~2',
    'git~12',
    '\uff0egit',
    '.\uff47it',
    '.g\u0131t',
    '.git\\config',
    '.git\uff0fhooks',
    '.gi\u00adt',
    '.git\u{e0061}',
  ])('takes %j for .git', (name) => {
    expect(isDotGit(name)).toBe(true);
  });

  it.each([
    '.gitignore',
    '.gitattributes',
    '.github',
    'git',
    '.git1',
    'a.git',
    'git~',
    'xgit~1',
    '.gitx.',
    'legit',
  ])('lets %j be', (name) => {
    expect(isDotGit(name)).toBe(false);
  });

  it('sees through any mix of case, ignorable characters and trailing dots', () => {
    const ignorable = fc.constantFrom('', '\u200c', '\u200d', '\u2060', '\ufeff', '\u00ad', '\u{e0020}');
    const letter = (char: string) =>
      fc.tuple(ignorable, fc.constantFrom(char, char.toUpperCase())).map((pair) => pair.join(''));
    const name = fc
      .tuple(letter('.'), letter('g'), letter('i'), letter('t'), fc.constantFrom('', '.', ' ', '. .', ':x'))
      .map((parts) => parts.join(''));
    fc.assert(fc.property(name, (spelling) => isDotGit(spelling)));
  });
});

describe('pathFault', () => {
  it.each([
    'a',
    'src/main.ts',
    'with space/ünïcode/日本語.md',
    '.gitignore',
    '...',
    'a..b',
    'x'.repeat(255),
    Array(128).fill('d').join('/'),
    'emoji 👩‍💻.txt',
  ])('accepts %j', (path) => {
    expect(pathFault(path)).toBeUndefined();
  });

  it.each([
    ['nothing', ''],
    ['an absolute path', '/etc/passwd'],
    ['a parent', '../x'],
    ['a parent further down', 'a/../../x'],
    ['a dot', './x'],
    ['an empty component', 'a//b'],
    ['a trailing slash', 'a/'],
    ['.git at the top', '.git/config'],
    ['.git further down', 'sub/.git/hooks/pre-commit'],
    ['.git in another case', 'a/.GiT'],
    ['a line feed', 'a\nb'],
    ['an escape', 'a\x1b[2Jb'],
    ['a NUL', 'a\0b'],
    ['a C1 control', 'a\u009bb'],
    ['a line separator', 'a\u2028b'],
    ['a byte that is no UTF-8', 'a\udcffb'],
    ['a lone high surrogate', 'a\ud800b'],
    ['a component that is too long', 'é'.repeat(128)],
    ['a path that is too deep', Array(129).fill('d').join('/')],
    ['a path that is too long', Array(100).fill('d'.repeat(60)).join('/')],
    ['the stage', '.safe-coder-stage-0123/n0'],
  ])('refuses %s', (_, path) => {
    expect(pathFault(path)).toEqual(expect.any(String));
  });
});

describe('symlinkFault', () => {
  it.each([
    ['link', 'target'],
    ['a/b/link', '../../target'],
    ['a/link', '../b/c'],
    ['link', './x/./y'],
    ['link', '.'],
    ['a/link', '..'],
    ['link', '.gitignore'],
  ])('lets %s point to %s', (path, target) => {
    expect(symlinkFault(path, target)).toBeUndefined();
  });

  it.each([
    ['link', '/etc/passwd'],
    ['link', '../out'],
    ['a/link', '../../out'],
    ['a/link', './../../out'],
    ['link', 'a/../../out'],
    ['link', 'elsewhere/../x'],
    ['a/b/link', 'elsewhere/../x'],
    ['link', '.git/hooks'],
    ['a/link', '../.GIT'],
    ['link', 'sub/.git/config'],
    ['link', ''],
    ['link', 'a\0b'],
    ['link', 'a\nb'],
    ['link', 'x'.repeat(5000)],
    ['link', 'a\udcff'],
  ])('refuses %s to %j', (path, target) => {
    expect(symlinkFault(path, target)).toEqual(expect.any(String));
  });
});

describe('findCollisions', () => {
  it('finds names that differ by case or by normalisation only, also of folders', () => {
    expect([...findCollisions(['README', 'readme'])].sort()).toEqual([
      ['README', 'readme'],
      ['readme', 'README'],
    ]);
    expect(findCollisions(['caf\u00e9', 'cafe\u0301']).size).toBe(2);
    expect(findCollisions(['Src/a', 'src/b']).size).toBe(2);
    expect(findCollisions(['straße', 'STRASSE']).size).toBe(2);
  });

  it('finds nothing among names that differ otherwise', () => {
    expect(findCollisions(['a/b', 'a/c', 'a', 'ab']).size).toBe(0);
  });

  it('folds a name to itself', () => {
    fc.assert(fc.property(fc.string(), (name) => foldName(foldName(name)) === foldName(name)));
  });
});
