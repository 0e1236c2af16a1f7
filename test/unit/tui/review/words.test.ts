import { describe, expect, it } from 'vitest';
import { diffWords } from '../../../../src/tui/review/word-diff.ts';

const cut = (text: string, ranges: readonly (readonly [number, number])[]) =>
  ranges.map(([from, to]) => text.slice(from, to));

describe('diffWords', () => {
  it('marks the words that differ, and no more', () => {
    const [old, now] = ['const a = one(two);', 'const a = uno(two);'];
    const diff = diffWords(old, now);
    expect([cut(old, diff?.old ?? []), cut(now, diff?.now ?? [])]).toEqual([['one'], ['uno']]);
  });

  it('marks nothing in lines that have nothing in common', () => {
    expect(diffWords('alpha beta gamma', '{ return 1; }')).toBeUndefined();
  });

  it('does not look into lines that are too long to be read', () => {
    expect(diffWords('a '.repeat(5000), 'b '.repeat(5000))).toBeUndefined();
  });
});
