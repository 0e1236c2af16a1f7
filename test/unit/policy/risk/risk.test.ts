import { describe, expect, it } from 'vitest';
import { riskOf } from '../../../../src/policy/risk.ts';

const file = { mode: '100644' };
const risksOf = (path: string) => riskOf({ path, before: file, after: file });
const textRisks = (after: string | Uint8Array, before = '', path = 'src/a.ts') =>
  riskOf({ path, before: file, after: file }, { before: Buffer.from(before), after: Buffer.from(after) });

describe('names', () => {
  it('marks a deletion of such a file too', () => {
    expect(riskOf({ path: '.husky/pre-commit', before: file })).toHaveLength(1);
  });

  it('marks names with characters that do not show, and .git in any spelling', () => {
    expect(risksOf('src/a\u200bb.ts')).toHaveLength(1);
    expect(risksOf('src/x\u202egnp.ts')).toHaveLength(1);
    expect(risksOf('a/.GIT/config')).toContainEqual(expect.stringContaining('.git'));
  });
});

describe('modes', () => {
  it('marks what becomes executable, stops being it, and symlinks', () => {
    const change = (before: string | undefined, after: string) =>
      riskOf({ path: 'x', ...(before && { before: { mode: before } }), after: { mode: after } });
    expect(change(undefined, '100755')).toEqual(['new executable']);
    expect(change('100644', '100755')).toEqual(['becomes executable']);
    expect(change('100755', '100644')).toEqual(['no longer executable']);
    expect(change(undefined, '120000')).toEqual(['symlink']);
    expect(change('120000', '120000')).toEqual(['symlink: points elsewhere now']);
    expect(change('100755', '100755')).toEqual([]);
    expect(change(undefined, '100644')).toEqual([]);
  });
});

describe('content', () => {
  it.each([
    ['a bidirectional override', 'if (\u202e admin) {}', 'bidirectional'],
    ['an isolate', 'a\u2066b', 'bidirectional'],
    ['a zero-width space', 'a\u200bb', 'invisible'],
    ['a Hangul filler', 'const \u3164 = 1', 'invisible'],
    ['tag characters', 'x\u{e0041}\u{e0042}', 'invisible'],
    ['a variation selector that carries data', 'x\u{e0101}', 'invisible'],
    ['a lone joiner', 'ab\u200dcd', 'invisible'],
    ['a byte order mark inside', 'a\ufeffb', 'invisible'],
    ['an escape sequence', 'echo "\u001b[2K"', 'control'],
    ['a Cyrillic letter in a Latin word', 'const p\u0430yload = 1', 'look-alike'],
    ['a Greek letter in a Latin word', 'pass\u03bford', 'look-alike'],
    ['a line nobody reads', `x=1;${'y'.repeat(3000)}`, 'a line of'],
  ])('marks %s', (_, text, reason) => {
    expect(textRisks(text)).toContainEqual(expect.stringContaining(reason));
  });

  it.each([
    ['plain code', 'const a = 1;\n\treturn a;\r\n'],
    ['other scripts by themselves', 'Привет мир, 日本語, Ελληνικά, עברית'],
    ['emoji made with joiners', '👩‍💻 👍🏽 ❤️ 👨‍👩‍👧'],
    ['a byte order mark at the beginning', '\ufefftext'],
    ['accents', 'naïve café'],
  ])('finds nothing in %s', (_, text) => {
    expect(textRisks(text)).toEqual([]);
  });

  it('marks bytes that are no UTF-8', () => {
    expect(textRisks(Buffer.from('caf\xe9', 'latin1'))).toEqual(['text that is not UTF-8']);
    expect(
      riskOf(
        { path: 'a', before: file, after: file },
        { before: Buffer.from('\xe9', 'latin1'), after: Buffer.from('\xe8', 'latin1') },
      ),
    ).toEqual([]);
  });

  it('marks what is new only', () => {
    expect(textRisks('a\u200bb\nmore', 'a\u200bb')).toEqual([]);
    expect(textRisks('a\u200bb\u200b', 'a\u200bb')).toEqual(['invisible characters']);
  });

  it('marks compiled code by its magic or name, and other binaries', () => {
    expect(textRisks(Buffer.from('7f454c460201010000', 'hex'), '', 'data')).toEqual([
      expect.stringContaining('ELF'),
    ]);
    expect(textRisks('x', '', 'lib/addon.node')).toEqual([expect.stringContaining('compiled')]);
    expect(textRisks(Buffer.from([1, 0, 2]), '', 'x.png')).toEqual([expect.stringContaining('binary')]);
    expect(textRisks('MZ is a text', '', 'notes.txt')).toEqual([]);
  });
});
