/** A stored session with its ledger opened for reading. */

import { join } from 'node:path';
import type { HostPath } from '../base/path-bytes.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { openLedger } from '../ledger/reader.ts';
import { SessionStore, type StoredSession } from '../session/store.ts';
import type { Context } from './context.ts';

export interface OpenedStoredSession extends AsyncDisposable {
  session: StoredSession;
  ledger: LedgerReader;
}

/** Throws `session/not-found`, `ledger/damaged`. The caller disposes it. */
export async function openStored(context: Context, id: string | undefined): Promise<OpenedStoredSession> {
  const session = new SessionStore(context.directories.state).find(id, context.project);
  const ledger = await openLedger(join(session.folder, 'ledger') as HostPath);
  return { session, ledger, [Symbol.asyncDispose]: () => ledger[Symbol.asyncDispose]() };
}

/** A word that can only be an entry's name, not a session's: `#7`, `7`, `HEAD`. */
export function looksLikeEntry(word: string): boolean {
  return word === 'HEAD' || /^#?\d{1,6}$/.test(word);
}

/** A word that is a range of entries: `A..B`. */
export function looksLikeRange(word: string): boolean {
  return word.includes('..');
}
