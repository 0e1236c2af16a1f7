import { expect, it } from 'vitest';
import { similarity } from '../../../src/diff/similarity.ts';

const of = (a: string, b: string, least = 0) => similarity(Buffer.from(a), Buffer.from(b), least);

it('is 1 for the same lines in any order, 0 for none in common', () => {
  expect(of('a\nb\n', 'b\na\n')).toBe(1);
  expect(of('a\n', 'b\n')).toBe(0);
  expect(of('', '')).toBe(1);
});

it('counts each line once', () => {
  expect(of('a\nb\nc\nd\n', 'a\na\na\na\n')).toBe(0.25);
});

it('gives up when the sizes alone rule it out', () => {
  expect(of('a\n', 'a\nb\nc\n', 0.5)).toBe(0);
  expect(of('a\n', 'a\nb\nc\n', 0.3)).toBeCloseTo(1 / 3);
});
