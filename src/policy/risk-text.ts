/** What an eye misses in a file: characters that don't show, lines too long to read, code in a form nobody reads. */

import { isBinary } from '../base/is-binary.ts';

/** Longest line of a text that a person can be expected to have read. */
export const MAX_READABLE_LINE = 2000;

const BIDIRECTIONAL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;
/** Zero-width, filler and tag characters, and variation selectors that carry data. U+200D and U+FE0F make emoji. */
const INVISIBLE =
  /(?!\u200d|\ufe0f|[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069])\p{Default_Ignorable_Code_Point}|[\ufff9-\ufffb]/gu;
const LONE_JOINER =
  /(?<!\p{Extended_Pictographic}|\p{Emoji_Modifier}|\ufe0f)\u200d|\u200d(?!\p{Extended_Pictographic})/gu;
const TERMINAL_CONTROL = /[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f]/gu;
/** A word of Latin letters with a Cyrillic, or a Greek look-alike, among them. */
const MIXED_SCRIPT =
  /[\p{Script=Latin}\d_$]*(?:\p{Script=Latin}[\p{Script=Cyrillic}ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαινρυ]|[\p{Script=Cyrillic}ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοαινρυ]\p{Script=Latin})/gu;

const CODE_MAGIC: readonly (readonly [name: string, hex: string])[] = [
  ['an ELF program or library', '7f454c46'],
  ['a Windows program or library', '4d5a'],
  ['a Mach-O program or library', 'cffaedfe'],
  ['a Mach-O program or library', 'cefaedfe'],
  ['a Java class or universal program', 'cafebabe'],
  ['a WebAssembly module', '0061736d'],
];
const CODE_NAME = /\.(?:wasm|node|so(?:\.\d+)*|dylib|dll|exe|jar|class|pyc|pyo|pyd|a|o|lib|dex|bin)$/i;

/** What is new in `after` and escapes the eye; what `before` had as often is no news. */
export function contentRisks(path: string, before: Uint8Array | undefined, after: Uint8Array): string[] {
  const compiled = compiledKind(path, after);
  if (compiled !== undefined) return [`compiled code: ${compiled}`];
  if (isBinary(after)) return ['binary file: its content was not shown'];
  const [old, now] = [textOf(before), textOf(after)];
  const risks: string[] = [];
  if (!isUtf8(after) && (before === undefined || isUtf8(before))) risks.push('text that is not UTF-8');
  const isMore = (pattern: RegExp) => count(now, pattern) > count(old, pattern);
  if (isMore(BIDIRECTIONAL)) risks.push('bidirectional characters: the text may not read as it runs');
  if (isMore(INVISIBLE) || isMore(LONE_JOINER)) risks.push('invisible characters');
  if (isMore(TERMINAL_CONTROL)) risks.push('control characters');
  if (isMore(MIXED_SCRIPT)) risks.push('words that mix look-alike letters of several scripts');
  if (longestLine(now) > MAX_READABLE_LINE && longestLine(now) > longestLine(old)) {
    risks.push(`a line of ${longestLine(now).toLocaleString('en-US')} characters`);
  }
  return risks;
}

function isUtf8(content: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(content);
    return true;
  } catch {
    // A decoder's way to say no.
    return false;
  }
}

function compiledKind(path: string, content: Uint8Array): string | undefined {
  const head = Buffer.from(content.subarray(0, 4)).toString('hex');
  const magic = isBinary(content) ? CODE_MAGIC.find(([, hex]) => head.startsWith(hex)) : undefined;
  if (magic) return magic[0];
  return CODE_NAME.test(path) ? (/\.[^.]+$/.exec(path)?.[0] ?? '') : undefined;
}

function textOf(content: Uint8Array | undefined): string {
  // A byte order mark at the beginning is how some editors save; inside the text it is an invisible character.
  return content === undefined ? '' : new TextDecoder('utf-8').decode(content);
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}

function longestLine(text: string): number {
  let longest = 0;
  for (const line of text.split('\n')) longest = Math.max(longest, line.length);
  return longest;
}
