import { describe, expect, it } from 'vitest';
import { Highlighter } from '../../../../src/tui/review/highlighter.ts';
import { readTokens } from '../../../../src/tui/review/tokens.ts';

describe('Highlighter', () => {
  it('colours lines, also those of a comment that goes over several', async () => {
    await using highlighter = new Highlighter();
    const [first, second, third] = await highlighter.colour('typescript', [
      'const a = 1;',
      '/* one',
      'two */',
    ]);
    expect(first?.[0]).toEqual([0, 5, 'keyword']);
    expect([second, third]).toEqual([[[0, 6, 'comment']], [[0, 6, 'comment']]]);
  });

  it('gives no colours, and no error, for a grammar that there is none of', async () => {
    await using highlighter = new Highlighter();
    expect(await highlighter.colour('../../secret', ['x'])).toEqual([]);
  });

  it('gives up a search that does not end, without waiting for it, and goes on', async () => {
    await using highlighter = new Highlighter({ deadlineMs: 0 });
    expect(await highlighter.colour('typescript', ['const a = 1;'])).toEqual([]);
  });

  it('answers what is still asked for when it ends', async () => {
    const highlighter = new Highlighter();
    const asked = highlighter.colour('typescript', ['a']);
    await highlighter[Symbol.asyncDispose]();
    expect(await asked).toEqual([]);
    expect(await highlighter.colour('typescript', ['a'])).toEqual([]);
  });
});

describe('readTokens', () => {
  it('counts characters, not their escapes', () => {
    expect(readTokens('a &lt; <span class="hljs-number">1</span>')).toEqual([[[4, 5, 'number']]]);
  });
});
