import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import { decodeName, encodeComponents, encodeName } from '../../../src/ledger/name-code.ts';

const latin1 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

const name = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  fc
    .array(
      fc.constantFrom(
        '.',
        'g',
        'G',
        'i',
        't',
        '~',
        '1',
        '%',
        '2',
        '5',
        'E',
        '\\',
        ':',
        ' ',
        latin1('\u200c'),
      ),
      {
        minLength: 1,
        maxLength: 10,
      },
    )
    .map((parts) => parts.join('')),
);

describe('a name in the ledger', () => {
  it('is decoded to the bytes it came from', () => {
    fc.assert(
      fc.property(name, (each) => decodeName(encodeName(each)) === each),
      { numRuns: 3000 },
    );
  });

  it('is never the name of another file', () => {
    fc.assert(
      fc.property(name, name, (a, b) => a === b || encodeName(a) !== encodeName(b)),
      { numRuns: 3000 },
    );
  });

  it.each([
    '.git',
    '.GIT',
    '.Git',
    '.git ',
    '.git.',
    '.git. .',
    '.git::$INDEX_ALLOCATION',
    'git~1',
    'GIT~1',
    'gi7eba~1',
    'a\\.git\\config',
    '.g\u200cit',
    '\ufeff.git',
    '.gitmodules',
    '.GITMODULES',
    'gitmod~1',
    '.gitattributes',
  ])('is coded when git would refuse it or act on it: %j', (each) => {
    const coded = encodeName(latin1(each));
    expect(coded).toMatch(/^%[0-9A-F]{2}/);
    expect(coded).not.toContain('\\');
    expect(decodeName(coded)).toBe(latin1(each));
  });

  it.each(['.gitignore', '.github', 'git', 'a.git', '.gitx', 'x~1', 'back\\slash', 'ä', '.env'])(
    'is left as it is otherwise: %j',
    (each) => {
      expect(encodeName(latin1(each))).toBe(latin1(each));
    },
  );

  it('that looks coded is coded again', () => {
    expect(encodeName('%2Egit')).toBe('%252Egit');
    expect(encodeName('%')).toBe('%25');
  });
});

it('codes each component of a path by itself', () => {
  expect(encodeComponents('src/.git/hooks/x' as RelPath)).toEqual(['src', '%2Egit', 'hooks', 'x']);
  expect(encodeComponents('a/\udcff' as RelPath)).toEqual(['a', '\xff']);
});
