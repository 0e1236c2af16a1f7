/** Which added files are copies of what changed files held before. Pure; by blob id alone. */
import type { RelPath } from '../base/path-bytes.ts';
import type { Change } from './change-set.ts';

/**
 * For each added file with the bytes of a file that was there before and is itself among the changes: that file's old path, one of
 * the same name first. Empty files and symlinks are nobody's copies.
 */
export function findCopies(changes: readonly Change[], emptyBlob: string): Map<RelPath, RelPath> {
  const sources = new Map<string, RelPath[]>();
  for (const { before, path, from } of changes) {
    if (before === undefined || before.mode === '120000' || before.oid === emptyBlob) continue;
    const same = sources.get(before.oid);
    if (same === undefined) sources.set(before.oid, [from ?? path]);
    else same.push(from ?? path);
  }
  const copies = new Map<RelPath, RelPath>();
  for (const { path, kind, after } of changes) {
    if (kind !== 'added' || after === undefined || after.mode === '120000') continue;
    const same = sources.get(after.oid) ?? [];
    const source = same.find((each) => nameOf(each) === nameOf(path)) ?? same[0];
    if (source !== undefined) copies.set(path, source);
  }
  return copies;
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
