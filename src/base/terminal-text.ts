/**
 * Text from a guest or a model, made safe to look at. Two answers for two readers: a person's terminal gets every
 * control and invisible character *shown* (nothing is stripped, so nothing can hide); the model gets what a
 * person would have seen: escape sequences parsed and removed, progress lines collapsed, and what is left shown.
 *
 * `util.stripVTControlCharacters` is no substitute: it leaves C1, DCS and lone controls, and eats visible text.
 */

export interface EscapeOptions {
  /** Line feeds stay line feeds. Default: true. */
  keepNewlines?: boolean;
  /** Tabs stay tabs. Default: true. */
  keepTabs?: boolean;
}

/** Marks stacked on one character beyond this are shown one by one: a tall stack covers the lines around it. */
const MAX_COMBINING_RUN = 6;

/**
 * Controls, everything that renders as nothing (zero-width, bidirectional, tags, variation selectors, fillers), line
 * and paragraph separators, lone surrogates and noncharacters. Private-use glyphs and wide spaces are visible: they stay.
 */
const HIDDEN =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u;
const UNSAFE = new RegExp(`${HIDDEN.source}|\\p{M}{${MAX_COMBINING_RUN + 1},}`, 'gu');
/** What is safe by far most of the time, tested first. */
const PLAIN = /^[\x20-\x7e\n\t]*$/;
const PICTOGRAPH_BEFORE = /(?:\p{Extended_Pictographic}\ufe0f?|\p{Emoji_Modifier})$/u;
const PICTOGRAPH_AFTER = /^\p{Extended_Pictographic}/u;

/**
 * The text with every character shown that a terminal would obey or an eye would miss: controls as `\x1b`, others as
 * `<U+202E>`, a byte that was no UTF-8 (a lone surrogate of `decodePath`) as `\xff`. Emoji sequences stay whole. Never
 * shorter in meaning than the input: nothing is removed.
 */
export function escapeForTerminal(text: string, options: EscapeOptions = {}): string {
  const { keepNewlines = true, keepTabs = true } = options;
  if (keepNewlines && keepTabs && PLAIN.test(text)) return text;
  return text.replace(UNSAFE, (found, at: number) => {
    if (found === '\n' && keepNewlines) return found;
    if (found === '\t' && keepTabs) return found;
    if (isPartOfEmoji(text, found, at)) return found;
    return Array.from(found, showCharacter).join('');
  });
}

/** True when {@link escapeForTerminal} would show something: hidden, bidirectional or control characters. */
export function hasHiddenCharacters(text: string): boolean {
  return !PLAIN.test(text) && escapeForTerminal(text) !== text;
}

