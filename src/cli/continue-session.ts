/** Going on with a stored session: in its own project, with the model it had unless another one is named. */
import { SessionStore, type StoredSession } from '../session/store.ts';
import { type CommonFlags, type Context, createContext } from './context.ts';

export interface Continued {
  context: Context;
  stored: StoredSession;
}

/** Finds the session by id, or the newest of this project. Throws `session/not-found`. */
export function findSession(context: Context, id: string | undefined): StoredSession {
  return new SessionStore(context.directories.state).find(id, context.project);
}

/** The context of a session that goes on: its project's settings hold, wherever the command was given. */
export function contextOf(stored: StoredSession, flags: CommonFlags): Context {
  const { project, model } = stored.record;
  return createContext({ ...flags, path: project, ...(flags.model === undefined && model ? { model } : {}) });
}

/** The session to go on with, and its context. Throws `session/not-found`. */
export function continueSession(id: string | undefined, flags: CommonFlags): Continued {
  const stored = findSession(createContext(flags), id);
  return { stored, context: contextOf(stored, flags) };
}
