/**
 * Glob patterns by a matcher of our own, because the pattern comes from a model and the names from a guest: its time is bounded
 * by pattern length times name length, where a pattern turned into a regular expression may take for ever.
 * Knows `*`, `**` (as a whole segment), `?`, `[a-z]`, `[!a]`, `{a,b}` and `\` before a special character.
 */
import { refuse } from './define-tool.ts';

const MAX_ALTERNATIVES = 256;
const MAX_LENGTH = 1000;

/** Tests a path without a leading slash. */
export type GlobMatcher = (path: string) => boolean;

type Unit = { kind: 'star' } | { kind: 'any' } | { kind: 'one'; test: (char: string) => boolean };

/**
 * The matcher of a pattern. Without a slash it matches the last name at any depth; with one it is anchored where the
 * search begins. Refuses a pattern that is too long or has too many alternatives.
 */
export function compileGlob(pattern: string): GlobMatcher {
  if (pattern.length > MAX_LENGTH) throw refuse(`The pattern is longer than ${MAX_LENGTH} characters.`);
  const trimmed = pattern.replace(/^(?:\.\/+)+/, '').replace(/^\/+/, '');
  const whole = trimmed.endsWith('/') ? `${trimmed}**` : trimmed;
  if (whole === '') throw refuse('The pattern is empty.', 'Give a pattern such as "src/**/*.ts" or "*.md".');
  const isAnchored = pattern.includes('/');
  const alternatives = expandBraces(whole).map((one) => {
    const segments = one.split('/').filter((segment) => segment !== '');
    return (isAnchored || segments.length > 1 ? segments : ['**', ...segments]).map((segment) =>
      segment === '**' ? ('**' as const) : parseSegment(segment),
    );
  });
  return (path) => {
    const names = path.split('/').map((name) => Array.from(name));
    return alternatives.some((segments) => matchSegments(segments, names));
  };
}

/** All alternatives of `{a,b}`, nested ones too. An unclosed brace is a plain character. */
function expandBraces(pattern: string): string[] {
  const done: string[] = [];
  const open = [pattern];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (done.length + open.length > MAX_ALTERNATIVES) {
      throw refuse(`The pattern has more than ${MAX_ALTERNATIVES} alternatives.`, 'Use fewer braces.');
    }
    const group = findGroup(next);
    if (group === undefined) done.push(next);
    else for (const part of group.parts) open.push(next.slice(0, group.start) + part + next.slice(group.end));
  }
  return done;
}

function findGroup(pattern: string): { start: number; end: number; parts: string[] } | undefined {
  for (let start = 0; start < pattern.length; start++) {
    if (pattern[start] === '\\') start += 1;
    else if (pattern[start] === '{') {
      const group = readGroup(pattern, start);
      if (group !== undefined) return group;
    }
  }
  return undefined;
}

function readGroup(pattern: string, start: number) {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (let at = start; at < pattern.length; at++) {
    const char = pattern.charAt(at);
    if (char === '\\') {
      part += char + pattern.charAt(at + 1);
      at += 1;
      continue;
    }
    if (char === '{') depth += 1;
    if (char === '}') depth -= 1;
    if (depth === 0) {
      parts.push(part);
      return parts.length > 1 ? { start, end: at + 1, parts } : undefined;
    }
    if (char === ',' && depth === 1) {
      parts.push(part);
      part = '';
    } else if (!(char === '{' && depth === 1)) part += char;
  }
  return undefined;
}

function parseSegment(segment: string): Unit[] {
  const units: Unit[] = [];
  const chars = Array.from(segment);
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] ?? '';
    if (char === '*') {
      if (units.at(-1)?.kind !== 'star') units.push({ kind: 'star' });
    } else if (char === '?') units.push({ kind: 'any' });
    else if (char === '[') {
      const end = classEnd(chars, at);
      if (end === -1) units.push(literal(char));
      else {
        units.push({ kind: 'one', test: parseClass(chars.slice(at + 1, end)) });
        at = end;
      }
    } else if (char === '\\' && at + 1 < chars.length) {
      at += 1;
      units.push(literal(chars[at] ?? ''));
    } else units.push(literal(char));
  }
  return units;
}

function literal(char: string): Unit {
  return { kind: 'one', test: (other) => other === char };
}

/** A `]` that comes first stands for itself. */
function classEnd(chars: string[], start: number): number {
  const first = chars[start + 1] === '!' || chars[start + 1] === '^' ? start + 2 : start + 1;
  return chars.indexOf(']', first + 1);
}

function parseClass(chars: string[]): (char: string) => boolean {
  const isNegated = chars[0] === '!' || chars[0] === '^';
  const body = isNegated ? chars.slice(1) : chars;
  const ranges: [string, string][] = [];
  for (let at = 0; at < body.length; at++) {
    const from = body[at] ?? '';
    const isRange = body[at + 1] === '-' && at + 2 < body.length;
    ranges.push([from, isRange ? (body[at + 2] ?? '') : from]);
    if (isRange) at += 2;
  }
  return (char) => ranges.some(([from, to]) => char >= from && char <= to) !== isNegated;
}

/** Which tails of the pattern can still match, segment by segment: no backtracking. */
function matchSegments(pattern: ('**' | Unit[])[], names: string[][]): boolean {
  let live = reach(pattern, new Set([0]));
  for (const name of names) {
    const next = new Set<number>();
    for (const at of live) {
      const segment = pattern[at];
      if (segment === '**') next.add(at);
      else if (segment !== undefined && matchName(segment, name)) next.add(at + 1);
    }
    live = reach(pattern, next);
    if (live.size === 0) return false;
  }
  // A closing ** stands for something below, not for the directory itself.
  return live.has(pattern.length);
}

/** `**` may stand for nothing. */
function reach(pattern: ('**' | Unit[])[], live: Set<number>): Set<number> {
  for (const at of live) if (pattern[at] === '**') live.add(at + 1);
  return live;
}

/** The usual two-pointer match: on a mismatch, the last star takes one more. */
function matchName(units: Unit[], name: string[]): boolean {
  let unit = 0;
  let at = 0;
  let star = -1;
  let starAt = 0;
  while (at < name.length) {
    const one = units[unit];
    if (one?.kind === 'star') {
      star = unit;
      starAt = at;
      unit += 1;
    } else if (one !== undefined && (one.kind === 'any' || one.test(name[at] ?? ''))) {
      unit += 1;
      at += 1;
    } else if (star !== -1) {
      starAt += 1;
      at = starAt;
      unit = star + 1;
    } else return false;
  }
  while (units[unit]?.kind === 'star') unit += 1;
  return unit === units.length;
}
