/** Puts the streamed parts of one answer together into a message that may stand in a conversation. */
import type { AssistantPart, ConversationMessage, ModelPart } from '../providers/model.ts';
import { callsOf, type ToolCallPart } from './conversation.ts';

/** A call as the loop runs it: `invalid` says why its input is no JSON object. */
export type PendingCall = ToolCallPart & {
  invalid?: string;
  /** The name as the model sent it, which may be anything. */
  asked: string;
};

/** Call ids of a conversation. They name files and answers, so each is unique and of harmless characters. */
export class CallIds {
  readonly #seen = new Set<string>();
  #next = 0;

  constructor(messages: readonly ConversationMessage[]) {
    for (const message of messages) for (const { call } of callsOf(message)) this.#seen.add(call);
  }

  /** The model's id when it may be used, else a fresh one: local servers repeat `call_0` in every answer. */
  take(wanted: string): string {
    let id = wanted;
    while (!/^[A-Za-z0-9_-]{1,64}$/.test(id) || this.#seen.has(id)) id = `sc_${this.#next++}`;
    this.#seen.add(id);
    return id;
  }

  /** Gives back ids that no message uses after all. */
  release(ids: readonly string[]): void {
    for (const id of ids) this.#seen.delete(id);
  }
}

/** Collects one answer. Reasoning blocks end with the part that carries `opaque`. */
export class AssistantMessage {
  readonly #ids: CallIds;
  readonly #parts: AssistantPart[] = [];
  readonly calls: PendingCall[] = [];

  constructor(ids: CallIds) {
    this.#ids = ids;
  }

  add(part: ModelPart): void {
    const last = this.#parts.at(-1);
    if (part.type === 'text') {
      if (last?.type === 'text') last.text += part.text;
      else this.#parts.push({ type: 'text', text: part.text });
    } else if (part.type === 'reasoning') {
      const open = last?.type === 'reasoning' && last.opaque === undefined ? last : undefined;
      const block = open ?? { type: 'reasoning', text: '' };
      block.text += part.text;
      if (part.opaque !== undefined) block.opaque = part.opaque;
      if (open === undefined) this.#parts.push(block);
    } else if (part.type === 'tool-call') {
      this.#addCall(part);
    }
  }

  #addCall(part: Extract<ModelPart, { type: 'tool-call' }>): void {
    const { invalid, ...rest } = part;
    // Providers refuse a history with a tool name they would not have allowed.
    const tool = part.tool.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, 64) || 'unnamed';
    const call = { ...rest, call: this.#ids.take(part.call), tool };
    this.#parts.push(call);
    this.calls.push({ ...call, asked: part.tool, ...(invalid === undefined ? {} : { invalid }) });
  }

  /** Forgets everything in it, the ids of its calls as well. */
  discard(): void {
    this.#ids.release(this.calls.map((call) => call.call));
    this.#parts.length = 0;
    this.calls.length = 0;
  }

  /** What the model said, for people. */
  get text(): string {
    return this.#parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
  }

  /** The message, or undefined when there is nothing in it that a provider would take back. */
  toMessage(): Extract<ConversationMessage, { role: 'assistant' }> | undefined {
    const parts = this.#parts.filter(
      (part) =>
        part.type === 'tool-call' ||
        part.text.trim() !== '' ||
        ('opaque' in part && part.opaque !== undefined),
    );
    const hasContent = parts.some((part) => part.type !== 'reasoning');
    return hasContent ? { role: 'assistant', parts } : undefined;
  }
}
