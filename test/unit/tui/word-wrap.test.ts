import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WordWrap, wrapWords } from '../../../src/tui/word-wrap.ts';

describe('wrapWords', () => {
  it('breaks between words, keeps line ends and what begins a line, and indents what it broke', () => {
    expect(wrapWords('one two three', 8)).toBe('one two\nthree');
    expect(wrapWords('a\n\n    code here', 12)).toBe('a\n\n    code\nhere');
    expect(wrapWords('! one two three', 9, '  ')).toBe('! one two\n  three');
    expect(wrapWords('first second', 5)).toBe('first\nsecond');
    expect(wrapWords('漢字漢字', 5)).toBe('漢字\n漢字');
  });

  it('says the same text, whole or in pieces, and no line is too long that could be broken', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '漢'), maxLength: 60 });
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 20 }), fc.nat(60), (all, columns, at) => {
        const wrap = new WordWrap(() => columns);
        const whole = wrapWords(all, columns);
        expect(wrap.push(all.slice(0, at)) + wrap.push(all.slice(at)) + wrap.end()).toBe(whole);
        expect(whole.replace(/[ \n]/g, '')).toBe(all.replace(/[ \n]/g, ''));
        for (const line of whole.split('\n')) {
          if (line.trim().includes(' ')) {
            expect(line.trimEnd().replace(/漢/g, 'xx').length).toBeLessThanOrEqual(columns);
          }
        }
      }),
    );
  });
});
