/**
 * The terminal while a review has it: the alternate screen, keys without echo, frames of which only the rows that
 * changed are written, as one synchronised update. Everything is given back at the end, however it ends.
 */
import { writeSync } from 'node:fs';
import type { Span } from './cells.ts';
import { type Input, KeyReader } from './keys.ts';
import { type Palette, sgr } from './look.ts';

/** Spans that begin at a column, whatever the terminal thought of the width of those before. */
export interface Segment {
  column: number;
  spans: readonly Span[];
}

/** One row of the screen. */
export type FrameRow = readonly Segment[];

export interface Frame {
  rows: readonly FrameRow[];
  /** Where the cursor blinks, for text that is typed; hidden without. */
  cursor?: { row: number; column: number };
}

export interface TerminalStreams {
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
}

const ENTER = '\x1b[?1049h\x1b[?7l\x1b[?25l\x1b[?2004h\x1b[H\x1b[J';
const LEAVE = '\x1b[0m\x1b[?2004l\x1b[?25h\x1b[?7h\x1b[?1049l';
const MOUSE_ON = '\x1b[?1000h\x1b[?1006h';
const MOUSE_OFF = '\x1b[?1006l\x1b[?1000l';
const ASK_GROUND = '\x1b]11;?\x07';
const ESCAPE_MS = 40;

export interface ReviewTerminalOptions extends TerminalStreams {
  palette: Palette;
  mouse: boolean;
  onInput: (inputs: readonly Input[]) => void;
  onResize: () => void;
  /** Nothing more will be typed: the terminal is gone. */
  onEnd: () => void;
}

export class ReviewTerminal implements Disposable {
  readonly #options: ReviewTerminalOptions;
  readonly #keys = new KeyReader();
  #drawn: string[] = [];
  #pending: Frame | undefined;
  #isBusy = false;
  #isOpen = false;
  #timer: NodeJS.Timeout | undefined;
  palette: Palette;
  isMouseOn: boolean;

  constructor(options: ReviewTerminalOptions) {
    this.#options = options;
    this.palette = options.palette;
    this.isMouseOn = options.mouse;
  }

  get columns(): number {
    return this.#options.output.columns ?? 80;
  }

  get rows(): number {
    return this.#options.output.rows ?? 24;
  }

  /** Takes the terminal. The caller disposes. */
  open(): void {
    const { input, output } = this.#options;
    this.#isOpen = true;
    this.#drawn = [];
    output.on('resize', this.#resize);
    output.on('drain', this.#drain);
    input.on('data', this.#data);
    input.on('end', this.#end);
    process.on('exit', this.#exit);
    input.setEncoding('utf8');
    input.setRawMode?.(true);
    input.resume();
    output.write(
      ENTER + (this.isMouseOn ? MOUSE_ON : '') + (this.palette.depth === 'many' ? ASK_GROUND : ''),
    );
  }

  /** Shows a frame. While the terminal is slower than we are, only the newest is kept. */
  draw(frame: Frame): void {
    if (!this.#isOpen) return;
    this.#pending = frame;
    if (!this.#isBusy) this.#flush();
  }

  /** Everything is written anew with the next frame. */
  forgetDrawn(): void {
    this.#drawn = [];
  }

  setMouse(isOn: boolean): void {
    this.isMouseOn = isOn;
    this.#options.output.write(isOn ? MOUSE_ON : MOUSE_OFF);
  }

  /** Gives the terminal to another program while `work` runs. */
  async lend<T>(work: () => Promise<T>): Promise<T> {
    this[Symbol.dispose]();
    try {
      return await work();
    } finally {
      this.open();
    }
  }

  #flush(): void {
    const frame = this.#pending;
    this.#pending = undefined;
    if (frame === undefined) return;
    const { output } = this.#options;
    const lines = frame.rows.map((row) => this.#rowText(row));
    let text = '';
    for (const [row, line] of lines.entries()) {
      if (line !== this.#drawn[row]) text += `\x1b[${row + 1};1H\x1b[0m\x1b[2K${line}`;
    }
    if (this.#drawn.length > lines.length) text += `\x1b[${lines.length + 1};1H\x1b[0m\x1b[J`;
    this.#drawn = lines;
    const cursor = frame.cursor
      ? `\x1b[${frame.cursor.row + 1};${frame.cursor.column + 1}H\x1b[?25h`
      : '\x1b[?25l';
    this.#isBusy = !output.write(`\x1b[?2026h${text}${cursor}\x1b[?2026l`);
  }

  #rowText(row: FrameRow): string {
    let text = '';
    for (const { column, spans } of row) {
      text += `\x1b[${column + 1}G`;
      for (const span of spans) {
        const open = sgr(span.look, this.palette);
        text += open === '' ? span.text : `${open}${span.text}\x1b[0m`;
      }
    }
    return text;
  }

  readonly #drain = (): void => {
    this.#isBusy = false;
    this.#flush();
  };

  readonly #resize = (): void => {
    this.#drawn = [];
    this.#options.output.write('\x1b[0m\x1b[2J');
    this.#options.onResize();
  };

  readonly #data = (piece: string): void => {
    clearTimeout(this.#timer);
    const inputs = this.#keys.push(piece);
    if (this.#keys.isWaiting) {
      this.#timer = setTimeout(() => this.#options.onInput(this.#keys.flush()), ESCAPE_MS);
    }
    if (inputs.length > 0) this.#options.onInput(inputs);
  };

  readonly #end = (): void => this.#options.onEnd();

  /** The process ends without our leave: the terminal must not stay in a state that nobody can type in. */
  readonly #exit = (): void => {
    try {
      writeSync((this.#options.output as NodeJS.WriteStream & { fd: number }).fd, MOUSE_OFF + LEAVE);
    } catch {
      // The terminal is gone; there is nobody to give it back to.
    }
  };

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    const { input, output } = this.#options;
    output.off('resize', this.#resize);
    output.off('drain', this.#drain);
    input.off('data', this.#data);
    input.off('end', this.#end);
    process.off('exit', this.#exit);
    this.#isBusy = false;
    this.#pending = undefined;
    output.write((this.isMouseOn ? MOUSE_OFF : '') + LEAVE);
    input.setRawMode?.(false);
    input.pause();
  }
}