function showCharacter(char: string): string {
  const code = char.codePointAt(0) ?? 0;
  if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  return `<U+${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}

/** One variation selector after a pictograph, and a joiner between two, change a picture that can be seen. */
function isPartOfEmoji(text: string, found: string, at: number): boolean {
  if (found !== '\ufe0f' && found !== '\ufe0e' && found !== '\u200d') return false;
  const before = text.slice(Math.max(0, at - 3), at);
  if (found !== '\u200d') return /\p{Extended_Pictographic}$/u.test(before);
  return PICTOGRAPH_BEFORE.test(before) && PICTOGRAPH_AFTER.test(text.slice(at + 1, at + 3));
}

/**
 * {@link escapeForTerminal} for a stream: give it bytes or text in any pieces, in order. A character or an emoji that
 * is cut between pieces is held back; {@link end} gives what is still held.
 */
export class TerminalEscaper {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  readonly #options: EscapeOptions;
  #held = '';

  constructor(options: EscapeOptions = {}) {
    this.#options = options;
  }

  push(piece: string | Uint8Array): string {
    const text =
      this.#held + (typeof piece === 'string' ? piece : this.#decoder.decode(piece, { stream: true }));
    const cut = holdFrom(text);
    this.#held = text.slice(cut);
    return escapeForTerminal(text.slice(0, cut), this.#options);
  }

  end(): string {
    const rest = this.#held + this.#decoder.decode();
    this.#held = '';
    return escapeForTerminal(rest, this.#options);
  }
}

/** Where the tail begins that the next piece may still change; bounded, so a hostile stream can't grow it. */
function holdFrom(text: string): number {
  const open = OPEN_TAIL.exec(text.slice(-64));
  return open === null ? text.length : text.length - open[0].length;
}

const PICTURE = String.raw`(?:\p{Extended_Pictographic}|\p{Emoji_Modifier})(?:\p{M}|\p{Emoji_Modifier})*`;
/** A picture with all that is joined to it, a stack of marks, or half a surrogate pair. */
const OPEN_TAIL = new RegExp(`(?:${PICTURE}(?:\\u200d(?:${PICTURE})?)*|\\p{M}+|[\\ud800-\\udbff])$`, 'u');

/** Escape sequences longer than this are no sequences: their text is kept. A title or a link is shorter. */
const MAX_CSI = 128;
const MAX_STRING = 8192;
/** A line longer than this is given out in pieces, so that memory stays bounded. */
const MAX_HELD_LINE = 16_384;
const CONTROL = /[\0-\x08\x0b-\x1f\x7f-\x9f]/;
/** Characters that can't start or end anything. */
const GROUND_RUN = /[^\0-\x08\x0a-\x1f\x7f-\x9f]+/y;

/**
 * A stream of terminal output as the text a person would have read: CSI, OSC, DCS, APC, PM and SOS sequences (7-bit and
 * C1) are parsed and dropped, `\r` and erase-line collapse progress lines to their last state, backspace takes back a
 * character, other controls vanish, and invisible characters are shown as in {@link escapeForTerminal}. A string
 * sequence that is not closed on its line hides nothing: its text is kept. Give it bytes or text in any pieces; a
 * line comes out when it is complete (or very long), the rest at {@link end}.
 */
export class ModelTextFilter {
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #state: 'ground' | 'escape' | 'intermediate' | 'csi' | 'string' = 'ground';
  /** The body of the open sequence. */
  #body = '';
  #isOsc = false;
  #sawEscape = false;
  #line = '';
  #mustRestart = false;
  #out = '';

  push(piece: string | Uint8Array): string {
    return this.#read(typeof piece === 'string' ? piece : this.#decoder.decode(piece, { stream: true }));
  }

  end(): string {
    this.#read(this.#decoder.decode());
    if (this.#state === 'string') this.#abandon();
    this.#state = 'ground';
    this.#flushLine('');
    return this.#take();
  }

  /** The line that is not complete yet, as it stands. */
  get pending(): string {
    return escapeForTerminal(this.#line);
  }

  #read(text: string): string {
    let at = this.#readPlainLines(text);
    while (at < text.length)
      at = this.#state === 'ground' ? this.#ground(text, at) : this.#sequence(text, at);
    return this.#take();
  }

  /** Whole lines without any control, which is what most output is, at once. Returns where the rest begins. */
  #readPlainLines(text: string): number {
    if (this.#state !== 'ground' || this.#mustRestart || CONTROL.test(text)) return 0;
    const end = text.lastIndexOf('\n') + 1;
    if (end === 0) return 0;
    this.#out += escapeForTerminal(this.#line + text.slice(0, end));
    this.#line = '';
    return end;
  }

  #take(): string {
    const out = this.#out;
    this.#out = '';
    return out;
  }

  #ground(text: string, at: number): number {
    GROUND_RUN.lastIndex = at;
    const run = GROUND_RUN.exec(text);
    if (run !== null) {
      this.#put(run[0]);
      return at + run[0].length;
    }
    const char = text.charAt(at);
    if (char === '\n') this.#flushLine('\n');
    else if (char === '\r') this.#mustRestart = true;
    else if (char === '\b') this.#line = withoutLast(this.#line);
    else this.#open(char);
    return at + 1;
  }

  #open(char: string): void {
    this.#body = '';
    this.#sawEscape = false;
    if (char === '\x1b') this.#state = 'escape';
    else if (char === '\x9b') this.#state = 'csi';
    else if (/[\x90\x98\x9d-\x9f]/.test(char)) this.#openString(char === '\x9d');
    else this.#state = 'ground';
  }

  #openString(isOsc: boolean): void {
    this.#state = 'string';
    this.#isOsc = isOsc;
  }

  /** One character inside a sequence; returns where to go on. What ends a sequence badly is read again as text. */
  #sequence(text: string, at: number): number {
    const char = text.charAt(at);
    if (this.#state === 'string') return this.#string(char, at);
    if (char === '\x18' || char === '\x1a') {
      this.#state = 'ground';
      return at + 1;
    }
    if (this.#state === 'escape' && char === '[') this.#state = 'csi';
    else if (this.#state === 'escape' && 'P]X^_'.includes(char)) this.#openString(char === ']');
    else if (this.#state !== 'csi' && char >= ' ' && char <= '/') this.#state = 'intermediate';
    else if (this.#state !== 'csi' && char >= '0' && char <= '~') this.#state = 'ground';
    else if (this.#state === 'csi' && char >= ' ' && char <= '?' && this.#body.length < MAX_CSI)
      this.#body += char;
    else if (this.#state === 'csi' && char >= '@' && char <= '~') this.#endCsi(char);
    else {
      this.#state = 'ground';
      return at;
    }
    return at + 1;
  }

  #string(char: string, at: number): number {
    if (this.#sawEscape) {
      // ESC \ closes; ESC and anything else begins a new sequence, as terminals do.
      this.#open(char === '\\' ? '' : '\x1b');
      return char === '\\' ? at + 1 : at;
    }
    if (char === '\x1b') this.#sawEscape = true;
    else if (char === '\x9c' || char === '\x18' || char === '\x1a' || (char === '\x07' && this.#isOsc)) {
      this.#state = 'ground';
    } else if (char === '\n' || this.#body.length >= MAX_STRING) {
      this.#abandon();
      return at;
    } else this.#body += char;
    return at + 1;
  }

  /** The open string sequence turned out to be none: what it would have hidden is text. */
  #abandon(): void {
    this.#state = 'ground';
    const body = this.#body.replace(/[\0-\x08\x0a-\x1f\x7f-\x9f]/g, '');
    this.#body = '';
    this.#put(body);
  }

  #endCsi(final: string): void {
    this.#state = 'ground';
    if (final === 'K' && /^[12]$/.test(this.#body)) this.#line = '';
    else if (final === 'G' && /^[01]?$/.test(this.#body)) this.#mustRestart = true;
  }

  #put(text: string): void {
    if (this.#mustRestart && text !== '') {
      this.#line = '';
      this.#mustRestart = false;
    }
    this.#line += text;
    if (this.#line.length <= MAX_HELD_LINE) return;
    const isCutPair = /[\ud800-\udbff]$/.test(this.#line);
    const whole = isCutPair ? this.#line.slice(0, -1) : this.#line;
    this.#out += escapeForTerminal(whole);
    this.#line = isCutPair ? this.#line.slice(-1) : '';
  }

  #flushLine(ending: string): void {
    this.#out += escapeForTerminal(this.#line) + ending;
    this.#line = '';
    this.#mustRestart = false;
  }
}

/** Without its last character. Not by a pattern, which would read the whole line for each backspace. */
function withoutLast(line: string): string {
  const unit = line.charCodeAt(line.length - 1);
  return line.slice(0, unit >= 0xdc00 && unit <= 0xdfff ? -2 : -1);
}

/** {@link ModelTextFilter} for a whole text. */
export function stripControlsForModel(text: string): string {
  const filter = new ModelTextFilter();
  return filter.push(text) + filter.end();
}
