/** `sessions`: what there is, newest first. */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isSafeCoderError } from '../../base/errors.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { showSize } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { openLedger } from '../../ledger/reader.ts';
import { sizeOnDisk } from '../../session/disk-use.ts';
import { SessionStore, type StoredSession } from '../../session/store.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';

interface Row {
  session: StoredSession;
  state: 'running' | 'ended' | 'interrupted';
  bytes: number;
  /** Undefined when the ledger can't be read. */
  entries: number | undefined;
  /** How often something was written to the project, undo included. */
  applied: number;
}

/** `text` is looked for in title, id, project and model. */
export async function sessions(
  text: string | undefined,
  flags: CommonFlags & { all?: boolean },
): Promise<void> {
  const context = createContext(flags);
  const store = new SessionStore(context.directories.state);
  const damaged: string[] = [];
  const listed = store.list(flags.all ? undefined : context.project, (id) => damaged.push(id));
  for (const id of damaged) {
    context.err.write(`! The record of session ${id} can't be read; "safe-coder rm ${id}" deletes it.\n`);
  }
  const found = listed.filter((session) => matches(session, text));
  if (found.length === 0 && !context.json) {
    const about = text === undefined ? '' : ` with ${JSON.stringify(text)}`;
    const where = flags.all ? '' : ` of ${showPath(context.project)}`;
    context.err.write(escapeForTerminal(`There are no sessions${where}${about}.`));
    context.err.write('\n');
  }
  for (const session of found) write(context, await examine(session), flags.all === true);
}

function matches({ record }: StoredSession, text: string | undefined): boolean {
  if (text === undefined) return true;
  const all = [record.title, record.id, record.project, record.model ?? ''].join('\n').toLowerCase();
  return all.includes(text.toLowerCase());
}

async function examine(session: StoredSession): Promise<Row> {
  const { folder, record, owner } = session;
  return {
    session,
    state: owner !== undefined ? 'running' : record.endedAt === undefined ? 'interrupted' : 'ended',
    bytes: sizeOnDisk(folder),
    entries: await countEntries(join(folder, 'ledger') as HostPath),
    applied: countApplied(join(folder, 'apply/applied')),
  };
}

/** By the newest entry's number, so that a list stays quick. */
async function countEntries(ledger: HostPath): Promise<number | undefined> {
  try {
    await using reader = await openLedger(ledger);
    return (await reader.head()).trailers.seq;
  } catch (error) {
    // Damaged or empty: "log --verify" says more.
    if (isSafeCoderError(error, 'ledger/damaged') || isSafeCoderError(error, 'ledger/no-such-entry'))
      return undefined;
    throw error;
  }
}

function countApplied(folder: string): number {
  return existsSync(folder) ? readdirSync(folder).filter((name) => /^\d{6}\.json$/.test(name)).length : 0;
}

function write(context: Context, row: Row, withProject: boolean): void {
  context.out.write(`${context.json ? toInertJson(toJson(row)) : describe(row, withProject)}\n`);
}

function toJson({ session, state, bytes, entries, applied }: Row): Record<string, unknown> {
  const { version: _, id, createdAt, ...rest } = session.record;
  const { folder } = session;
  return {
    type: 'session',
    at: createdAt,
    session: id,
    state,
    folder,
    bytes,
    entries: entries ?? null,
    applied,
    ...rest,
  };
}

function describe({ session, state, bytes, entries, applied }: Row, withProject: boolean): string {
  const { record } = session;
  const parts = [
    record.id.slice(0, 8),
    record.createdAt.slice(0, 16).replace('T', ' '),
    record.face.padEnd(5),
    state.padEnd(11),
    (entries === undefined ? 'unreadable' : `${entries} ${entries === 1 ? 'entry' : 'entries'}`).padStart(11),
    showSize(bytes).padStart(7),
    (applied === 0 ? '' : 'applied').padEnd(7),
    escapeForTerminal(record.title.replace(/\s+/g, ' ')).slice(0, 60),
  ];
  if (withProject) parts.push(showPath(record.project));
  return parts.join('  ').trimEnd();
}
