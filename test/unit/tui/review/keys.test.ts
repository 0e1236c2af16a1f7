import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Input, KeyReader } from '../../../../src/tui/review/keys.ts';

const read = (text: string) => {
  const reader = new KeyReader();
  return [...reader.push(text), ...reader.flush()];
};
const key = (name: string): Input => ({ kind: 'key', key: name });

describe('KeyReader', () => {
  it.each([
    ['a', key('a')],
    ['\x1b[A', key('up')],
    ['\x1bOB', key('down')],
    ['\x1b[6~', key('pagedown')],
    ['\x1b[1;5C', key('right')],
    ['\r', key('enter')],
    ['\x12', key('ctrl-r')],
    ['\x1b', key('escape')],
    ['\x1b[<64;10;5M', { kind: 'mouse', act: 'wheel-up', column: 9, row: 4 }],
    ['\x1b[<0;1;1M', { kind: 'mouse', act: 'click', column: 0, row: 0 }],
    ['\x1b[200~a\rb\x1b[201~', { kind: 'paste', text: 'a\rb' }],
    ['\x1b]11;rgb:0000/0000/0000\x1b\\', { kind: 'ground', light: 0 }],
  ] as const)('reads %j', (text, input) => expect(read(text)).toEqual([input]));

  it('reads the same however the bytes are cut', () => {
    const text = 'j\x1b[A\x1b[200~x y\x1b[201~\x1b[<65;3;4M追\x1b]11;rgb:0/0/0\x07k';
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1 }), (sizes) => {
        const reader = new KeyReader();
        const out: Input[] = [];
        for (let at = 0, turn = 0; at < text.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          out.push(...reader.push(text.slice(at, at + size)));
          at += size;
        }
        expect(out).toEqual(read(text));
      }),
    );
  });

  it('takes no key out of a paste', () => {
    expect(read('\x1b[200~aaa\x1b[201~').some(({ kind }) => kind === 'key')).toBe(false);
  });
});
