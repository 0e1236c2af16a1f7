/**
 * Sessions on disk. Each has a private folder: `session.json` (what it is), `events.jsonl` and `conversation.jsonl` (what
 * happened, appended as it happens), `ledger` (the repository). A session that is running holds `owner`.
 */
import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { fsyncFolder, writeFully } from '../apply/write-durably.ts';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { IsolationInfo, SafeCoderEvent, Usage } from '../base/events.ts';
import { liveOwner, type OwnerLock, takeOwnerLock } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { parseConversation } from './conversation-lines.ts';
import type { ConversationLine } from './conversation-log.ts';
import { isSessionRecord } from './record-schema.ts';

export interface SessionRecord {
  version: 1;
  id: string;
  /** The project's root, and which directory that was: another one at its place is not written to. */
  project: string;
  root?: { dev: string; ino: string };
  createdAt: string;
  endedAt?: string;
  /** `chat`, `run`, `exec`, `shell` or `tour`. */
  face: string;
  model?: string;
  /** The first prompt or command, for lists. */
  title: string;
  isolation?: IsolationInfo;
  usage?: Usage;
  reason?: string;
  /** Tree of the initial entry. */
  base?: string;
  /** The commit that the project's own repository had checked out at the start, for `export --branch`. */
  gitHead?: string;
  final?: string;
  /** Id of the entry that was the newest when the session ended: the chain has to contain it. */
  head?: string;
  /** How the base moved, oldest first: by applies, undos and redos. The last tree is what changes are compared with. */
  landed?: Landed[];
  /** Files that the project's rules ignore, as the last sweep counted them: they are in no entry. */
  ignored?: { count: number; examples: string[] };
  /** The session and the entry's id that this one was forked from. */
  origin?: { session: string; entry: string };
}

/** An apply, undo or redo, as far as it moves what later changes are compared with. */
export interface Landed {
  /** The base before it with what landed or was taken back; the ledger keeps it. */
  tree: string;
  at: string;
  /** The record of what was written to the project; none where the project held all of it already. */
  record?: string;
}

export interface StoredSession {
  folder: HostPath;
  record: SessionRecord;
  /** The process that runs it now. */
  owner: number | undefined;
}

const ID = /^[0-9a-f]{12}$/;
/** Folders of sessions that are being deleted. */
export const GONE_PREFIX = 'gone-';

export class SessionStore {
  readonly root: HostPath;

  /** `state` is the private state folder; it exists. */
  constructor(state: HostPath) {
    this.root = join(state, 'sessions') as HostPath;
  }

  /** Makes a session's folder and record; it is owned by this process until the folder is disposed. */
  create(init: Omit<SessionRecord, 'version' | 'id' | 'createdAt'>, now: Date): SessionFolder {
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    const id = randomBytes(6).toString('hex');
    const folder = join(this.root, id) as HostPath;
    mkdirSync(folder, { mode: 0o700 });
    const lock = takeOwnerLock(join(folder, 'owner') as HostPath);
    if ('heldBy' in lock)
      throw new SafeCoderError('session/busy', `Session ${id} is in use by process ${lock.heldBy}.`);
    return new SessionFolder(folder, { version: 1, id, createdAt: now.toISOString(), ...init }, lock);
  }

  /** Takes over a stored session, as its process would hold it. Throws `session/busy` while another one does. */
  reopen(session: StoredSession): SessionFolder {
    const { folder } = session;
    const { id } = session.record;
    const lock = takeOwnerLock(join(folder, 'owner') as HostPath);
    if ('heldBy' in lock) {
      throw new SafeCoderError('session/busy', `Session ${id} runs in process ${lock.heldBy}.`, {
        hint: 'End it first, or do this in the chat itself: /help lists what it knows.',
      });
    }
    // It may have gone on between our look at it and the lock.
    const record = this.#read(id)?.record ?? session.record;
    return new SessionFolder(folder, record, lock);
  }

  /** All sessions, newest first; of one project when given. Damaged records are left out and named to `onDamaged`. */
  list(project?: string, onDamaged?: (id: string) => void): StoredSession[] {
    let names: string[];
    try {
      names = readdirSync(this.root);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return [];
      throw error;
    }
    const sessions: StoredSession[] = [];
    for (const id of names.filter((name) => ID.test(name))) {
      const session = this.#read(id);
      if (session === undefined) onDamaged?.(id);
      else if (project === undefined || session.record.project === project) sessions.push(session);
    }
    return sessions.sort((a, b) => (a.record.createdAt < b.record.createdAt ? 1 : -1));
  }

  /** The session with this id or unique beginning of one; the newest of the project without an id. Throws `session/not-found`. */
  find(id: string | undefined, project: string): StoredSession {
    if (id === undefined) {
      const newest = this.list(project)[0];
      if (newest) return newest;
      throw new SafeCoderError('session/not-found', `There is no session of ${project}.`, {
        hint: '"safe-coder sessions --all" lists those of other projects.',
      });
    }
    const matches = this.list().filter((session) => session.record.id.startsWith(id));
    if (matches[0] && matches.length === 1) return matches[0];
    throw new SafeCoderError(
      'session/not-found',
      matches.length === 0 ? `There is no session ${id}.` : `${id} begins ${matches.length} session ids.`,
      { hint: '"safe-coder sessions --all" lists them.' },
    );
  }

