/** How a run of text looks, and what a terminal must be told for it. */

/** What a colour means; which one it is depends on the terminal. */
export type Colour =
  | 'added'
  | 'removed'
  | 'accent'
  | 'warning'
  | 'hidden'
  | 'muted'
  | 'keyword'
  | 'string'
  | 'number'
  | 'comment'
  | 'type'
  | 'name'
  | 'markup';

/** Backgrounds: of a changed line, of the changed words in it, of the row under the cursor, of a bar. */
export type Ground = 'addedLine' | 'addedWord' | 'removedLine' | 'removedWord' | 'cursor' | 'bar';

export interface Look {
  fg?: Colour;
  bg?: Ground;
  bold?: boolean;
  dim?: boolean;
  underline?: boolean;
  inverse?: boolean;
}

/** `none`: attributes only (`NO_COLOR`); `basic`: the 8 colours; `many`: 256 colours with backgrounds. */
export type Depth = 'none' | 'basic' | 'many';

export interface Palette {
  depth: Depth;
  isLight: boolean;
}

/** What the terminal can show, by what the environment says of it. A dumb terminal is no place for a screen at all. */
export function paletteOf(environment: Record<string, string | undefined>): Palette {
  const { NO_COLOR, TERM = '', COLORTERM, COLORFGBG } = environment;
  const hasMany = /256|truecolor|direct|kitty|alacritty|ghostty|wezterm/.test(`${TERM} ${COLORTERM ?? ''}`);
  // "15;0" is white on black; a last number of 7 or 9 to 15 is a light ground.
  const ground = Number(COLORFGBG?.split(';').at(-1) || Number.NaN);
  return {
    depth: NO_COLOR ? 'none' : hasMany ? 'many' : 'basic',
    isLight: ground === 7 || ground > 8,
  };
}

const BASIC: Record<Colour, string> = {
  added: '32',
  removed: '31',
  accent: '36',
  warning: '33',
  hidden: '31',
  muted: '2',
  keyword: '35',
  string: '32',
  number: '33',
  comment: '2',
  type: '36',
  name: '34',
  markup: '34',
};

const DARK: Record<Colour | Ground, number> = {
  added: 114,
  removed: 210,
  accent: 80,
  warning: 221,
  hidden: 203,
  muted: 245,
  keyword: 176,
  string: 150,
  number: 215,
  comment: 245,
  type: 117,
  name: 111,
  markup: 111,
  addedLine: 22,
  addedWord: 28,
  removedLine: 52,
  removedWord: 88,
  cursor: 238,
  bar: 236,
};

const LIGHT: Record<Colour | Ground, number> = {
  added: 28,
  removed: 160,
  accent: 30,
  warning: 130,
  hidden: 160,
  muted: 244,
  keyword: 90,
  string: 28,
  number: 130,
  comment: 243,
  type: 24,
  name: 26,
  markup: 26,
  addedLine: 194,
  addedWord: 157,
  removedLine: 224,
  removedWord: 217,
  cursor: 252,
  bar: 254,
};

/** The escape sequence that turns a plain terminal into this look; empty for none. Every look is closed by `\x1b[0m`. */
export function sgr(look: Look, { depth, isLight }: Palette): string {
  const codes: string[] = [];
  if (look.bold) codes.push('1');
  if (look.dim) codes.push('2');
  const isWord = look.bg === 'addedWord' || look.bg === 'removedWord';
  if (look.underline || (isWord && depth === 'none')) codes.push('4');
  if (look.inverse || ((look.bg === 'bar' || look.bg === 'cursor') && depth !== 'many')) codes.push('7');
  else if (isWord && depth === 'basic') codes.push('7');
  if (look.fg && depth !== 'none') codes.push(foreground(look.fg, depth, isLight));
  if (look.bg && depth === 'many') codes.push(`48;5;${(isLight ? LIGHT : DARK)[look.bg]}`);
  return codes.length === 0 ? '' : `\x1b[${codes.join(';')}m`;
}

function foreground(colour: Colour, depth: Depth, isLight: boolean): string {
  return depth === 'basic' ? BASIC[colour] : `38;5;${(isLight ? LIGHT : DARK)[colour]}`;
}
