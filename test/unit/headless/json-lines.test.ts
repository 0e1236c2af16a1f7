import { describe, expect, it } from 'vitest';
import { createJsonLines, toInertJson } from '../../../src/headless/json-lines.ts';

describe('JSON lines', () => {
  it('are one object a line that parses back to the same value', () => {
    const lines: string[] = [];
    const write = createJsonLines((text) => lines.push(text));
    const event = { type: 'x', text: 'a\nb\u2028c\u009b\u202e\u{e0041}é😀' };
    write(event);
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(lines[0]?.slice(0, -1)).not.toContain('\n');
    expect(JSON.parse(lines[0] ?? '')).toEqual(event);
  });

  it('hold nothing that a terminal acts on or an eye can not see', () => {
    const text = toInertJson('\x1b[2J\x07\x7f\u0085\u009d\u200b\u2066\ufeff\u{e007f}\u00ad');
    expect(text).not.toMatch(
      /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u,
    );
  });
});
