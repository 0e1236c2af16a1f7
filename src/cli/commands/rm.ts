/** `rm`: delete sessions, after naming them. */
import { SafeCoderError, toSafeCoderError } from '../../base/errors.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { showSize } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { sizeOnDisk } from '../../session/disk-use.ts';
import { selectSessions } from '../../session/gc.ts';
import { SessionStore, type StoredSession } from '../../session/store.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';
import { parseAge } from './gc.ts';

interface RmFlags extends CommonFlags {
  yes?: boolean;
  all?: boolean;
  olderThan?: string;
}

export async function rm(ids: string[], flags: RmFlags): Promise<void> {
  const context = createContext(flags);
  const store = new SessionStore(context.directories.state);
  const sessions = select(context, store, ids, flags);
  if (sessions.length === 0) {
    context.err.write('There is no such session.\n');
    return;
  }
  for (const { record, folder, owner } of sessions) {
    const size = showSize(sizeOnDisk(folder)).padStart(8);
    const title = escapeForTerminal(record.title.replace(/\s+/g, ' ')).slice(0, 60);
    const running = owner === undefined ? '' : '  (running: it stays)';
    context.err.write(`  ${record.id}  ${record.createdAt.slice(0, 16)}  ${size}  ${title}${running}\n`);
  }
  const question = `Delete ${sessions.length === 1 ? 'this session' : `these ${sessions.length} sessions`}, ledger and conversation?`;
  if (!(await confirm(context, question, flags.yes === true))) return;
  let failure: SafeCoderError | undefined;
  for (const session of sessions) failure = remove(context, store, session) ?? failure;
  if (failure) throw failure;
}

/** A session that can't be removed stops none of the others, and is the command's failure. */
function remove(context: Context, store: SessionStore, session: StoredSession): SafeCoderError | undefined {
  try {
    store.remove(session);
  } catch (error) {
    return toSafeCoderError(error);
  }
  if (context.json) {
    const row = { type: 'session.removed', at: new Date().toISOString(), session: session.record.id };
    context.out.write(`${toInertJson(row)}\n`);
  }
  return undefined;
}

/** By id, or by age of this project's, or of all with `--all`. */
function select(context: Context, store: SessionStore, ids: string[], flags: RmFlags): StoredSession[] {
  const olderThanMs = parseAge(flags.olderThan);
  if (ids.length > 0) {
    if (flags.all || olderThanMs !== undefined)
      throw new SafeCoderError(
        'usage/bad-argument',
        'Name sessions, or give --all or --older-than, not both.',
      );
    return ids.map((id) => store.findToRemove(id, context.project));
  }
  if (!flags.all && olderThanMs === undefined) {
    throw new SafeCoderError('usage/bad-argument', 'Name the sessions to delete.', {
      hint: '"safe-coder sessions" lists them; --older-than 30d and --all choose many.',
    });
  }
  const { state, cache } = context.directories;
  return selectSessions(store.list(flags.all ? undefined : context.project), {
    state,
    cache,
    now: Date.now(),
    ...(olderThanMs === undefined ? { keep: 0 } : { olderThanMs }),
  });
}