  /** As {@link find}, and by its whole id also a session whose record is damaged: to be removed, as nothing else can be done. */
  findToRemove(id: string, project: string): StoredSession {
    const folder = join(this.root, id) as HostPath;
    if (!ID.test(id) || !existsSync(folder) || this.#read(id) !== undefined) return this.find(id, project);
    const record: SessionRecord = {
      version: 1,
      id,
      project: '',
      createdAt: '',
      face: '',
      title: 'the record is damaged',
    };
    return { folder, record, owner: liveOwner(join(folder, 'owner') as HostPath) };
  }

  /** Deletes a session for good; killed in the middle, it is no session any more. Throws `session/busy` while it runs. */
  remove({ folder, record }: StoredSession): void {
    const lock = takeOwnerLock(join(folder, 'owner') as HostPath);
    if ('heldBy' in lock) {
      throw new SafeCoderError('session/busy', `Session ${record.id} runs in process ${lock.heldBy}.`, {
        hint: 'End it first.',
      });
    }
    const gone = join(this.root, `${GONE_PREFIX}${record.id}`);
    rmSync(gone, { recursive: true, force: true });
    renameSync(folder, gone);
    rmSync(gone, { recursive: true, force: true });
  }

  #read(id: string): StoredSession | undefined {
    const folder = join(this.root, id) as HostPath;
    try {
      const record: unknown = JSON.parse(readFileSync(join(folder, 'session.json'), 'utf8'));
      if (!isSessionRecord(record) || record.id !== id) return undefined;
      return { folder, record, owner: liveOwner(join(folder, 'owner') as HostPath) };
    } catch {
      // Unreadable or no JSON: the caller names it as damaged.
      return undefined;
    }
  }
}

/** The folder of a session that this process runs or changes. */
export class SessionFolder implements Disposable {
  readonly folder: HostPath;
  #record: SessionRecord;
  readonly #lock: OwnerLock;

  constructor(folder: HostPath, record: SessionRecord, lock: OwnerLock) {
    this.folder = folder;
    this.#record = record;
    this.#lock = lock;
    this.#save();
  }

  get record(): SessionRecord {
    return this.#record;
  }

  get ledger(): HostPath {
    return join(this.folder, 'ledger') as HostPath;
  }

  update(changes: Partial<SessionRecord>): void {
    this.#record = { ...this.#record, ...changes };
    this.#save();
  }

  /** The session runs again: how it ended before is no longer true. */
  goOn(changes: Partial<SessionRecord>): void {
    const { endedAt: _, reason: __, final: ___, ...rest } = this.#record;
    this.#record = { ...rest, ...changes };
    this.#save();
  }

  /** Removes a session that never came to be. */
  discard(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  appendEvent(event: SafeCoderEvent): void {
    append(join(this.folder, 'events.jsonl'), `${JSON.stringify(event)}\n`);
  }

  appendConversation(line: ConversationLine): void {
    append(this.#conversation, `${JSON.stringify(line)}\n`);
  }

  /** As {@link readConversation}; a line that a kill cut short is closed, so that the next one is whole. */
  readConversation(): ConversationLine[] {
    const { lines, isWhole } = readLines(this.folder);
    if (!isWhole) append(this.#conversation, '\n');
    return lines;
  }

  get #conversation(): string {
    return join(this.folder, 'conversation.jsonl');
  }

  #save(): void {
    const file = join(this.folder, 'session.json');
    const fd = openSync(`${file}.new`, 'w', 0o600);
    try {
      // A disk that fills up takes a part without an error: a cut record in the place of a whole one is a lost session.
      writeFully(fd, Buffer.from(`${JSON.stringify(this.#record, null, 2)}\n`));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(`${file}.new`, file);
    fsyncFolder(this.folder);
  }

  [Symbol.dispose](): void {
    if (existsSync(this.folder)) this.#lock[Symbol.dispose]();
  }
}

/** What was kept of a session's conversation, also of one that runs. */
export function readConversation(folder: HostPath): ConversationLine[] {
  return readLines(folder).lines;
}

function readLines(folder: HostPath): { lines: ConversationLine[]; isWhole: boolean } {
  try {
    const text = readFileSync(join(folder, 'conversation.jsonl'), 'utf8');
    return { lines: parseConversation(text), isWhole: text === '' || text.endsWith('\n') };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { lines: [], isWhole: true };
    throw toDamaged(join(folder, 'conversation.jsonl'), error);
  }
}

function append(file: string, text: string): void {
  try {
    appendFileSync(file, text, { mode: 0o600 });
  } catch (error) {
    throw toDamaged(file, error);
  }
}

/** A full disk stays what it is; anything else is in the way of the session's own file. */
function toDamaged(file: string, cause: unknown): unknown {
  const errno = errnoOf(cause);
  if (errno === undefined || errno === 'ENOSPC' || errno === 'EDQUOT') return cause;
  return new SafeCoderError('session/damaged', `${file} can't be used (${errno}).`, {
    cause,
    hint: 'Move it away to go on without what it held: the files of every step are in the ledger.',
  });
}
