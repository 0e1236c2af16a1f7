/**
 * One pattern of a .gitignore file, as git's wildmatch reads it. Text and pattern hold one byte per character (latin1),
 * because git matches bytes. Matching takes time in proportion to pattern times text, whatever a hostile pattern says.
 */

const SLASH = 0x2f;

type Token =
  | { kind: 'byte'; code: number }
  | { kind: 'set'; members: Uint8Array }
  /** `?` */
  | { kind: 'one' }
  /** `*`: any number of bytes but slashes */
  | { kind: 'star' }
  /** any number of any bytes */
  | { kind: 'any' }
  /** the three tokens from here on, this one included, may match nothing: `**` and its slash */
  | { kind: 'fork' };

export interface IgnorePattern {
  readonly isNegated: boolean;
  readonly isDirectoryOnly: boolean;
  /** Whether it is matched against the path below its .gitignore, rather than against the last component alone. */
  readonly isAnchored: boolean;
  matches(text: string): boolean;
}

/** A longer line is no pattern: nobody writes one, and matching it would take long. */
const MAX_LINE_BYTES = 4096;

/** Reads one line. Undefined for a blank line, a comment, or a pattern that can match nothing. */
export function parseIgnoreLine(line: string): IgnorePattern | undefined {
  if (line.length > MAX_LINE_BYTES) return undefined;
  let text = trimTrailingSpaces(line);
  if (text === '' || text.startsWith('#')) return undefined;
  const isNegated = text.startsWith('!');
  if (isNegated) text = text.slice(1);
  const isDirectoryOnly = text.endsWith('/');
  if (isDirectoryOnly) text = text.slice(0, -1);
  const isAnchored = text.includes('/');
  if (text.startsWith('/')) text = text.slice(1);
  if (text === '') return undefined;
  const matches = compile(text, isAnchored);
  return matches && { isNegated, isDirectoryOnly, isAnchored, matches };
}

/** Spaces at the end do not count, unless a backslash precedes them. */
function trimTrailingSpaces(line: string): string {
  let end = 0;
  for (let at = 0; at < line.length; at++) {
    if (line[at] === '\\') {
      at += 1;
      end = Math.min(at + 1, line.length);
    } else if (line[at] !== ' ') {
      end = at + 1;
    }
  }
  return line.slice(0, end);
}

