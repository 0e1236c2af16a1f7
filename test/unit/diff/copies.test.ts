import { describe, expect, it } from 'vitest';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { Change, FileMode } from '../../../src/diff/change-set.ts';
import { findCopies } from '../../../src/diff/copies.ts';

const state = (oid: string, mode: FileMode = '100644') => ({ mode, oid });
const path = (name: string) => name as RelPath;

describe('a copy', () => {
  it('is an added file with the bytes that a changed file had before, one of its name first', () => {
    const changes: Change[] = [
      { path: path('a/one'), kind: 'modified', before: state('x'), after: state('y') },
      { path: path('b/two'), kind: 'deleted', before: state('x') },
      { path: path('moved'), from: path('was'), kind: 'renamed', before: state('m'), after: state('n') },
      { path: path('c/two'), kind: 'added', after: state('x') },
      { path: path('c/three'), kind: 'added', after: state('x') },
      { path: path('d'), kind: 'added', after: state('m') },
      { path: path('new'), kind: 'added', after: state('y') },
      { path: path('link'), kind: 'added', after: state('x', '120000') },
    ];
    expect(Object.fromEntries(findCopies(changes, 'empty'))).toEqual({
      'c/two': 'b/two',
      'c/three': 'a/one',
      d: 'was',
    });
  });

  it('is no empty file', () => {
    const changes: Change[] = [
      { path: path('a'), kind: 'deleted', before: state('empty') },
      { path: path('b'), kind: 'added', after: state('empty') },
      { path: path('c'), kind: 'added', after: state('empty') },
    ];
    expect(findCopies(changes, 'empty').size).toBe(0);
  });
});
