/** Rules of the user and of the project's own file: they add to the built-in ones and can take nothing away. */
import { foldName } from '../apply-path.ts';
import { parseIgnoreLine } from '../ignore-pattern.ts';
import { foldPath } from './match-names.ts';

/** As settings have it. */
export interface UserRiskRule {
  /** A pattern as in a .gitignore file: without a slash it matches names at any depth. Case does not count. */
  match: string;
  /** Shown beside the change. */
  reason: string;
  /** Literal texts; then only a change that adds a line with one of them is marked. */
  contains?: readonly string[] | undefined;
}

/** Why a pattern can't be used, or undefined. */
export function userPatternFault(match: string): string | undefined {
  const parsed = parseIgnoreLine(match);
  if (parsed === undefined) return 'is a pattern that matches nothing';
  return parsed.isNegated ? 'may not begin with "!": a rule can not take a mark away' : undefined;
}

/** Judges one change; `added` is asked for only by rules on content, and is undefined where there is none to look at. */
export type UserRules = (paths: readonly string[], added: () => string | undefined) => string[];

/** Compiles rules once. Time is in proportion to pattern times path, whatever a hostile project's pattern says. */
export function compileUserRules(rules: readonly UserRiskRule[]): UserRules {
  const compiled = rules.flatMap((rule) => {
    const pattern = parseIgnoreLine(foldPattern(rule.match));
    return pattern === undefined || pattern.isNegated ? [] : [{ ...rule, pattern }];
  });
  return (paths, added) => {
    if (compiled.length === 0) return [];
    const candidates = paths.map((path) => prefixesOf(bytes(foldPath(path))));
    const reasons = compiled
      .filter(({ pattern }) =>
        candidates.some((prefixes) =>
          prefixes.some(({ path, name, isFolder }) => {
            if (pattern.isDirectoryOnly && !isFolder) return false;
            return pattern.matches(pattern.isAnchored ? path : name);
          }),
        ),
      )
      .filter(({ contains }) => contains === undefined || contains.some((text) => added()?.includes(text)))
      .map(({ reason }) => reason);
    return [...new Set(reasons)];
  };
}

/** Folded as the paths are, so that both meet. */
function foldPattern(pattern: string): string {
  return bytes(/^[\x20-\x7e]*$/.test(pattern) ? pattern.toLowerCase() : foldName(pattern));
}

/** One character a byte, as the patterns are matched. */
function bytes(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** The path and every folder above it: a pattern that matches a folder holds for all in it. */
function prefixesOf(path: string): { path: string; name: string; isFolder: boolean }[] {
  const parts = path.split('/');
  return parts.map((name, at) => ({
    path: parts.slice(0, at + 1).join('/'),
    name,
    isFolder: at < parts.length - 1,
  }));
}
