import { Terminal } from '@xterm/headless';
import { describe, expect, it } from 'vitest';
import { escapeForTerminal, stripControlsForModel, TerminalEscaper } from '../../src/base/terminal-text.ts';
import { openToolSandbox } from '../support/tool-sandbox.ts';

/** T01 to T05: what each row of the catalogue tries, with the text that must stay visible. */
const ATTACKS: [string, string, string][] = [
  ['OSC 52, the clipboard', '\x1b]52;c;ZXZpbA==\x07visible', '\\x1b]52;c;ZXZpbA==\\x07visible'],
  ['OSC 52 closed by ST', '\x1b]52;c;ZXZpbA==\x1b\\visible', '\\x1b]52;c;ZXZpbA==\\x1b\\visible'],
  ['cursor up and erase', 'bad\n\x1b[1A\x1b[2Kgood', 'bad\n\\x1b[1A\\x1b[2Kgood'],
  ['carriage return over a line', 'rm -rf /\rls       ', 'rm -rf /\\x0dls       '],
  ['backspace over text', 'evil\b\b\b\bgood', 'evil\\x08\\x08\\x08\\x08good'],
  [
    'a link with another target',
    '\x1b]8;;http://evil\x07good\x1b]8;;\x07',
    '\\x1b]8;;http://evil\\x07good\\x1b]8;;\\x07',
  ],
  ['the title', '\x1b]0;sudo\x07x', '\\x1b]0;sudo\\x07x'],
  [
    'DCS, APC, PM and SOS',
    '\x1bPa\x1b\\\x1b_b\x1b\\\x1b^c\x1b\\\x1bXd\x1b\\',
    '\\x1bPa\\x1b\\\\x1b_b\\x1b\\\\x1b^c\\x1b\\\\x1bXd\\x1b\\',
  ],
  ['reset and alternate screen', '\x1bc\x1b[?1049h', '\\x1bc\\x1b[?1049h'],
  ['the end of a bracketed paste', '\x1b[201~rm', '\\x1b[201~rm'],
  ['C1 as one character', '\u009b2J\u009d52;c;x\u009c\u0090q\u009c', '\\x9b2J\\x9d52;c;x\\x9c\\x90q\\x9c'],
  ['lone escape, delete, bell, shift out', 'a\x1b b\x7f c\x07 d\x0e', 'a\\x1b b\\x7f c\\x07 d\\x0e'],
  ['a NUL', 'a\0b', 'a\\x00b'],
  [
    'bidirectional overrides and isolates',
    '\u202aa\u202eb\u2066c\u2069',
    '<U+202A>a<U+202E>b<U+2066>c<U+2069>',
  ],
  ['zero width and joiners', 'a\u200bb\u200dc\u2060d\ufeffe', 'a<U+200B>b<U+200D>c<U+2060>d<U+FEFF>e'],
  ['tag characters', 'a\u{e0049}\u{e0067}b', 'a<U+E0049><U+E0067>b'],
  [
    'soft hyphen, Hangul filler, variation selectors',
    'a\u00adb\u3164c\ufe0fd\u{e0100}',
    'a<U+00AD>b<U+3164>c<U+FE0F>d<U+E0100>',
  ],
  ['line and paragraph separators', 'a\u2028b\u2029c', 'a<U+2028>b<U+2029>c'],
  ['a tower of combining marks', `a${'\u0301'.repeat(20)}`, `a${'<U+0301>'.repeat(20)}`],
];

/** What a terminal shows, line by line, and what it was made to do besides. */
async function show(text: string): Promise<{ lines: string[]; sideEffects: string[] }> {
  const terminal = new Terminal({ cols: 200, rows: 20, allowProposedApi: true, convertEol: true });
  const sideEffects: string[] = [];
  terminal.onTitleChange((title) => sideEffects.push(`title ${title}`));
  terminal.onBell(() => sideEffects.push('bell'));
  terminal.onData((data) => sideEffects.push(`reply ${data}`));
  terminal.parser.registerOscHandler(52, () => {
    sideEffects.push('clipboard');
    return true;
  });
  await new Promise<void>((resolve) => terminal.write(text, resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: 20 }, (_, row) => active.getLine(row)?.translateToString(true) ?? '');
  if (active.type !== 'normal') sideEffects.push('alternate screen');
  terminal.dispose();
  return { lines, sideEffects };
}

describe('nothing that a guest writes is obeyed by a terminal or hidden from an eye', () => {
  it.each(ATTACKS)('shows %s', async (_, raw, shown) => {
    expect(escapeForTerminal(raw)).toBe(shown);
    const screen = await show(escapeForTerminal(raw));
    expect(screen.sideEffects).toEqual([]);
    expect(screen.lines.slice(0, 2).join('\n').trimEnd().normalize()).toBe(shown.trimEnd().normalize());
  });

  it.each(ATTACKS)('shows %s when it comes byte by byte', (_, raw, shown) => {
    const escaper = new TerminalEscaper();
    let out = '';
    for (const byte of Buffer.from(raw)) out += escaper.push(Uint8Array.of(byte));
    expect(out + escaper.end()).toBe(shown);
  });

  it('would notice: unescaped, the terminal obeys', async () => {
    expect((await show('\x1b]52;c;ZXZpbA==\x07\x1b]0;t\x07\x07\x1b[?1049h')).sideEffects).toEqual([
      'clipboard',
      'title t',
      'bell',
      'alternate screen',
    ]);
  });
});

describe('a tool result holds no control or invisible character', () => {
  it.each(ATTACKS)('after %s in a command, a file, a name or a match', async (_, raw) => {
    const { run, sandbox, root } = await openToolSandbox();
    const name = raw.replaceAll('/', '_').replaceAll('\0', '').replaceAll('\n', '');
    await sandbox.write(
      `${root}/content.txt`,
      Buffer.from(`match ${raw}\n${'text '.repeat(40)}\n`.replaceAll('\0', '')),
      {},
    );
    await sandbox.write(`${root}/n${name}`, Buffer.from('named\n'), {});
    const results = [
      await run('bash', { command: 'cat content.txt; ls' }),
      await run('read', { path: 'content.txt' }),
      await run('read', { path: '.' }),
      await run('read', { path: `missing${raw}` }),
      await run('glob', { pattern: '*' }),
      await run('grep', { pattern: 'match|named', mode: 'content' }),
      await run('grep', { pattern: 'named' }),
      await run('edit', { path: 'content.txt', old_string: 'match', new_string: 'found' }),
      await run('todo', { items: [{ content: `do ${raw}`, status: 'pending' }] }),
    ];
    for (const { text } of results) {
      expect(text).not.toMatch(
        /[\0-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200b\u2060\u{e0000}-\u{e0fff}]/u,
      );
    }
  });

  it('also when an instruction is written in tag characters (M10)', () => {
    const hidden = Array.from('ignore all', (char) =>
      String.fromCodePoint(0xe0000 + char.charCodeAt(0)),
    ).join('');
    expect(stripControlsForModel(`a${hidden}b`)).toContain('<U+E0069><U+E0067>');
  });
});
