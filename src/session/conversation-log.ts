/**
 * The conversation of a session as a file that only grows. A message joins what is there; the line of a ledger's entry marks
 * the place where the conversation was when the entry was written, and may take the conversation back to another entry's
 * place. What was said in between stays in the file, and can be gone back to in turn.
 */
import { callsOf, synthesize } from '../agent/conversation.ts';
import type { ConversationMessage, ToolResultPart } from '../providers/model.ts';

/** The line of an entry. */
export interface EntryMark {
  /** The entry's id. */
  entry: string;
  /** The tool call that it records. */
  call?: string;
  /** The entry whose place the conversation goes back to. */
  rewind?: string;
  /** What the agent is told at the beginning of the next turn. */
  note?: string;
}

export type ConversationLine = ConversationMessage | EntryMark;

interface Node {
  message: ConversationMessage;
  parent: Node | undefined;
  /** The answer to this message's calls, once there is one. */
  answer?: Extract<ConversationMessage, { role: 'tool' }>;
}

/** Where the conversation was. Calls of the last message are open, but for those that have an entry. */
interface Place {
  tip: Node | undefined;
  recorded: readonly string[];
}

const GONE_BACK = 'Not run: the session went back to the moment before this call.';
const MISSING: ConversationMessage = {
  role: 'user',
  parts: [{ type: 'text', text: '[Safe Coder: a message that was here is lost.]' }],
};
const LOST = 'The result was lost. What the call did to the workspace is recorded, and still there.';

export class ConversationLog {
  #place: Place = { tip: undefined, recorded: [] };
  #notes: string[] = [];
  readonly #places = new Map<string, Place>();

  /** Replays lines; whoever writes further ones to the file adds them here as well. */
  static of(lines: Iterable<ConversationLine>): ConversationLog {
    const log = new ConversationLog();
    for (const line of lines) log.add(line);
    return log;
  }

  /** The conversation as it is now. Its last calls may have no answer yet. */
  get messages(): ConversationMessage[] {
    return messagesOf(this.#place.tip);
  }

  /** What the agent has not been told yet. */
  get notes(): readonly string[] {
    return this.#notes;
  }

  has(entry: string): boolean {
    return this.#places.has(entry);
  }

  add(line: ConversationLine): void {
    if ('role' in line) this.#addMessage(line);
    else this.#addMark(line);
  }

  /** The conversation as it was just after an entry; undefined when that entry has no line. */
  at(entry: string): ConversationMessage[] | undefined {
    const place = this.#places.get(entry);
    return place && messagesOf(settle(place, GONE_BACK));
  }

  /** The answer that the last calls lack, with `text` for what was not recorded; undefined when none is open. */
  answerOpen(text: string): ConversationMessage | undefined {
    const settled = settle(this.#place, text);
    return settled === this.#place.tip ? undefined : settled?.message;
  }

  #addMessage(message: ConversationMessage): void {
    if (message.role === 'tool') this.#addAnswer(message.results);
    else {
      // Where a damaged line is missing, a provider still has to take what is around it.
      this.#addAnswer([]);
      const before = this.#place.tip?.message.role;
      if (message.role === 'assistant' && (before === undefined || before === 'assistant'))
        this.#append(MISSING);
      if (message.role === 'user') this.#notes = [];
      this.#append(message);
    }
  }

  /** Answers the open calls, each once and in their order, from what there is; nothing when none is open. */
  #addAnswer(results: readonly ToolResultPart[]): void {
    const { tip } = this.#place;
    const calls = callsOf(tip?.message);
    if (tip === undefined || calls.length === 0) return;
    const answers = calls.map(
      (call) => results.find((each) => each.call === call.call) ?? synthesize(call, LOST),
    );
    tip.answer = { role: 'tool', results: answers };
    this.#append(tip.answer);
  }

  #append(message: ConversationMessage): void {
    this.#place = { tip: { message, parent: this.#place.tip }, recorded: [] };
  }

  #addMark({ entry, call, rewind, note }: EntryMark): void {
    const { tip, recorded } = this.#place;
    const isOpen = call !== undefined && callsOf(tip?.message).some((each) => each.call === call);
    if (isOpen) this.#place = { tip, recorded: [...recorded, call] };
    const back = rewind === undefined ? undefined : this.#places.get(rewind);
    if (back) {
      this.#place = { tip: settle(back, GONE_BACK), recorded: [] };
      this.#notes = [];
    }
    if (note !== undefined) this.#notes = [...this.#notes, note];
    this.#places.set(entry, this.#place);
  }
}

/** The last message at a place, with every call of it answered: those not recorded by then with `text`. */
function settle({ tip, recorded }: Place, text: string): Node | undefined {
  const calls = callsOf(tip?.message);
  if (tip === undefined || calls.length === 0) return tip;
  const last = Math.max(-1, ...recorded.map((name) => calls.findIndex(({ call }) => call === name)));
  const results = calls.map((call, index) => {
    // What came before a recorded call has its answer too, also when nothing ran for it.
    if (!recorded.includes(call.call) && index > last) return synthesize(call, text);
    return tip.answer?.results.find((result) => result.call === call.call) ?? synthesize(call, LOST);
  });
  return { message: { role: 'tool', results }, parent: tip };
}

function messagesOf(tip: Node | undefined): ConversationMessage[] {
  const messages: ConversationMessage[] = [];
  for (let node = tip; node !== undefined; node = node.parent) messages.push(node.message);
  return messages.reverse();
}
