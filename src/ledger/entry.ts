/** Entries as commits: encoding and reading one. */
import { SafeCoderError } from '../base/errors.ts';
import { encodeCommit, parseCommit } from '../git/commit.ts';
import type { ObjectStore } from '../git/object-store.ts';
import type { Entry, EntryTrailers } from './ledger.ts';
import { formatMessage, formatSkipped, parseMessage, parseSkipped, type SkippedList } from './message.ts';

/** Skipped paths whose lines take more than this go to a blob of their own: messages are read often, lists seldom. */
const MAX_INLINE_BYTES = 16 << 10;

export interface EntryDraft {
  title: string;
  at: Date;
  tree: string;
  parent: string | undefined;
  trailers: EntryTrailers;
}

/** The blob for the skipped paths, when they are too many for the message. */
export function encodeSkippedList(skipped: EntryTrailers['skipped']): Buffer | undefined {
  const text = skipped.map((item) => `${formatSkipped(item)}\n`).join('');
  return text.length > MAX_INLINE_BYTES ? Buffer.from(text, 'latin1') : undefined;
}

/** The commit's bytes. */
export function encodeEntry(draft: EntryDraft, skippedList: SkippedList | undefined): Buffer {
  const message = formatMessage({ title: draft.title, trailers: draft.trailers, skippedList });
  return encodeCommit({ tree: draft.tree, parent: draft.parent, at: draft.at, message });
}

/** Reads an entry and, if it has one, its list of skipped paths. Throws `ledger/damaged`. */
export async function readEntry(store: ObjectStore, id: string): Promise<Entry> {
  const { entry, skippedList } = parseEntry(id, await store.read(id, 'commit'));
  if (skippedList !== undefined) entry.trailers.skipped = await readSkippedList(store, skippedList);
  return entry;
}

/** Reads a commit's bytes; a list of skipped paths that is kept apart is not filled in. Throws `ledger/damaged`. */
export function parseEntry(
  id: string,
  bytes: Buffer,
): { entry: Entry; skippedList: SkippedList | undefined } {
  const { tree, parent, at, message } = parseCommit(bytes);
  const { title, trailers, skippedList } = parseMessage(message);
  return { entry: { id, parent, tree, title, at, trailers }, skippedList };
}

async function readSkippedList(store: ObjectStore, list: SkippedList): Promise<EntryTrailers['skipped']> {
  const text = (await store.read(list.oid, 'blob')).toString('latin1');
  const skipped = text.split('\n').slice(0, -1).map(parseSkipped);
  if (skipped.length !== list.count) {
    throw new SafeCoderError('ledger/damaged', `The list of skipped paths ${list.oid} is not complete.`);
  }
  return skipped;
}
