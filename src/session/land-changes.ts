/** After a review: what was applied becomes the base, what was rejected leaves the workspace, and the agent is told. */

import type { ApplyResult } from '../apply/apply.ts';
import type { RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { Entry, EntryInput } from '../ledger/ledger.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import { acceptedTreeFiles } from '../review/accepted-tree.ts';
import type { Decision } from '../review/decision.ts';
import { HunkSource } from '../review/hunk-source.ts';
import { planFromDecisions } from '../review/plan.ts';
import { describeRejections } from '../review/rejections.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { moveBase } from './base-tree.ts';
import type { Recorded } from './entry-recorder.ts';
import { restoreTree } from './restore-tree.ts';
import { type RewindParts, unchangedFacts } from './rewind.ts';
import type { SessionFolder } from './store.ts';

export interface Review {
  items: readonly ReviewItem[];
  decisions: readonly Decision[];
}

/** What an apply wrote and what it found there already. */
export type LandedPaths = Pick<ApplyResult, 'applied' | 'unchanged' | 'record'>;

/**
 * Moves a session's base on to what landed: paths that were written, or held these bytes already. What was accepted and did
 * not land (a conflict) stays a change. Returns the entry that says so, of kind `applied` with the tree of the one before;
 * undefined when nothing landed. Throws `ledger/*`; the base then is where it was, and the next change set shows what the
 * project has already.
 */
export async function landChanges(
  { folder, ledger, base, now }: { folder: SessionFolder; ledger: LedgerWriter; base: string; now: Date },
  { items, decisions }: Review,
  landed: LandedPaths,
): Promise<Entry | undefined> {
  const { items: planned, contents } = await planFromDecisions(items, decisions, (oid) =>
    ledger.readBlob(oid),
  );
  const there = new Set([...landed.applied, ...landed.unchanged]);
  const files = new Map<RelPath, FileState | undefined>();
  for (const { path, after } of planned) if (there.has(path)) files.set(path, after);
  if (files.size === 0) return undefined;
  const tree = await writeFiles(ledger, base, files, contents ?? new Map());
  moveBase(folder, {
    tree,
    at: now.toISOString(),
    ...(landed.record !== undefined && { record: landed.record }),
  });
  const head = await ledger.head();
  return ledger.appendTree({
    ...unchangedFacts(head),
    title: `Applied to the project: ${files.size === 1 ? '1 path' : `${files.size} paths`}`,
    kind: 'applied',
    turn: head.trailers.turn,
    ok: true,
    at: now,
  });
}

/**
 * Brings the workspace to what was accepted: rejected changes and hunks are taken out of it, undecided ones stay. An entry of
 * kind `applied`, also when nothing had to change; the agent is told what was rejected at its next turn. Throws what
 * {@link restoreTree} throws.
 */
export async function acceptState(
  parts: RewindParts,
  { items, decisions }: Review,
  turn: number,
): Promise<Recorded> {
  const { ledger, conversation } = parts;
  const readBlob = (oid: string) => ledger.readBlob(oid);
  const { files, contents } = await acceptedTreeFiles(items, decisions, readBlob);
  const told = await describeRejections(items, decisions, new HunkSource(readBlob));
  const tree = await writeFiles(ledger, (await ledger.head()).tree, files, contents);
  const recorded = await restoreTree(parts, tree, {
    title: 'Accepted state after a review',
    kind: 'applied',
    turn,
  });
  if (told !== undefined) {
    conversation.tell(
      recorded.entry,
      `${told}\n\nThe workspace holds the accepted state now: what was rejected is taken out of it.`,
    );
  }
  return recorded;
}

/** True when a review leaves something to be taken out, or to be told. */
export function hasVerdict(decisions: readonly Decision[]): boolean {
  return decisions.some(({ decision, comment }) => decision !== 'accept' || comment !== undefined);
}

async function writeFiles(
  ledger: LedgerWriter,
  from: string,
  files: ReadonlyMap<RelPath, FileState | undefined>,
  contents: ReadonlyMap<string, Buffer>,
): Promise<string> {
  const sink = ledger.blobSink();
  for (const bytes of contents.values()) sink.writeBlob(bytes.length, [bytes]);
  const written: EntryInput['written'] = [];
  const removed: RelPath[] = [];
  for (const [path, state] of files) {
    if (state === undefined) removed.push(path);
    else written.push({ path, mode: state.mode, oid: state.oid });
  }
  return ledger.writeTree(from, { written, removed });
}
