/** `sessions`: what there is, newest first. */
import { showPath } from '../../base/path-bytes.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { SessionStore, type StoredSession } from '../../session/store.ts';
import { type CommonFlags, createContext } from '../context.ts';

export async function sessions(flags: CommonFlags & { all?: boolean }): Promise<void> {
  const context = createContext(flags);
  const store = new SessionStore(context.directories.state);
  const damaged: string[] = [];
  const found = store.list(flags.all ? undefined : context.project, (id) => damaged.push(id));
  for (const id of damaged) {
    context.err.write(`! The record of session ${id} can't be read; "safe-coder rm ${id}" deletes it.\n`);
  }
  if (context.json) {
    for (const session of found) context.out.write(`${toInertJson(toRow(session))}\n`);
    return;
  }
  if (found.length === 0) {
    context.err.write(
      flags.all ? 'There are no sessions.\n' : `There are no sessions of ${showPath(context.project)}.\n`,
    );
    return;
  }
  for (const session of found) context.out.write(`${describe(session, flags.all === true)}\n`);
}

function toRow({ record, owner, folder }: StoredSession): Record<string, unknown> {
  const { version: _, id, createdAt, ...rest } = record;
  return {
    type: 'session',
    at: createdAt,
    session: id,
    state: stateOf(record.endedAt, owner),
    folder,
    ...rest,
  };
}

function stateOf(
  endedAt: string | undefined,
  owner: number | undefined,
): 'running' | 'ended' | 'interrupted' {
  if (owner !== undefined) return 'running';
  return endedAt === undefined ? 'interrupted' : 'ended';
}

function describe({ record, owner }: StoredSession, withProject: boolean): string {
  const when = record.createdAt.slice(0, 16).replace('T', ' ');
  const title = escapeForTerminal(record.title.replace(/\s+/g, ' ')).slice(0, 60);
  const project = withProject ? `  ${showPath(record.project)}` : '';
  return `${record.id.slice(0, 8)}  ${when}  ${record.face.padEnd(5)}  ${stateOf(record.endedAt, owner).padEnd(11)}  ${title}${project}`;
}
