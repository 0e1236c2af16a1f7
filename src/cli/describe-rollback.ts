/** A rollback in words. */
import type { RewindScope, RolledBack } from '../session/rewind.ts';

const MOST_NAMED = 10;

/** Paths one a line; not all of many. */
export function namePaths(paths: readonly string[]): string {
  if (paths.length === 0) return 'No file changes.';
  const named = paths.slice(0, MOST_NAMED).map((path) => `  ${path}`);
  const more = paths.length > MOST_NAMED ? [`  and ${paths.length - MOST_NAMED} more`] : [];
  return [`${count(paths.length)} will change in the session's copy:`, ...named, ...more].join('\n');
}

/** `Back to #3 (files and conversation), 2 files changed. To undo: rollback 8`. */
export function describeRollback({ entry, to, changed }: RolledBack, scope: RewindScope): string {
  const what = { both: 'files and conversation', files: 'files only', conversation: 'conversation only' }[
    scope
  ];
  const undo = entry.trailers.seq - 1;
  return `Back to #${to.trailers.seq} (${what}): ${count(changed.length)} changed. It is entry #${entry.trailers.seq}; rollback ${undo} undoes it.`;
}

function count(files: number): string {
  return files === 1 ? '1 file' : `${files} files`;
}
