/** Marking a running session's states and going back to them: files, conversation, or both. */
import { SafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import type { Entry, EntryTrailers } from '../ledger/ledger.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { Conversation } from './conversation.ts';
import type { EntryRecorder } from './entry-recorder.ts';
import { checkLabel, resolveEntry } from './resolve-entry.ts';
import { restoreTree } from './restore-tree.ts';

export type RewindScope = NonNullable<EntryTrailers['scope']>;

export interface RewindParts {
  sandbox: Sandbox;
  recorder: EntryRecorder;
  ledger: LedgerWriter;
  conversation: Conversation;
  emit: Emit;
  now: () => Date;
}

export interface RolledBack {
  /** The entry that the rollback is. */
  entry: Entry;
  /** The entry that was gone back to. */
  to: Entry;
  /** Paths that changed with it, sorted. */
  changed: string[];
}

/** Names the state of now. What no entry has yet is part of it. Throws `usage/bad-argument`, `guest/*`, `ledger/*`. */
export async function takeSnapshot(parts: RewindParts, label: string, turn: number): Promise<Entry> {
  const { entry } = await parts.recorder.record(
    { title: snapshotTitle(label), kind: 'snapshot', turn, label: checkLabel(label) },
    { sweep: true },
  );
  return entry;
}

/**
 * Goes back to an entry. The rollback is an entry of its own: going back to the one before it undoes it. The background
 * jobs named in `jobs` stand still meanwhile and then go on. Throws `ledger/no-such-entry`, and what {@link restoreTree}
 * throws; the conversation then is where it was.
 */
export async function rollBack(
  parts: RewindParts,
  name: string,
  { scope, turn, jobs }: { scope: RewindScope; turn: number; jobs: readonly string[] },
): Promise<RolledBack> {
  const { ledger, conversation, recorder, emit, now } = parts;
  const to = await resolveEntry(ledger, name);
  if (scope !== 'files') requirePlace(conversation, to);
  const facts = { title: rollbackTitle(to, scope), kind: 'rollback', turn, to: to.id, scope } as const;
  if (scope === 'conversation') {
    const entry = await recorder.alone(async () => {
      const head = await ledger.head();
      return ledger.appendTree({ ...unchangedFacts(head), ...facts, ok: true, at: now() });
    });
    conversation.catchUp([entry]);
    return { entry, to, changed: [] };
  }
  const { entry, changed } = await restoreTree(parts, to.tree, facts);
  if (jobs.length > 0) {
    emit({
      type: 'warning',
      code: 'session/jobs-go-on',
      message: `These stood still while the files were brought back, and go on now: ${jobs.join(', ')}.`,
      hint: 'What they write from here on is recorded as their change.',
    });
  }
  return { entry, to, changed };
}

export function snapshotTitle(label: string): string {
  return `🔒 Snapshot: ${checkLabel(label)}`;
}

export function rollbackTitle(to: Entry, scope: RewindScope): string {
  const what = scope === 'both' ? '' : ` (${scope} only)`;
  return `Rollback to #${to.trailers.seq}${what}`;
}

/** What an entry says that has the tree of the one before it. */
export function unchangedFacts({ tree, trailers }: Entry) {
  return { tree, skipped: [], ignored: trailers.ignored, gitChanged: trailers.gitChanged };
}

export function requirePlace(conversation: Conversation, { id, trailers }: Entry): void {
  if (conversation.at(id) !== undefined) return;
  throw new SafeCoderError('session/damaged', `The conversation has no place for entry #${trailers.seq}.`, {
    hint: 'Go back with --files, which leaves the conversation as it is.',
  });
}
