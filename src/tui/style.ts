/** The few colours that text for people uses, or none. */

export interface Style {
  dim(text: string): string;
  green(text: string): string;
  red(text: string): string;
  cyan(text: string): string;
  bold(text: string): string;
}

const paint = (open: number, close: number) => (text: string) => `\x1b[${open}m${text}\x1b[${close}m`;
const same = (text: string) => text;

export const colours: Style = {
  dim: paint(2, 22),
  green: paint(32, 39),
  red: paint(31, 39),
  cyan: paint(36, 39),
  bold: paint(1, 22),
};

export const plain: Style = { dim: same, green: same, red: same, cyan: same, bold: same };

/** Where text for people goes. */
export interface Screen {
  write(text: string): void;
  /** Shows a line that the next write, on this screen or its twin, takes away; undefined takes it away now. */
  setStatus(line: string | undefined): void;
  style: Style;
  isTerminal: boolean;
  columns: number;
}

export interface ScreenOptions {
  plain: boolean;
  environment: Record<string, string | undefined>;
}

/**
 * Screens on standard output and standard error, which may be one terminal: a status line of either is gone before the
 * other writes. `NO_COLOR`, `--plain`, a dumb terminal and anything that is no terminal get no colours.
 */
export function createScreens(
  streams: { out: NodeJS.WriteStream; err: NodeJS.WriteStream },
  options: ScreenOptions,
): { out: Screen; err: Screen } {
  const status = new StatusLine();
  return { out: createScreen(streams.out, status, options), err: createScreen(streams.err, status, options) };
}

/** At most one line that is not meant to stay, and the stream it stands on. */
class StatusLine {
  #stream: NodeJS.WriteStream | undefined;

  show(stream: NodeJS.WriteStream, line: string): void {
    stream.write(`\r${line}\x1b[K`);
    this.#stream = stream;
  }

  clear(): void {
    this.#stream?.write('\r\x1b[K');
    this.#stream = undefined;
  }
}

function createScreen(stream: NodeJS.WriteStream, status: StatusLine, options: ScreenOptions): Screen {
  const { NO_COLOR, TERM } = options.environment;
  const isTerminal = stream.isTTY === true && !options.plain;
  return {
    write: (text) => {
      status.clear();
      stream.write(text);
    },
    setStatus: (line) => {
      if (line === undefined) status.clear();
      else if (isTerminal) status.show(stream, line);
    },
    style: isTerminal && !NO_COLOR && TERM !== 'dumb' ? colours : plain,
    isTerminal,
    get columns() {
      return stream.columns ?? 80;
    },
  };
}
