/** Changes picked by the paths that a person names after `--`. */
import picomatch from 'picomatch';
import type { Change } from '../diff/change-set.ts';

/**
 * Keeps changes whose path, or the path they came from, is named: itself, by a folder above it, or by a pattern (without a slash it
 * matches names at any depth). Without paths everything is kept.
 */
export function filterByPaths(changes: readonly Change[], paths: readonly string[]): Change[] {
  if (paths.length === 0) return [...changes];
  const matchers = paths.map(toMatcher);
  return changes.filter(({ path, from }) =>
    [path, from].some((name) => name !== undefined && matchers.some((matches) => matches(name))),
  );
}

function toMatcher(text: string): (path: string) => boolean {
  const name = text.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (name === '' || name === '.') return () => true;
  const pattern = picomatch(name, { dot: true, basename: !name.includes('/') });
  return (path) => path === name || path.startsWith(`${name}/`) || pattern(path);
}
