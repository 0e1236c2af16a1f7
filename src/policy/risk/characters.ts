/** Rules on characters that hide, or that make a text read as something else than it is. */
import { isUtf8 } from 'node:buffer';
import type { TextFacts } from './facts.ts';
import { textOf } from './facts.ts';
import { findTwins, hasDisguisedLetters, mixesLookAlikes } from './look-alikes.ts';
import type { TextRule } from './rule.ts';
import { showNames } from './shown-names.ts';

const BIDIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;
/** Zero-width, filler and tag characters, and variation selectors that carry data. U+200D and U+FE0F make emoji. */
const INVISIBLE =
  /(?![\u200d\ufe0e\ufe0f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])\p{Default_Ignorable_Code_Point}|[\ufff9-\ufffb\u2800]/u;
const LONE_JOINER =
  /(?<!\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d|\u200d(?!\p{Extended_Pictographic})/u;
/** A selector that chooses a picture follows one, or a digit of a keycap, and is one. */
const LONE_SELECTOR =
  /(?<![\p{Emoji}\p{Extended_Pictographic}\p{Sm}\p{So}])[\ufe0e\ufe0f]|[\ufe0e\ufe0f]{2}/u;
const CONTROL = /[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f]|\r(?!\n|$)/u;
/** Line ends to a parser, though not to the eye. */
const LINE_SEPARATOR = /[\u2028\u2029\u0085]/u;
/** Letters and signs that pass for punctuation: ; ! : / */
const PUNCTUATION = /[\u037e\u01c3\ua789\u2215\u2044\u29f8]/u;

export const CHARACTERS: readonly TextRule<TextFacts>[] = [
  {
    id: 'encoding',
    severity: 'deceives',
    reason: 'text that is not UTF-8',
    find: ({ before, after }) => !isUtf8(after) && (before === undefined || isUtf8(before)),
    matches: [{ after: Buffer.from('caf\xe9', 'latin1') }],
    not: ['café', { before: Buffer.from('\xe9', 'latin1'), after: Buffer.from('\xe8', 'latin1') }],
  },
  {
    id: 'bidirectional',
    severity: 'deceives',
    reason: 'bidirectional characters: the text may not read as it runs',
    find: (facts) => !facts.isPlain && BIDIRECTIONAL.test(facts.added),
    matches: ['if (\u202e admin) {}', 'a\u2066b', { before: 'a\u202eb\n', after: 'a\u202ec\n' }],
    not: ['עברית', 'العربية', { before: 'a\u202eb\n', after: 'new\na\u202eb\n' }],
  },
  {
    id: 'invisible',
    severity: 'deceives',
    reason: 'invisible characters',
    find: ({ isPlain, added }) =>
      !isPlain && (INVISIBLE.test(added) || LONE_JOINER.test(added) || LONE_SELECTOR.test(added)),
    matches: [
      'a\u200bb',
      'const \u3164 = 1',
      'x\u{e0041}\u{e0042}',
      'x\u{e0101}',
      'a\ufe0f',
      '😀\ufe0f\ufe0e\ufe0f',
      'ab\u200dcd',
      'a\ufeffb',
      'a\u2800b',
    ],
    not: ['👩‍💻 👍🏽 ❤️ 👨‍👩‍👧 1️⃣', '\ufefftext', 'naïve'],
  },
  {
    id: 'control',
    severity: 'deceives',
    reason: 'control characters',
    find: ({ added }) => CONTROL.test(added),
    matches: ['echo "\u001b[2K"', 'evil()\rharmless()', 'a\u009b1mb'],
    not: ['a\r\nb\r\n', '\tx\f\n'],
  },
  {
    id: 'line-separator',
    severity: 'deceives',
    reason: 'line separators that do not show: what follows may be another line',
    find: ({ isPlain, added }) => !isPlain && LINE_SEPARATOR.test(added),
    matches: ['// note \u2028evil()', 'a\u2029b'],
    not: ['a\nb'],
  },
  {
    id: 'look-alike',
    severity: 'deceives',
    reason: 'words that mix look-alike letters of several scripts',
    find: ({ isPlain, added }) => !isPlain && mixesLookAlikes(added),
    matches: ['const p\u0430yload = 1', 'pass\u03bford', 'user_\u0441ount', 'ｅval(x)', 'b\u{1d41a}d'],
    not: ['Привет мир, 日本語, Ελληνικά', 'Δx = λy', '使用API接口', '全角ＡＢＣ', 'naïve café'],
  },
  {
    id: 'twin',
    severity: 'deceives',
    reason: 'a word of other letters that looks like one in the same file',
    find: (facts) => {
      if (facts.isPlain) return false;
      const twins = findTwins(facts.added, textOf(facts.after));
      return twins.length > 0 && `words of other letters that look like ${showNames(twins)}`;
    },
    matches: [
      'copy(x); \u0441\u043e\u0440\u0443(x)',
      { before: 'let scope\n', after: 'let scope\n\u0455\u0441\u043e\u0440\u0435\n' },
    ],
    not: ['ухо и оса', 'copy(x) // скопировать'],
  },
  {
    id: 'disguised-letters',
    severity: 'deceives',
    reason: 'letters in disguise: some compilers read them as plain ones',
    find: ({ isPlain, added }) => !isPlain && hasDisguisedLetters(added),
    matches: ['\u{1d41e}\u{1d42f}\u{1d41a}\u{1d425}(x)'],
    not: ['x ∈ ℝ', '𝛼 + 1'],
  },
  {
    id: 'punctuation',
    severity: 'deceives',
    reason: 'characters that pass for punctuation',
    find: ({ isPlain, added }) => !isPlain && PUNCTUATION.test(added),
    matches: ['a = 1\u037e', 'if (env\u01c3=x)', 'a\ua789b', 'https:\u2044\u2044x'],
    not: ['a; b! c: d/e — f – g', '“quoted”…'],
  },
];
