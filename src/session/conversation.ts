/** A session's conversation: kept in its folder line by line, and replayed from there when the session goes on. */
import type { Entry } from '../ledger/ledger.ts';
import type { ConversationMessage } from '../providers/model.ts';
import { ConversationLog, type EntryMark } from './conversation-log.ts';
import type { SessionFolder } from './store.ts';

export class Conversation {
  readonly #folder: SessionFolder;
  readonly #log: ConversationLog;

  /** Reads what the folder holds. Throws when it can't be read. */
  constructor(folder: SessionFolder) {
    this.#folder = folder;
    this.#log = ConversationLog.of(folder.readConversation());
  }

  /** See {@link ConversationLog.messages}. */
  get messages(): ConversationMessage[] {
    return this.#log.messages;
  }

  get notes(): readonly string[] {
    return this.#log.notes;
  }

  /** Keeps a message; it is in the file when this returns. */
  say(message: ConversationMessage): void {
    this.#folder.appendConversation(message);
    this.#log.add(message);
  }

  /** Tells the agent something at the beginning of its next turn; `entry` is what it is about. */
  tell(entry: Entry, note: string): void {
    this.#keep({ entry: entry.id, note });
  }

  /** See {@link ConversationLog.at}. */
  at(entry: string): ConversationMessage[] | undefined {
    return this.#log.at(entry);
  }

  /**
   * Marks entries that have no place yet: a kill came between the entry and its line, or the session is from before there
   * were lines. A rollback that was cut off there is finished.
   */
  catchUp(entries: readonly Entry[]): void {
    for (const entry of entries) if (!this.#log.has(entry.id)) this.#keep(toMark(entry));
  }

  /** Answers calls that were left open, so that the model may go on: with `text` those that no entry records. */
  closeOpenCalls(text: string): void {
    const answer = this.#log.answerOpen(text);
    if (answer !== undefined) this.say(answer);
  }

  #keep(line: EntryMark): void {
    this.#folder.appendConversation(line);
    this.#log.add(line);
  }
}

/** All of it follows from the entry, so that it can be made up for after a kill. */
function toMark({ id, title, trailers }: Entry): EntryMark {
  const { call, kind, to, scope, ok } = trailers;
  const mark: EntryMark = { entry: id, ...(call === undefined ? {} : { call }) };
  if (kind !== 'rollback' || to === undefined) return mark;
  if (scope !== 'files' && ok !== false) mark.rewind = to;
  if (scope === 'files') {
    mark.note = `${title}. The person took the files of the workspace back; the conversation goes on. Read files again before you rely on what you remember of them.`;
  } else if (scope === 'conversation') {
    mark.note = `${title}. The person took the conversation back to an earlier place, but not the files: the workspace holds later changes. Look at it before you go on.`;
  }
  return mark;
}
