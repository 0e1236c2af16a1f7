/** Forks a stored session and says so. */
import { showPath } from '../base/path-bytes.ts';
import { toInertJson } from '../headless/json-lines.ts';
import type { StoredSession } from '../session/store.ts';
import { forkStored } from '../session/stored-rewind.ts';
import type { Context } from './context.ts';
import { storedWriting } from './ledger-signing.ts';

/** A new stored session that begins where an entry of `stored` was. Throws `ledger/*`. */
export async function fork(
  context: Context,
  stored: StoredSession,
  name: string,
): Promise<{ session: StoredSession }> {
  const at = new Date();
  const { session, from } = await forkStored(
    context.directories.state,
    stored,
    { name, at },
    await storedWriting(context),
  );
  const { id, project } = session.record;
  if (context.json) {
    const origin = { session: stored.record.id, entry: from.id, seq: from.trailers.seq };
    context.out.write(`${toInertJson({ type: 'fork', at: at.toISOString(), session: id, origin })}\n`);
  } else {
    const { style } = context.err;
    context.err.write(
      `${style.green('✓')} Forked ${stored.record.id.slice(0, 8)} at #${from.trailers.seq}: session ${id.slice(0, 8)} of ${showPath(project)}\n`,
    );
  }
  return { session };
}
