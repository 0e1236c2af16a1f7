/**
 * Paths as strings without loss. File names are bytes; most are UTF-8, some are not. A byte that is not part of
 * valid UTF-8 becomes a lone surrogate U+DC80..U+DCFF (the scheme of Python's PEP 383), so every name survives
 * the way into a string and back, and ordinary names stay ordinary strings.
 */

declare const host: unique symbol;
declare const guest: unique symbol;
declare const rel: unique symbol;

/** An absolute path on the host. Never one that a guest or a model named. */
export type HostPath = string & { readonly [host]: true };
/** An absolute path inside the guest; never opened on the host. */
export type GuestPath = string & { readonly [guest]: true };
/** A path below the workspace root: no leading slash, no empty, `.` or `..` component, no NUL. See {@link parseRelPath}. */
export type RelPath = string & { readonly [rel]: true };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Bytes of a name or path to a string, without loss. */
export function decodePath(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    // Not UTF-8: decode piecewise below.
    return decodeLossless(bytes);
  }
}

function decodeLossless(bytes: Uint8Array): string {
  let out = '';
  let at = 0;
  while (at < bytes.length) {
    const size = sequenceLength(bytes, at);
    if (size > 0) {
      out += utf8.decode(bytes.subarray(at, at + size));
      at += size;
    } else {
      out += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at += 1;
    }
  }
  return out;
}

/** Length of the valid UTF-8 sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (size === 0 || at + size > bytes.length) return 0;
  try {
    utf8.decode(bytes.subarray(at, at + size));
    return size;
  } catch {
    // Overlong, surrogate or broken sequence.
    return 0;
  }
}

/** The bytes of a path made by {@link decodePath}; any other string is encoded as UTF-8. */
export function encodePath(path: string): Buffer {
  if (!/[\udc80-\udcff]/.test(path)) return Buffer.from(path, 'utf8');
  const parts: Buffer[] = [];
  let run = '';
  for (let at = 0; at < path.length; at++) {
    const unit = path.charCodeAt(at);
    const isPair = at > 0 && (path.charCodeAt(at - 1) & 0xfc00) === 0xd800;
    if (unit >= 0xdc80 && unit <= 0xdcff && !isPair) {
      parts.push(Buffer.from(run, 'utf8'), Buffer.from([unit - 0xdc00]));
      run = '';
    } else {
      run += path[at];
    }
  }
  parts.push(Buffer.from(run, 'utf8'));
  return Buffer.concat(parts);
}

/**
 * A path for people: quoted like a JSON string when it holds anything that a terminal or an eye could mistake
 * (control characters, quotes, invisible or bidirectional characters, bytes that are not UTF-8).
 */
export function showPath(path: string): string {
  if (!/[\p{C}\p{Zl}\p{Zp}"\\]|[^\S ]|^ | $|^$/u.test(path)) return path;
  let out = '"';
  for (const char of path) {
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) out += `\\x${(code - 0xdc00).toString(16)}`;
    else if (char === '"' || char === '\\') out += `\\${char}`;
    else if (char === '\n') out += '\\n';
    else if (char === '\t') out += '\\t';
    else if (/[\p{C}\p{Zl}\p{Zp}]|[^\S ]/u.test(char)) out += `\\u{${code.toString(16)}}`;
    else out += char;
  }
  return `${out}"`;
}

/** Why a string is no {@link RelPath}, or undefined when it is one. */
export function relPathFault(path: string): string | undefined {
  if (path === '') return 'it is empty';
  if (path.startsWith('/')) return 'it is absolute';
  if (path.includes('\0')) return 'it holds a NUL byte';
  for (const part of path.split('/')) {
    if (part === '') return 'it has an empty component';
    if (part === '.' || part === '..') return `it has a component "${part}"`;
  }
  return undefined;
}

/** The string as a RelPath, or undefined when it is none. */
export function parseRelPath(path: string): RelPath | undefined {
  return relPathFault(path) === undefined ? (path as RelPath) : undefined;
}
