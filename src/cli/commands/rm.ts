/** `rm`: delete sessions, after naming them. */
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { SessionStore } from '../../session/store.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, createContext } from '../context.ts';

export async function rm(ids: string[], flags: CommonFlags & { yes?: boolean }): Promise<void> {
  const context = createContext(flags);
  const store = new SessionStore(context.directories.state);
  const sessions = ids.map((id) => store.findToRemove(id, context.project));
  for (const { record } of sessions) {
    context.err.write(
      `  ${record.id}  ${record.createdAt.slice(0, 16)}  ${escapeForTerminal(record.title).slice(0, 60)}\n`,
    );
  }
  const question = `Delete ${sessions.length === 1 ? 'this session' : `these ${sessions.length} sessions`}, ledger and conversation?`;
  if (!(await confirm(context, question, flags.yes === true))) return;
  for (const session of sessions) {
    store.remove(session);
    if (context.json) {
      context.out.write(
        `${toInertJson({ type: 'session.removed', at: new Date().toISOString(), session: session.record.id })}\n`,
      );
    }
  }
}
