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
  style: Style;
  isTerminal: boolean;
  columns: number;
}

/** A screen on a stream. `NO_COLOR`, `--plain`, a dumb terminal and anything that is no terminal get no colours. */
export function createScreen(
  stream: NodeJS.WriteStream,
  options: { plain: boolean; environment: Record<string, string | undefined> },
): Screen {
  const { NO_COLOR, TERM } = options.environment;
  const isTerminal = stream.isTTY === true && !options.plain;
  return {
    write: (text) => {
      stream.write(text);
    },
    style: isTerminal && !NO_COLOR && TERM !== 'dumb' ? colours : plain,
    isTerminal,
    get columns() {
      return stream.columns ?? 80;
    },
  };
}
