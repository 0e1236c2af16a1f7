/**
 * Apply's memory on disk, outside the project: the lock and the journal of each project (`apply/DEV-INO.*`), and for each
 * session what was done and the contents that undo needs (`sessions/ID/apply`), which go when the session goes.
 */

import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { z } from 'zod';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { type OwnerLock, takeOwnerLock } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { RootId } from './host-root.ts';
import { type ApplyRecord, type Journal, journalSchema, recordSchema } from './journal.ts';

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

  /** The journals that an interrupted apply left behind. */
  journals(): Journal[] {
    return readdirSync(join(this.root, 'apply'))
      .filter((name) => /^\d+-\d+\.journal$/.test(name))
      .map((name) => readJson(join(this.root, 'apply', name), journalSchema));
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
    writeDurably(this.#journalFile(journal.record.root), journal);
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
    let names: string[];
    try {
      names = readdirSync(join(this.#session(session), 'applied'));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
    return names
      .filter((name) => /^\d{6}\.json$/.test(name))
      .sort()
      .map((name) => readJson(join(this.#session(session), 'applied', name), recordSchema));
  }

  /** Keeps a record; one that is there already is not kept twice. */
  addRecord(record: ApplyRecord): void {
    const known = this.records(record.session);
    if (known.some((other) => other.id === record.id)) return;
    const folder = join(this.#session(record.session), 'applied');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeDurably(join(folder, `${String(known.length + 1).padStart(6, '0')}.json`), record);
    fsyncFolder(dirname(folder));
  }

  /** Folder of a session's kept contents, each file named by the SHA-256 of its bytes; made when missing. */
  contents(session: string): HostPath {
    const folder = join(this.#session(session), 'contents') as HostPath;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  }

  #session(session: string): string {
    if (!SESSION_ID.test(session)) {
      throw new SafeCoderError('usage/bad-argument', `${JSON.stringify(session)} is no session id.`);
    }
    return join(this.root, 'sessions', session, 'apply');
  }
}

/**
 * Keeps bytes under their SHA-256; `write` fills the opened file, durable before it has its name when `sync`. What is kept
 * already is written anew: a power cut may have emptied a file that was not synced.
 */
export function keepContent(
  folder: HostPath,
  sha256: string,
  write: (fd: number) => void,
  options: { sync: boolean },
): void {
  const temporary = join(folder, `${sha256}.${randomBytes(6).toString('hex')}`);
  const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
  try {
    write(fd);
    if (options.sync) fsyncSync(fd);
    renameSync(temporary, join(folder, sha256));
  } catch (error) {
    unlinkIfThere(temporary);
    throw error;
  } finally {
    closeSync(fd);
  }
}

/** The whole of `bytes`, however many calls it takes. */
export function writeFully(fd: number, bytes: Uint8Array): void {
  let at = 0;
  while (at < bytes.length) at += writeSync(fd, bytes, at);
}

export function fsyncFolder(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeDurably(file: string, value: unknown): void {
  const temporary = `${file}.tmp`;
  const fd = openSync(temporary, 'w', 0o600);
  try {
    writeFully(fd, Buffer.from(`${JSON.stringify(value)}\n`));
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(temporary, file);
  fsyncFolder(dirname(file));
}

function readJson<T>(file: string, schema: z.ZodType<T>): T {
  const text = readFileSync(file, 'utf8');
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new SafeCoderError('session/damaged', `${file} can't be understood.`, {
      cause: error,
      hint: 'It was written by another version of Safe Coder, or by hand. Move it away to go on without it.',
    });
  }
}

function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
