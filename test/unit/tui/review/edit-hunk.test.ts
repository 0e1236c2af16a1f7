import { describe, expect, it } from 'vitest';
import { diffText } from '../../../../src/diff/text-diff.ts';
import { judgeEdit, sideOf } from '../../../../src/tui/review/edit-hunk.ts';

function hunkOf(before: string, after: string) {
  const diff = diffText(Buffer.from(before), Buffer.from(after));
  const hunk = diff.kind === 'text' ? diff.hunks[0] : undefined;
  if (hunk === undefined) throw new Error('there is no hunk');
  return hunk;
}

describe('sideOf', () => {
  it('gives both sides to the byte, with CRLF and without a final newline', () => {
    const hunk = hunkOf('a\r\nb\r\nc', 'a\r\nB\r\nc');
    expect(sideOf(hunk, 'old').toString()).toBe('a\r\nb\r\nc');
    expect(sideOf(hunk, 'new').toString()).toBe('a\r\nB\r\nc');
  });
});

describe('judgeEdit', () => {
  const hunk = hunkOf('a\nb\n', 'a\nc\n');
  const given = sideOf(hunk, 'new');
  const judge = (text: string, failure?: string) =>
    judgeEdit(hunk, given, { bytes: Buffer.from(text), ...(failure && { failure }) });

  it.each([
    ['a\nx\n', 'edited'],
    ['a\nc\n', 'unchanged'],
    ['a\nb\n', 'reject'],
  ])('takes %j as %s', (text, kind) => expect(judge(text).kind).toBe(kind));

  it.each([['a\n<<<<<<< mine\n'], ['a\n=======\n']])('refuses %j, and keeps what was typed', (text) => {
    expect(judge(text)).toMatchObject({ kind: 'refused', bytes: Buffer.from(text) });
  });

  it('refuses bytes that are no text, and what a failed editor left', () => {
    expect(judge('a\0').kind).toBe('refused');
    expect(judge('a\nx\n', 'the editor ended with exit code 1')).toMatchObject({
      kind: 'refused',
      bytes: Buffer.from('a\nx\n'),
    });
  });
});
