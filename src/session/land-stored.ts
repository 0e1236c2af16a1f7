/** What an apply or an undo means for a session that does not run: its base moves. */
import { isSafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { WriterOptions } from '../ledger/writer-options.ts';
import { baseTreeOf, moveBaseBack, type TakenBack } from './base-tree.ts';
import { type LandedPaths, landChanges, type Review } from './land-changes.ts';
import type { StoredSession } from './store.ts';
import { type ChangedSession, changeStored } from './stored-rewind.ts';

/**
 * What landed is no change of the session any more. False while the session runs: it goes on to show what the project has
 * already, which does no harm. Throws `ledger/*`.
 */
export function landStored(
  state: HostPath,
  stored: StoredSession,
  review: Review,
  landed: LandedPaths,
  writing: WriterOptions = {},
): Promise<boolean> {
  return whileEnded(state, stored, writing, async ({ folder, ledger, conversation }) => {
    const base = await baseTreeOf(folder.record, ledger);
    const entry = await landChanges({ folder, ledger, base, now: new Date() }, review, landed);
    if (entry) conversation.catchUp([entry]);
  });
}

/** What was taken back is a change again; after a redo it is none. False while the session runs. Throws `ledger/*`. */
export function unlandStored(state: HostPath, stored: StoredSession, done: TakenBack): Promise<boolean> {
  return whileEnded(state, stored, {}, ({ folder, ledger }) =>
    moveBaseBack(folder, ledger, done, new Date()),
  );
}

async function whileEnded(
  state: HostPath,
  stored: StoredSession,
  writing: WriterOptions,
  work: (session: ChangedSession) => Promise<void>,
): Promise<boolean> {
  try {
    await using session = await changeStored(state, stored, writing);
    await work(session);
    return true;
  } catch (error) {
    if (isSafeCoderError(error, 'session/busy')) return false;
    throw error;
  }
}
