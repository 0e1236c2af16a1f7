/**
 * Apply's memory on disk, outside the project: the lock and the journal of each project (`apply/DEV-INO.*`), and for each
 * session what was done and the contents that undo needs (`sessions/ID/apply`), which go when the session goes.
 */

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { errnoOf, isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { type OwnerLock, takeOwnerLock } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { RootId } from './host-root.ts';
import { type ApplyRecord, type Journal, journalSchema, recordSchema } from './journal.ts';
import { fsyncFolder, unlinkIfThere, writeJsonDurably } from './write-durably.ts';

const SESSION_ID = /^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$/;

export class StateStore {
  readonly root: HostPath;

  /** `stateDir` is Safe Coder's private state folder; made when missing, 0700. */
  constructor(stateDir: HostPath) {
    this.root = stateDir;
    mkdirSync(join(stateDir, 'apply'), { recursive: true, mode: 0o700 });
  }

  /** Takes the project's lock; the caller ends it. Throws `apply/busy` while another process holds it. */
  lock(id: RootId): OwnerLock {
    const lock = takeOwnerLock(join(this.root, 'apply', `${id.dev}-${id.ino}.lock`) as HostPath);
    if ('heldBy' in lock) {
      throw new SafeCoderError('apply/busy', `Process ${lock.heldBy} is writing to this project.`, {
        hint: 'Wait until it is done, then try again.',
        details: { pid: lock.heldBy },
      });
    }
    return lock;
  }

  /** The journals that an interrupted apply left behind. Throws `session/damaged` when one can't be understood. */
  journals(): Journal[] {
    const { journals, damaged } = this.surveyJournals();
    const [first] = damaged;
    if (first) throw first;
    return journals;
  }

  /** All journals that can be understood, and an error for each other one: it concerns its own project only. */
  surveyJournals(): { journals: Journal[]; damaged: SafeCoderError[] } {
    const names = readdirSync(join(this.root, 'apply')).filter((name) => /^\d+-\d+\.journal$/.test(name));
    const [journals, damaged]: [Journal[], SafeCoderError[]] = [[], []];
    for (const name of names) {
      try {
        journals.push(readJson(join(this.root, 'apply', name), journalSchema));
      } catch (error) {
        if (isSafeCoderError(error, 'session/damaged')) damaged.push(error);
        // Another process may have finished with it just now.
        else if (errnoOf(error) !== 'ENOENT') throw error;
      }
    }
    return { journals, damaged };
  }

  journal(id: RootId): Journal | undefined {
    try {
      return readJson(this.#journalFile(id), journalSchema);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  writeJournal(journal: Journal): void {
    writeJsonDurably(this.#journalFile(journal.record.root), journal);
  }

  removeJournal(id: RootId): void {
    unlinkIfThere(this.#journalFile(id));
    fsyncFolder(join(this.root, 'apply'));
  }

  #journalFile(id: RootId): string {
    return join(this.root, 'apply', `${id.dev}-${id.ino}.journal`);
  }

  /** What was done in a session, oldest first. */
  records(session: string): ApplyRecord[] {
    return this.#recordNames(session).map((name) => {
      const file = join(this.#session(session), 'applied', name);
      try {
        return readJson(file, recordSchema);
      } catch (error) {
        throw errnoOf(error) === 'ENOENT' ? damaged(file, error) : error;
      }
    });
  }

  /** Keeps a record after those that are there, damaged ones too; one that is there already is not kept twice. */
  addRecord(record: ApplyRecord): void {
    const folder = join(this.#session(record.session), 'applied');
    const names = this.#recordNames(record.session);
    if (names.some((name) => isRecord(join(folder, name), record.id))) return;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const next = Number.parseInt(names.at(-1) ?? '0', 10) + 1;
    writeJsonDurably(join(folder, `${String(next).padStart(6, '0')}.json`), record);
    fsyncFolder(dirname(folder));
  }

  #recordNames(session: string): string[] {
    try {
      const names = readdirSync(join(this.#session(session), 'applied'));
      return names.filter((name) => /^\d{6}\.json$/.test(name)).sort();
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
  }

  /** The file of the old contents that a record keeps; its folder is made when missing. */
  keptFile({ session, id }: Pick<ApplyRecord, 'session' | 'id'>): HostPath {
    const folder = join(this.#session(session), 'kept');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, id) as HostPath;
  }

  /** Makes the name of a record's kept contents durable. */
  settleKept(record: Pick<ApplyRecord, 'session' | 'id'>): void {
    fsyncFolder(dirname(this.keptFile(record)));
  }

  /** Forgets what a record kept. */
  dropKept(record: Pick<ApplyRecord, 'session' | 'id'>): void {
    unlinkIfThere(this.keptFile(record));
  }

  #session(session: string): string {
    if (!SESSION_ID.test(session)) {
      throw new SafeCoderError('usage/bad-argument', `${JSON.stringify(session)} is no session id.`);
    }
    return join(this.root, 'sessions', session, 'apply');
  }
}

/** Whether a file holds the record of that id; a damaged one holds none. */
function isRecord(file: string, id: string): boolean {
  try {
    return readJson(file, recordSchema).id === id;
  } catch (error) {
    if (isSafeCoderError(error, 'session/damaged') || errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Throws ENOENT as it comes: callers tell a file that is not there from one that is damaged. */
function readJson<T>(file: string, schema: z.ZodType<T>): T {
  try {
    return schema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw errnoOf(error) === 'ENOENT' ? error : damaged(file, error);
  }
}

function damaged(file: string, cause: unknown): SafeCoderError {
  const errno = errnoOf(cause);
  const what = errno === undefined ? "can't be understood" : `can't be read (${errno})`;
  return new SafeCoderError('session/damaged', `${file} ${what}.`, {
    cause,
    hint: 'It was written by another version of Safe Coder, or changed. Move it away to go on without it.',
  });
}
