/** Marking, going back in and forking from sessions that don't run: ledger and conversation alone, no sandbox. */
import { join } from 'node:path';
import type { HostPath } from '../base/path-bytes.ts';
import { forkLedger } from '../ledger/fork-ledger.ts';
import type { Entry } from '../ledger/ledger.ts';
import { openLedger } from '../ledger/reader.ts';
import { type LedgerWriter, openLedgerWriter } from '../ledger/writer.ts';
import type { WriterOptions } from '../ledger/writer-options.ts';
import { baseTreeOf, isSameState } from './base-tree.ts';
import { Conversation } from './conversation.ts';
import { ConversationLog } from './conversation-log.ts';
import { checkLabel, resolveEntry } from './resolve-entry.ts';
import {
  type RewindScope,
  type RolledBack,
  requirePlace,
  rollbackTitle,
  snapshotTitle,
  unchangedFacts,
} from './rewind.ts';
import { readConversation, type SessionFolder, SessionStore, type StoredSession } from './store.ts';

/** A stored session that this process may change, until it is disposed. */
export interface ChangedSession extends AsyncDisposable {
  folder: SessionFolder;
  ledger: LedgerWriter;
  conversation: Conversation;
}

/** `writing` says how its ledger is written, and signed. Throws `session/busy` while it runs, `ledger/*`. */
export async function changeStored(
  state: HostPath,
  stored: StoredSession,
  writing: WriterOptions = {},
): Promise<ChangedSession> {
  const folder = new SessionStore(state).reopen(stored);
  try {
    const ledger = await openLedgerWriter(folder.ledger, writing);
    const conversation = new Conversation(folder);
    conversation.catchUp(await ledger.entries());
    const end = async () => {
      await ledger[Symbol.asyncDispose]();
      folder[Symbol.dispose]();
    };
    return { folder, ledger, conversation, [Symbol.asyncDispose]: end };
  } catch (error) {
    folder[Symbol.dispose]();
    throw error;
  }
}

/** Names the last state of a session that does not run. Throws `usage/bad-argument`, and as {@link changeStored}. */
export async function snapshotStored(
  state: HostPath,
  stored: StoredSession,
  label: string,
  at: Date,
  writing: WriterOptions = {},
): Promise<Entry> {
  const title = snapshotTitle(label);
  await using session = await changeStored(state, stored, writing);
  const { ledger, conversation } = session;
  const head = await ledger.head();
  const entry = await ledger.appendTree({
    ...unchangedFacts(head),
    title,
    kind: 'snapshot',
    turn: head.trailers.turn,
    label: checkLabel(label),
    at,
  });
  conversation.catchUp([entry]);
  return entry;
}

/** What {@link rollBack} does, for a session that does not run: its next sandbox begins from there. */
export async function rollBackStored(
  state: HostPath,
  stored: StoredSession,
  { name, scope, at }: { name: string; scope: RewindScope; at: Date },
  writing: WriterOptions = {},
): Promise<RolledBack> {
  await using session = await changeStored(state, stored, writing);
  const { folder, ledger, conversation } = session;
  const to = await resolveEntry(ledger, name);
  if (scope !== 'files') requirePlace(conversation, to);
  const head = await ledger.head();
  const tree = scope === 'conversation' ? head.tree : to.tree;
  const { changes } = await ledger.changes(head.tree, tree, { renames: false });
  const entry = await ledger.appendTree({
    ...unchangedFacts(head),
    tree,
    title: rollbackTitle(to, scope),
    kind: 'rollback',
    turn: head.trailers.turn,
    to: to.id,
    scope,
    ok: true,
    at,
  });
  conversation.catchUp([entry]);
  folder.update({ final: tree });
  return { entry, to, changed: changes.map(({ path }) => path) };
}

/**
 * A new session that begins where an entry of another one was, files and conversation: the same base, so that its change
 * set is compared with the same project. The other one may run. Throws `ledger/*`; nothing is left then.
 */
export async function forkStored(
  state: HostPath,
  stored: StoredSession,
  { name, at }: { name: string; at: Date },
  writing: WriterOptions = {},
): Promise<{ session: StoredSession; from: Entry }> {
  const store = new SessionStore(state);
  await using origin = await openLedger(join(stored.folder, 'ledger') as HostPath);
  const from = await resolveEntry(origin, name);
  const { record } = stored;
  const base = await baseTreeOf(record, origin);
  const { id: _, version: __, createdAt: ___, endedAt: ____, landed: _____, ...same } = record;
  using folder = store.create(
    { ...same, origin: { session: record.id, entry: from.id }, base, final: from.tree },
    at,
  );
  try {
    const { objectFormat } = origin;
    await using ledger = await forkLedger(origin.dir, {
      ...writing,
      dir: folder.ledger,
      objectFormat,
      session: folder.record.id,
    });
    await writeFork(folder, ledger, { from, base, at, stored });
    folder.update({ endedAt: at.toISOString(), reason: 'forked' });
  } catch (error) {
    folder.discard();
    throw error;
  }
  return { session: { folder: folder.folder, record: folder.record, owner: undefined }, from };
}

async function writeFork(
  folder: SessionFolder,
  ledger: LedgerWriter,
  { from, base, at, stored }: { from: Entry; base: string; at: Date; stored: StoredSession },
): Promise<void> {
  const files = await ledger.files(base);
  const { ignored, gitChanged } = from.trailers;
  const facts = { at, skipped: [], ignored, gitChanged };
  const initial = await ledger.commitInitial({
    ...facts,
    title: `Base of session ${stored.record.id}`,
    turn: 0,
    files,
  });
  const target = await ledger.files(from.tree);
  const fork = await ledger.append({
    ...facts,
    title: `Fork of ${stored.record.id.slice(0, 8)} at #${from.trailers.seq}`,
    kind: 'fork',
    turn: from.trailers.turn,
    origin: `${stored.record.id}:${from.id}`,
    written: [...target]
      .filter(([path, state]) => !isSameState(state, files.get(path)))
      .map(([path, { mode, oid }]) => ({ path, mode, oid })),
    removed: [...files.keys()].filter((path) => !target.has(path)),
  });
  const conversation = new Conversation(folder);
  conversation.catchUp([initial]);
  for (const message of conversationOf(stored).at(from.id) ?? []) conversation.say(message);
  conversation.catchUp([fork]);
  await ledger.settle();
}

function conversationOf(stored: StoredSession): ConversationLog {
  return ConversationLog.of(readConversation(stored.folder));
}
