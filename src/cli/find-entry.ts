/**
 * The words after `show`, `diff`, `blame`: a session's id may stand before an entry's name, and either may be missing. A word
 * that can only be an entry (`#7`, `7`, `HEAD`) is one; any other is a session if there is one of that id, else an entry of the
 * newest session.
 */
import { isSafeCoderError } from '../base/errors.ts';
import type { Context } from './context.ts';
import { looksLikeEntry, type OpenedStoredSession, openStored } from './stored-session.ts';

export interface Named {
  stored: OpenedStoredSession;
  /** What names an entry; undefined when only a session was named, or nothing. */
  name: string | undefined;
}

/** Opens the session that the words mean. Throws `session/not-found`, `ledger/damaged`. The caller disposes `stored`. */
export async function openNamed(
  context: Context,
  first: string | undefined,
  second: string | undefined,
  isEntry: (word: string) => boolean = looksLikeEntry,
): Promise<Named> {
  if (second !== undefined || first === undefined) {
    return { stored: await openStored(context, first), name: second };
  }
  if (!isEntry(first)) {
    try {
      return { stored: await openStored(context, first), name: undefined };
    } catch (error) {
      if (!isSafeCoderError(error, 'session/not-found')) throw error;
    }
  }
  return { stored: await openStored(context, undefined), name: first };
}
