/** Bytes of a terminal as keys: cursor and function keys, mouse, pastes, and what the terminal answers. */

export type Input =
  /** A character (`a`, `A`, ` `), or a name: `up`, `pagedown`, `enter`, `escape`, `ctrl-r`, `tab`, `shift-tab`... */
  | { kind: 'key'; key: string }
  /** Columns and rows count from 0. */
  | { kind: 'mouse'; act: 'click' | 'wheel-up' | 'wheel-down'; column: number; row: number }
  | { kind: 'paste'; text: string }
  /** The terminal's background, from 0 (black) to 1 (white). */
  | { kind: 'ground'; light: number };

const NAMES: Record<string, string> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  Z: 'shift-tab',
  '1~': 'home',
  '4~': 'end',
  '7~': 'home',
  '8~': 'end',
  '3~': 'delete',
  '5~': 'pageup',
  '6~': 'pagedown',
};

const CONTROLS: Record<string, string> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\x7f': 'backspace',
  '\b': 'backspace',
};

const PASTE_END = '\x1b[201~';
/** A paste that never ends is none. */
const MAX_PASTE = 1 << 16;

/** Takes pieces as they come; a sequence that is cut between pieces is held until the rest is there or {@link flush}. */
export class KeyReader {
  #held = '';

  push(piece: string): Input[] {
    let text = this.#held + piece;
    this.#held = '';
    const out: Input[] = [];
    while (text !== '') {
      const taken = take(text);
      if (taken === undefined) {
        this.#held = text;
        break;
      }
      if (taken.input !== undefined) out.push(taken.input);
      text = text.slice(taken.length);
    }
    return out;
  }

  /** True while something is held; the caller waits a little and calls {@link flush}. */
  get isWaiting(): boolean {
    return this.#held !== '';
  }

  /** What is held is no beginning of anything: an escape key is one. */
  flush(): Input[] {
    const held = this.#held;
    this.#held = '';
    return held.startsWith('\x1b') ? [{ kind: 'key', key: 'escape' }] : [];
  }
}

interface Taken {
  length: number;
  input?: Input;
}

/** The first input of a text; undefined when the rest of it has not come yet. */
function take(text: string): Taken | undefined {
  if (text.startsWith('\x1b[200~')) return takePaste(text);
  if (text.startsWith('\x1b]')) return takeAnswer(text);
  if (text.startsWith('\x1b[') || text.startsWith('\x1bO')) return takeSequence(text);
  if (text === '\x1b') return undefined;
  if (text.startsWith('\x1b\x1b')) return { length: 1, input: { kind: 'key', key: 'escape' } };
  if (text.startsWith('\x1b')) return { length: 2, input: { kind: 'key', key: `alt-${text.charAt(1)}` } };
  const char = String.fromCodePoint(text.codePointAt(0) ?? 0);
  const code = char.charCodeAt(0);
  const name = CONTROLS[char] ?? (code < 32 ? `ctrl-${String.fromCharCode(code + 96)}` : char);
  return { length: char.length, input: { kind: 'key', key: name } };
}

function takePaste(text: string): Taken | undefined {
  const end = text.indexOf(PASTE_END);
  if (end === -1) return text.length > MAX_PASTE ? { length: text.length } : undefined;
  return { length: end + PASTE_END.length, input: { kind: 'paste', text: text.slice(6, end) } };
}

/** `OSC 11 ; rgb:RRRR/GGGG/BBBB` closed by BEL or ST. */
function takeAnswer(text: string): Taken | undefined {
  const closed = /^\x1b\]([^\x07\x1b]{0,200})(\x07|\x1b\\)/.exec(text);
  if (closed === null) return text.length > 220 ? { length: text.length } : undefined;
  const colour = /^11;rgba?:([0-9a-f]{1,4})\/([0-9a-f]{1,4})\/([0-9a-f]{1,4})/i.exec(closed[1] ?? '');
  if (colour === null) return { length: closed[0].length };
  const [red = 0, green = 0, blue = 0] = colour
    .slice(1)
    .map((part) => Number.parseInt(part, 16) / (16 ** part.length - 1));
  return {
    length: closed[0].length,
    input: { kind: 'ground', light: 0.299 * red + 0.587 * green + 0.114 * blue },
  };
}

function takeSequence(text: string): Taken | undefined {
  const mouse = /^\x1b\[<(\d{1,4});(\d{1,5});(\d{1,5})([Mm])/.exec(text);
  if (mouse !== null) return { length: mouse[0].length, ...mouseInput(mouse) };
  const whole = /^\x1b(?:\[([0-9;?<>=]*)([A-Za-z~])|O([A-Za-z]))/.exec(text);
  if (whole === null) return text.length > 32 ? { length: text.length } : undefined;
  const [all, numbers = '', final = '', short = ''] = whole;
  const key = NAMES[short] ?? NAMES[final === '~' ? `${numbers.split(';')[0]}~` : final];
  return { length: all.length, ...(key === undefined ? {} : { input: { kind: 'key', key } }) };
}

function mouseInput([, button, column, row, final]: RegExpExecArray): { input?: Input } {
  const act = { 0: 'click', 64: 'wheel-up', 65: 'wheel-down' }[Number(button)];
  if (act === undefined || final === 'm') return {};
  return {
    input: {
      kind: 'mouse',
      act: act as 'click' | 'wheel-up' | 'wheel-down',
      column: Number(column) - 1,
      row: Number(row) - 1,
    },
  };
}
