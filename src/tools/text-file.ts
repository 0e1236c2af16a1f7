/** A file's bytes as text that a model can read and edit, and back without changing what was not touched. */
import { decodePath, encodePath } from '../base/path-bytes.ts';

export interface TextFile {
  /** Without a byte order mark; with `\n` line ends when `hasCrlf`. Bytes that are no UTF-8 as lone surrogates. */
  text: string;
  hasBom: boolean;
  /** Every line ends in CRLF. A file with mixed ends keeps them in `text`. */
  hasCrlf: boolean;
  isUtf8: boolean;
}

const BOM = '\ufeff';

/** Never fails: what is no UTF-8 survives the way there and back. */
export function decodeTextFile(bytes: Uint8Array): TextFile {
  const decoded = decodePath(bytes);
  const hasBom = decoded.startsWith(BOM);
  const raw = hasBom ? decoded.slice(1) : decoded;
  const hasCrlf = raw.includes('\r\n') && !/(?<!\r)\n|\r(?!\n)/.test(raw);
  return {
    text: hasCrlf ? raw.replaceAll('\r\n', '\n') : raw,
    hasBom,
    hasCrlf,
    isUtf8: !/[\udc80-\udcff]/u.test(raw),
  };
}

/** The bytes of a text in the form of the file it replaces. A text that brings its own CRLF or mark keeps it. */
export function encodeTextFile(text: string, form: Pick<TextFile, 'hasBom' | 'hasCrlf'>): Buffer {
  const lines = form.hasCrlf ? text.replace(/\r?\n/g, '\r\n') : text;
  return encodePath(form.hasBom && !lines.startsWith(BOM) ? BOM + lines : lines);
}

/** The lines of a text; a final line feed ends the last line and begins none. */
export function splitLines(text: string): string[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}
