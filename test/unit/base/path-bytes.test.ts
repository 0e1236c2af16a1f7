import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePath, encodePath, parseRelPath, showPath } from '../../../src/base/path-bytes.ts';

describe('paths as strings', () => {
  it('keep every sequence of bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        expect(Buffer.compare(encodePath(decodePath(bytes)), bytes)).toBe(0);
      }),
    );
  });

  it('leave ordinary text alone', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(decodePath(Buffer.from(text, 'utf8'))).toBe(text);
      }),
    );
    expect(decodePath(Buffer.from('\ufeffbom', 'utf8'))).toBe('\ufeffbom');
  });

  it('give different strings for different bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
        expect(decodePath(a) === decodePath(b)).toBe(Buffer.compare(a, b) === 0);
      }),
    );
  });

  it('are shown inert, and as they are when they are harmless', () => {
    expect(showPath('src/naïve 文件.ts')).toBe('src/naïve 文件.ts');
    expect(showPath('a\nb')).toBe('"a\\nb"');
    expect(showPath('a\u202eb\x1b[2J')).toBe('"a\\u{202e}b\\u{1b}[2J"');
    expect(showPath(decodePath(Buffer.from([0x61, 0xff])))).toBe('"a\\xff"');
    expect(showPath('')).toBe('""');
  });

  it.each(['', '/a', 'a//b', './a', 'a/..', '..', 'a/', 'a\0b'])(
    'refuse %j as a path below the workspace',
    (path) => {
      expect(parseRelPath(path)).toBeUndefined();
    },
  );

  it.each(['a', '-rf', 'a/b c/\n', '...', '.git'])('accept %j', (path) =>
    expect(parseRelPath(path)).toBe(path),
  );
});
