/** Decisions without a person: by risk, by pattern, from a file. */
import picomatch from 'picomatch';
import { SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import type { Decision } from './decision.ts';
import type { ReviewItem } from './review-item.ts';

/**
 * `safe` accepts what carries no risk, `all` everything, `none` nothing; what apply refuses is rejected by each. `conflicts`
 * are paths that changed on the host as well, which only a look at the host tells: they are not safe, nor is a rename that has
 * one under its old name.
 */
export function decideAll(
  items: readonly ReviewItem[],
  mode: 'none' | 'safe' | 'all',
  conflicts: ReadonlySet<string> = new Set(),
): Decision[] {
  return items.map((item) => decide(item, mode === 'all' || (mode === 'safe' && isSafe(item, conflicts))));
}

function isSafe({ risk, change: { path, from } }: ReviewItem, conflicts: ReadonlySet<string>): boolean {
  return risk.length === 0 && !conflicts.has(path) && !(from !== undefined && conflicts.has(from));
}

/**
 * Accepts what an `accept` pattern matches (all when there is none) and no `reject` pattern does. A pattern without a slash
 * matches names at any depth. Throws `usage/bad-argument` for a pattern that matches nothing: it is a slip of the pen.
 */
export function decideByPatterns(
  items: readonly ReviewItem[],
  patterns: { accept?: readonly string[]; reject?: readonly string[] },
): Decision[] {
  const accept = (patterns.accept ?? []).map((pattern) => matcher(pattern, items));
  const reject = (patterns.reject ?? []).map((pattern) => matcher(pattern, items));
  return items.map((item) => {
    const isWanted = accept.length === 0 || accept.some((matches) => matches(item));
    return decide(item, isWanted && !reject.some((matches) => matches(item)));
  });
}

function decide(item: ReviewItem, isAccepted: boolean): Decision {
  const decision = isAccepted && item.refused === undefined ? 'accept' : 'reject';
  return { path: item.change.path, decision };
}

function matcher(pattern: string, items: readonly ReviewItem[]): (item: ReviewItem) => boolean {
  const matchesPath = picomatch(pattern, { dot: true, basename: !pattern.includes('/') });
  const folder = picomatch(`${pattern.replace(/\/$/, '')}/**`, { dot: true });
  const matches = ({ change: { path, from } }: ReviewItem) =>
    [path, from].some((name) => name !== undefined && (matchesPath(name) || folder(name)));
  if (items.some(matches)) return matches;
  throw new SafeCoderError('usage/bad-argument', `No change matches ${showPath(pattern)}.`, {
    hint: 'Patterns are those of a shell: "src/**", "*.md". Paths are relative to the project.',
  });
}
