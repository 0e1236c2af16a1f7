/** Rules on code in a form that nobody reads: compiled, encoded, on endless lines, or beyond the edge of the screen. */
import { isBinary } from '../../base/is-binary.ts';
import { isNewExecutable } from './changes.ts';
import type { TextFacts } from './facts.ts';
import type { TextRule } from './rule.ts';

/** Longest line of a text that a person can be expected to have read. */
export const MAX_READABLE_LINE = 2000;
/** More than this is not looked at, and said so. */
export const MAX_READ_BYTES = 32 << 20;

const MAGIC: readonly (readonly [name: string, hex: string])[] = [
  ['an ELF program or library', '7f454c46'],
  ['a Windows program or library', '4d5a'],
  ['a Mach-O program or library', 'cffaedfe'],
  ['a Mach-O program or library', 'cefaedfe'],
  ['a Mach-O program or library', 'feedfacf'],
  ['a Mach-O program or library', 'feedface'],
  ['a Java class or universal program', 'cafebabe'],
  ['a WebAssembly module', '0061736d'],
  ['a static library', '213c617263683e0a'],
  ['an Android program', '6465780a'],
  ['Lua bytecode', '1b4c7561'],
];
const CODE_NAME =
  /\.(?:wasm|node|so(?:\.\d{1,9}){0,9}|dylib|dll|exe|com|scr|msi|jar|war|ear|aar|class|pyc|pyo|pyd|pyz|whl|egg|gem|a|o|ko|lib|dex|apk|bin|app|deb|rpm|snap|appimage|luac|beam|elc|swf|xpi|crx|vsix|vbs|lnk|scpt)$/i;

/** What kind of compiled code or package a file is, by its first bytes or its name. */
export function compiledKind(path: string, content: Uint8Array): string | undefined {
  const head = Buffer.from(content.subarray(0, 8)).toString('hex');
  const magic = isBinary(content) ? MAGIC.find(([, hex]) => head.startsWith(hex)) : undefined;
  return magic?.[0] ?? CODE_NAME.exec(path)?.[0];
}

/** Blanks amid a line, so many that what follows is off the screen. Begins only where a run begins, so it is linear. */
const FAR_RIGHT = /(?<![ \t])(?: {120,}|\t{20,})(?=[^\s])/;
const ENCODED =
  /(?<![\w+/=-])(?:[A-Za-z0-9+/_-]{600,}|(?:\\x[0-9a-fA-F]{2}){150,}|(?:\\u[0-9a-fA-F]{4}){150,}|(?:0x[0-9a-fA-F]{1,2},\s?){150,})/;
/** Lines of one width that hold nothing but such letters, as encoders break them. */
const ENCODED_LINE = /^[\s"'*#/+]{0,20}[A-Za-z0-9+/_-]{56,200}={0,2}[\s"'+,;\\]{0,6}$/;
const MOST_ENCODED_LINES = 24;

export const SHAPES: readonly TextRule<TextFacts>[] = [
  {
    id: 'long-line',
    severity: 'deceives',
    reason: 'a line of N characters',
    find: ({ longestLine: length }) => {
      return length > MAX_READABLE_LINE && `a line of ${length.toLocaleString('en-US')} characters`;
    },
    matches: [`x=1;${'y;'.repeat(1500)}`],
    not: ['short\n'.repeat(1000), { before: `${'z '.repeat(2000)}\n`, after: `${'z '.repeat(2000)}\nnew\n` }],
  },
  {
    id: 'far-right',
    severity: 'deceives',
    reason: 'text far to the right, behind many blanks',
    find: ({ added }) => added.length > 20 && FAR_RIGHT.test(added),
    matches: [`a();${' '.repeat(200)}evil();`, `a();${'\t'.repeat(40)}evil();`],
    not: [`${' '.repeat(40)}a();`, `a();${' '.repeat(300)}\n`, 'a    =  1'],
  },
  {
    id: 'encoded',
    severity: 'deceives',
    reason: 'a long encoded block: nobody can read it',
    find: ({ added, name, longestLine }) =>
      longestLine >= 56 &&
      !/\.(?:pem|crt|cert?|pub|asc|map|svg|lock|sum)$|lock\.(?:json|yaml)$/.test(name) &&
      ((longestLine >= 600 && ENCODED.test(added)) || hasEncodedLines(added)),
    matches: [
      `eval(atob("${'aGVsbG8g'.repeat(100)}"))`,
      `s = "${'\\x41'.repeat(200)}"`,
      `${'QUJDREVG'.repeat(9)}\n`.repeat(30),
    ],
    not: [
      'a'.repeat(70),
      `${'word '.repeat(200)}`,
      { path: 'a.svg', after: `<path d="${'a1'.repeat(500)}"/>` },
    ],
  },
  {
    id: 'shebang',
    severity: 'runs',
    reason: 'script: names its own interpreter',
    // That a program became one says as much already.
    find: ({ after, added, change }) =>
      after[0] === 0x23 && after[1] === 0x21 && added !== '' && !isNewExecutable(change),
    matches: ['#!/bin/sh\n', '#!/usr/bin/env node\nx()'],
    not: [
      '# title',
      ' #!/bin/sh',
      { before: '#!/bin/sh\na', after: '#!/bin/sh\na' },
      { mode: '100755', after: '#!/bin/sh\n' },
    ],
  },
];

function hasEncodedLines(text: string): boolean {
  let run = 0;
  for (let start = 0; start < text.length; ) {
    const found = text.indexOf('\n', start);
    const end = found < 0 ? text.length : found;
    const isLong = end - start >= 56 && end - start <= 260;
    run = isLong && ENCODED_LINE.test(text.slice(start, end)) ? run + 1 : 0;
    if (run >= MOST_ENCODED_LINES) return true;
    start = end + 1;
  }
  return false;
}
