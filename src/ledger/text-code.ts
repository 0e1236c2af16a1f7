/** Any string on one line of printable ASCII, and back without loss. */

/** `%XX` for each byte of what isn't printable, `%uXXXX` for a lone surrogate, and `%25` for the sign itself. */
export function encodeText(text: string, also = ''): string {
  let out = '';
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0xd800 && code <= 0xdfff) out += `%u${code.toString(16).toUpperCase()}`;
    else if (code < 0x20 || code > 0x7e || char === '%' || also.includes(char)) {
      for (const byte of Buffer.from(char, 'utf8'))
        out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    } else out += char;
  }
  return out;
}

/** Undoes {@link encodeText}; undefined for what it can't have written. */
export function decodeText(line: string): string | undefined {
  let isSound = true;
  const text = line.replace(/(?:%[0-9A-F]{2})+|%u([0-9A-F]{4})|%/g, (run, unit: string | undefined) => {
    if (unit !== undefined) return String.fromCharCode(Number.parseInt(unit, 16));
    try {
      return decodeURIComponent(run);
    } catch {
      // Not UTF-8, or a bare sign: not ours, and said so below.
      isSound = false;
      return '';
    }
  });
  return isSound ? text : undefined;
}
