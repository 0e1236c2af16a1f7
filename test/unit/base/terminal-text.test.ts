import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  escapeForTerminal,
  hasHiddenCharacters,
  ModelTextFilter,
  stripControlsForModel,
  TerminalEscaper,
} from '../../../src/base/terminal-text.ts';

/** Text from the corner of the alphabet where trouble lives. */
const nasty = fc
  .array(
    fc.constantFrom(
      'a',
      'Z',
      '0',
      ';',
      '[',
      ']',
      '\\',
      ' ',
      '\n',
      '\r',
      '\t',
      '\b',
      '\x07',
      '\x1b',
      '\x18',
      '\x9b',
      '\x9c',
      '\x9d',
      '\x90',
      'é',
      '漢',
      '👩',
      '\u200d',
      '💻',
      '\ufe0f',
      '\u202e',
      '\u0301',
      '🏽',
      '\u{e0041}',
      '1',
      'K',
      'G',
      'm',
      'P',
    ),
    { maxLength: 60 },
  )
  .map((parts) => parts.join(''));

function pieces(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const out: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts, bytes.length].map((n) => Math.min(n, bytes.length)).sort((a, b) => a - b)) {
    out.push(bytes.subarray(from, cut));
    from = cut;
  }
  return out;
}

describe('escapeForTerminal', () => {
  it('leaves ordinary text of any script alone', () => {
    const text = 'plain\ttext\nÅngström 漢字 עברית हिन्दी “quotes” – 👍🏽 👩‍💻 ⚠️\n';
    expect(escapeForTerminal(text)).toBe(text);
    expect(hasHiddenCharacters(text)).toBe(false);
  });

  it('shows line feeds and tabs when asked to', () => {
    expect(escapeForTerminal('a\n\tb', { keepNewlines: false, keepTabs: false })).toBe('a\\x0a\\x09b');
  });

  it('shows a byte that was no UTF-8 and a lone surrogate', () => {
    expect(escapeForTerminal('a\udcffb\ud800c')).toBe('a\\xffb<U+D800>c');
  });

  it('shows selectors and joiners that belong to no picture', () => {
    expect(escapeForTerminal('a\ufe0f b\u200dc 👩\u200dx')).toBe('a<U+FE0F> b<U+200D>c 👩<U+200D>x');
  });

  it('gives the same for a stream as for the whole, wherever bytes are cut', () => {
    fc.assert(
      fc.property(nasty, fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
        const escaper = new TerminalEscaper();
        const out = pieces(new TextEncoder().encode(text), cuts).map((piece) => escaper.push(piece));
        expect(out.join('') + escaper.end()).toBe(escapeForTerminal(text));
      }),
      {
        numRuns: 2000,
        examples: [
          ['👩\ufe0f\u0301\ufe0f', [8]],
          ['👩\u200d👩', [7]],
        ],
      },
    );
  });

  it('lets nothing through that a terminal obeys or an eye misses', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = escapeForTerminal(text);
        expect(/[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2060]/.test(shown)).toBe(false);
      }),
    );
  });
});

describe('stripControlsForModel', () => {
  it('removes colours, titles, links and device strings in both encodings', () => {
    expect(stripControlsForModel('\x1b[1;31mred\x1b[0m \x9b32mgreen\x9b0m')).toBe('red green');
    expect(
      stripControlsForModel('\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\ \x9d52;c;AAAA\x9cb'),
    ).toBe('alink b');
    expect(stripControlsForModel('\x1bPq#0\x1b\\x\x1b_apc\x1b\\y\x1b^pm\x1b\\z\x1bXsos\x1b\\')).toBe('xyz');
    expect(stripControlsForModel('\x1b]0;title\x1b[31mred\x1b]0;a\x1b]0;b\x07c')).toBe('redc');
    expect(stripControlsForModel('\x1b(B\x1b=\x1b>\x1bcok')).toBe('ok');
  });

  it('collapses progress lines to their last state', () => {
    expect(stripControlsForModel('10%\r50%\r100%\ndone\r\n')).toBe('100%\ndone\n');
    expect(stripControlsForModel('one\x1b[2K\x1b[1Gtwo\n')).toBe('two\n');
    expect(stripControlsForModel('kept\r\r\n')).toBe('kept\n');
  });

  it('takes back a character at a backspace', () => {
    expect(stripControlsForModel('N\bNA\bAM👍\bE')).toBe('NAME');
  });

  it('keeps text that an unclosed sequence would have hidden', () => {
    expect(stripControlsForModel('\x1b]0;visible\nnext')).toBe('0;visible\nnext');
    expect(stripControlsForModel('\x1b]end')).toBe('end');
    expect(stripControlsForModel(`\x1bP${'x'.repeat(9000)}tail`)).toBe(`${'x'.repeat(9000)}tail`);
  });

  it('shows invisible characters instead of passing them to the model', () => {
    expect(stripControlsForModel('a\u{e0069}b\u202ec')).toBe('a<U+E0069>b<U+202E>c');
  });

  it('gives the same for a stream as for the whole, wherever bytes are cut', () => {
    fc.assert(
      fc.property(nasty, fc.array(fc.nat(200), { maxLength: 8 }), (text, cuts) => {
        const filter = new ModelTextFilter();
        const out = pieces(new TextEncoder().encode(text), cuts).map((piece) => filter.push(piece));
        expect(out.join('') + filter.end()).toBe(stripControlsForModel(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('leaves no control character whatever comes in', () => {
    fc.assert(
      fc.property(nasty, (text) => {
        expect(/[\0-\x08\x0b-\x1f\x7f-\x9f]/.test(stripControlsForModel(text))).toBe(false);
      }),
      { numRuns: 500 },
    );
  });

  it('holds back no more than a bounded piece of an endless line', () => {
    const filter = new ModelTextFilter();
    let length = 0;
    for (let i = 0; i < 100; i++) length += filter.push('y'.repeat(10_000)).length;
    expect(length).toBeGreaterThan(1_000_000 - 32_768);
  });
});