function compile(pattern: string, isAnchored: boolean): ((text: string) => boolean) | undefined {
  if (!/[*?[\\]/.test(pattern)) return (text) => text === pattern;
  if (!isAnchored && /^\*[^*?[\\]+$/.test(pattern)) {
    const suffix = pattern.slice(1);
    return (text) => text.endsWith(suffix);
  }
  const tokens = tokenize(pattern, isAnchored);
  return tokens && ((text) => matchTokens(tokens, text));
}

function tokenize(pattern: string, isAnchored: boolean): Token[] | undefined {
  const tokens: Token[] = [];
  for (let at = 0; at < pattern.length; ) {
    const char = pattern[at];
    if (char === '*') {
      at = tokenizeStars(pattern, at, isAnchored, tokens);
    } else if (char === '?') {
      tokens.push({ kind: 'one' });
      at += 1;
    } else if (char === '[') {
      const set = parseSet(pattern, at);
      if (set === undefined) return undefined;
      tokens.push({ kind: 'set', members: set.members });
      at = set.end;
    } else {
      if (char === '\\') at += 1;
      // A lone backslash at the end matches nothing.
      if (at >= pattern.length) return undefined;
      tokens.push({ kind: 'byte', code: pattern.charCodeAt(at) });
      at += 1;
    }
  }
  return tokens;
}

/**
 * Reads a run of stars; a run of two or more spans directories only when slashes or the pattern's ends enclose it. Git
 * compares what precedes the first wildcard by itself, so a run there counts as the pattern's begin too.
 */
function tokenizeStars(pattern: string, start: number, isAnchored: boolean, tokens: Token[]): number {
  let end = start;
  while (pattern[end] === '*') end += 1;
  const isOpenBefore = pattern[start - 1] === '/' || !/[*?[\\]/.test(pattern.slice(0, start));
  const isSpanning = isAnchored && end - start >= 2 && isOpenBefore;
  if (isSpanning && pattern[end] === '/') {
    tokens.push({ kind: 'fork' }, { kind: 'any' }, { kind: 'byte', code: SLASH });
    return end + 1;
  }
  const isAny = isSpanning && (end === pattern.length || pattern.startsWith('\\/', end));
  tokens.push({ kind: isAny ? 'any' : 'star' });
  return end;
}

const CLASSES: Record<string, (code: number) => boolean> = {
  alnum: (c) => isDigit(c) || isUpper(c) || isLower(c),
  alpha: (c) => isUpper(c) || isLower(c),
  blank: (c) => c === 0x20 || c === 0x09,
  cntrl: (c) => c < 0x20 || c === 0x7f,
  digit: isDigit,
  graph: (c) => c > 0x20 && c < 0x7f,
  lower: isLower,
  print: (c) => c >= 0x20 && c < 0x7f,
  punct: (c) => c > 0x20 && c < 0x7f && !(isDigit(c) || isUpper(c) || isLower(c)),
  space: (c) => c === 0x20 || (c >= 0x09 && c <= 0x0d),
  upper: isUpper,
  xdigit: (c) => isDigit(c) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66),
};

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
function isUpper(code: number): boolean {
  return code >= 0x41 && code <= 0x5a;
}
function isLower(code: number): boolean {
  return code >= 0x61 && code <= 0x7a;
}

/** Reads `[...]` at `start`. Undefined when it never ends or names an unknown class: such a pattern matches nothing. */
function parseSet(pattern: string, start: number): { members: Uint8Array; end: number } | undefined {
  const members = new Uint8Array(256);
  let at = start + 1;
  const isNegated = pattern[at] === '!' || pattern[at] === '^';
  if (isNegated) at += 1;
  let previous = -1;
  for (let isFirst = true; isFirst || pattern[at] !== ']'; isFirst = false) {
    if (at >= pattern.length) return undefined;
    if (pattern.startsWith('[:', at)) {
      const close = pattern.indexOf(']', at + 2);
      if (close < 0) return undefined;
      if (close > at + 2 && pattern[close - 1] === ':') {
        const test = CLASSES[pattern.slice(at + 2, close - 1)];
        if (test === undefined) return undefined;
        for (let code = 0; code < 256; code++) if (test(code)) members[code] = 1;
        at = close + 1;
        previous = -1;
        continue;
      }
    }
    if (pattern[at] === '-' && previous >= 0 && at + 1 < pattern.length && pattern[at + 1] !== ']') {
      at += 1;
      if (pattern[at] === '\\') at += 1;
      if (at >= pattern.length) return undefined;
      for (let code = previous; code <= pattern.charCodeAt(at); code++) members[code] = 1;
      previous = -1;
    } else {
      if (pattern[at] === '\\') at += 1;
      if (at >= pattern.length) return undefined;
      previous = pattern.charCodeAt(at);
      members[previous] = 1;
    }
    at += 1;
  }
  if (isNegated) for (let code = 0; code < 256; code++) members[code] = members[code] === 1 ? 0 : 1;
  // No set matches a slash.
  members[SLASH] = 0;
  return { members, end: at + 1 };
}

/** Follows every way to match at once: state `i` means that the first `i` tokens have matched the text so far. */
function matchTokens(tokens: Token[], text: string): boolean {
  let now = new Uint8Array(tokens.length + 1);
  let next = new Uint8Array(tokens.length + 1);
  now[0] = 1;
  for (let at = 0; ; at++) {
    skipEmpty(tokens, now);
    if (at === text.length) return now[tokens.length] === 1;
    const code = text.charCodeAt(at);
    next.fill(0);
    let isAlive = false;
    for (let state = 0; state < tokens.length; state++) {
      const token = tokens[state];
      if (now[state] !== 1 || token === undefined || !accepts(token, code)) continue;
      const isRepeated = token.kind === 'star' || token.kind === 'any';
      next[isRepeated ? state : state + 1] = 1;
      isAlive = true;
    }
    if (!isAlive) return false;
    [now, next] = [next, now];
  }
}

/** Enters every state that is reached without reading a byte. */
function skipEmpty(tokens: Token[], states: Uint8Array): void {
  tokens.forEach((token, state) => {
    if (states[state] !== 1 || token.kind === 'byte' || token.kind === 'one' || token.kind === 'set') return;
    states[state + 1] = 1;
    if (token.kind === 'fork') states[state + 3] = 1;
  });
}

function accepts(token: Token, code: number): boolean {
  switch (token.kind) {
    case 'byte':
      return token.code === code;
    case 'set':
      return token.members[code] === 1;
    case 'any':
      return true;
    case 'fork':
      return false;
    case 'one':
    case 'star':
      return code !== SLASH;
  }
}
