import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lineOrigins, NEW_LINE } from '../../../src/diff/line-origins.ts';
import { splitLines } from '../../../src/diff/lines.ts';

const origins = (before: string, after: string) => [...lineOrigins(Buffer.from(before), Buffer.from(after))];

const text = fc
  .array(fc.constantFrom('a\n', 'b\n', 'c\r\n', '\n', 'd\n', 'open'), { maxLength: 25 })
  .map((lines) => Buffer.from(lines.join('')));

describe('line origins', () => {
  it('names the old line of each line that stayed', () => {
    expect(origins('a\nb\nc\n', 'new\na\nc\nd\n')).toEqual([NEW_LINE, 0, 2, NEW_LINE]);
    expect(origins('', 'a\n')).toEqual([NEW_LINE]);
    expect(origins('a\n', '')).toEqual([]);
  });

  it('tells a line with its line feed from one without', () => {
    expect(origins('a\nb', 'a\nb\nc')).toEqual([0, NEW_LINE, NEW_LINE]);
    expect(origins('a\r\nb\r\n', 'a\nb\r\n')).toEqual([NEW_LINE, 1]);
  });

  it('never names a line that is another, nor one twice, nor out of order', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const old = splitLines(before);
        const now = splitLines(after);
        const found = [...lineOrigins(before, after)];
        expect(found).toHaveLength(now.length);
        let last = -1;
        for (const [at, origin] of found.entries()) {
          if (origin === NEW_LINE) continue;
          expect(old[origin]).toBe(now[at]);
          expect(origin).toBeGreaterThan(last);
          last = origin;
        }
        if (before.equals(after)) expect(found).toEqual([...old.keys()]);
      }),
    );
  });

  it('matches files too different to compare by the lines they have once', () => {
    const old = Array.from({ length: 9000 }, (_, at) => `${at}\n`);
    // Every second line moves to the end, in another order: thousands of edits.
    const kept = old.filter((_, at) => at % 2 === 0);
    const moved = old.filter((_, at) => at % 2 === 1).reverse();
    const found = origins(old.join(''), [...kept, ...moved].join(''));
    expect(found.slice(0, kept.length)).toEqual(kept.map((line) => Number(line)));
    const places = found.filter((origin) => origin !== NEW_LINE);
    expect(places).toEqual([...places].sort((a, b) => a - b));
  });

  it('takes every line next to a binary file for new', () => {
    expect(origins('a\n\0', 'a\nb\n')).toEqual([NEW_LINE, NEW_LINE]);
  });
});
