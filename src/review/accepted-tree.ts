/** The accepted state of the files that changed: what the agent's copy is brought to when a session goes on. */
import type { RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import { partialResult, rejectedResult } from './accepted.ts';
import type { Decision, PartialDecision } from './decision.ts';
import { findHunks } from './file-hunks.ts';
import { pairUp } from './plan.ts';
import { type ReadBlob, readSides } from './read-sides.ts';
import type { ReviewItem } from './review-item.ts';

export interface AcceptedFiles {
  /** Every path that a decided change names, old names of renames too; undefined where there is to be no file. */
  files: Map<RelPath, FileState | undefined>;
  /** Bytes that the ledger does not hold, by blob id. */
  contents: Map<string, Buffer>;
}

/**
 * What the files are to be. Changes and hunks without a decision stay as the agent made them: they are still to be decided.
 * Throws `usage/bad-argument` for decisions that don't fit, and what `readBlob` throws.
 */
export async function acceptedTreeFiles(
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
  readBlob: ReadBlob,
): Promise<AcceptedFiles> {
  const files = new Map<RelPath, FileState | undefined>();
  const contents = new Map<string, Buffer>();
  for (const { item, decision } of pairUp(items, decisions)) {
    const { change } = item;
    files.set(change.path, undefined);
    if (change.from !== undefined) files.set(change.from, undefined);
    if (decision.decision === 'accept') {
      files.set(change.path, change.after);
      continue;
    }
    const bytes = await readSides(change, readBlob);
    const result =
      decision.decision === 'reject'
        ? rejectedResult(change, bytes)
        : partialResult(change, bytes, keepUndecided(item, decision, bytes));
    const { state } = result;
    files.set(result.path, state && { mode: state.mode, oid: state.oid });
    if (state && result.bytes) contents.set(state.oid, result.bytes);
  }
  return { files, contents };
}

/** The decision with what is open taken as it is. */
function keepUndecided(
  { change }: ReviewItem,
  decision: PartialDecision,
  bytes: Parameters<typeof findHunks>[1],
): PartialDecision {
  const hunks = findHunks(change, bytes);
  const ids =
    hunks.kind === 'text' ? hunks.hunks.map(({ id }) => id) : 'content' in hunks ? [hunks.content] : [];
  const open = new Set(ids);
  for (const { hunk, decision: said } of decision.hunks) if (said !== 'undecided') open.delete(hunk);
  const decided = decision.hunks.filter((hunk) => hunk.decision !== 'undecided');
  const hasMode =
    change.after !== undefined &&
    hunks.kind !== 'symlink' &&
    (change.before?.mode ?? '100644') !== change.after.mode;
  return {
    ...decision,
    hunks: [...decided, ...[...open].map((hunk) => ({ hunk, decision: 'accept' as const }))],
    ...(hasMode && { mode: decision.mode ?? 'accept' }),
    ...(change.from !== undefined && { rename: decision.rename ?? 'accept' }),
  };
}
