import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasHiddenCharacters } from '../../../../src/base/terminal-text.ts';
import { cutTo, textWidth, toSpans } from '../../../../src/tui/review/cells.ts';

const textOf = (spans: readonly { text: string }[]) => spans.map(({ text }) => text).join('');

describe('textWidth', () => {
  it.each([
    ['abc', 3],
    ['追加', 4],
    ['🎉', 2],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['한글', 4],
    ['ｆ', 2],
  ])('counts the columns of %s', (text, width) => expect(textWidth(text)).toBe(width));
});

describe('toSpans', () => {
  it('shows and marks what a terminal would obey or an eye would miss', () => {
    const [spans] = toSpans('a\x1b[2Jb\u202ec\ud800', {});
    expect(textOf(spans)).toBe('a\\x1b[2Jb<U+202E>c<U+D800>');
    expect(spans.filter(({ look }) => look.fg === 'hidden').map(({ text }) => text)).toEqual([
      '\\x1b',
      '<U+202E>',
      '<U+D800>',
    ]);
  });

  it('puts tabs up to the next stop, wherever the text begins', () => {
    expect(textOf(toSpans('\tx', {}, 2)[0])).toBe('  x');
    expect(toSpans('ab\tc', {})[1]).toBe(5);
  });

  it('gives nothing hidden out, whatever comes in', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = textOf(toSpans(text, {})[0]);
        expect(hasHiddenCharacters(shown)).toBe(false);
        expect(shown).not.toMatch(/[\n\t]/);
      }),
    );
  });
});

describe('cutTo', () => {
  it('gives exactly the columns that were asked for, of any text and from any column', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('a', '追', '🎉', 'e\u0301', ' ') }), { maxLength: 5 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 0, max: 20 }),
        (texts, width, from) => {
          const spans = texts.map((text) => ({ text, look: {} }));
          const made = cutTo(spans, width, {}, from);
          expect(made.reduce((sum, { text }) => sum + textWidth(text), 0)).toBe(width);
        },
      ),
    );
  });

  it('announces what is cut on the right', () => {
    expect(textOf(cutTo([{ text: 'abcdef', look: {} }], 4))).toBe('abc…');
    expect(textOf(cutTo([{ text: 'abcd', look: {} }], 4))).toBe('abcd');
  });
});
