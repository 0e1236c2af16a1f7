/** The laws that every conversation keeps, so that any provider takes it, also after an abort or a crash. */
import type { AssistantPart, ConversationMessage, ToolResultPart } from '../providers/model.ts';

export type ToolCallPart = Extract<AssistantPart, { type: 'tool-call' }>;

/** The tool calls of a message, in order. */
export function callsOf(message: ConversationMessage | undefined): ToolCallPart[] {
  if (message?.role !== 'assistant') return [];
  return message.parts.filter((part) => part.type === 'tool-call');
}

/** What is wrong with a conversation, as sentences; empty when it keeps all laws. */
export function findFaults(messages: readonly ConversationMessage[]): string[] {
  const faults: string[] = [];
  const seen = new Set<string>();
  for (const [index, message] of messages.entries()) {
    const before = messages[index - 1];
    const say = (what: string) => faults.push(`message ${index} (${message.role}): ${what}`);
    if (isEmpty(message)) say('is empty');
    const open = callsOf(before).map((call) => call.call);
    const answered = message.role === 'tool' ? message.results.map((result) => result.call) : [];
    if (open.join('\n') !== answered.join('\n')) say(`answers [${answered}] to the calls [${open}]`);
    if (message.role === 'assistant' && (before === undefined || before.role === 'assistant')) {
      say('follows no message of ours');
    }
    for (const { call } of callsOf(message)) {
      if (seen.has(call)) say(`the call ${call} is there twice`);
      seen.add(call);
    }
  }
  if (callsOf(messages.at(-1)).length > 0) faults.push('the last calls have no answer');
  return faults;
}

function isEmpty(message: ConversationMessage): boolean {
  if (message.role === 'tool') return message.results.length === 0;
  if (message.role === 'user')
    return message.parts.every((part) => part.type === 'text' && part.text.trim() === '');
  return message.parts.every(
    (part) => part.type === 'reasoning' || (part.type === 'text' && part.text.trim() === ''),
  );
}

/**
 * The conversation with its last calls answered by `text` when they have no answer yet, as after a crash in the middle of a
 * tool. Otherwise the same messages.
 */
export function answerPending(messages: readonly ConversationMessage[], text: string): ConversationMessage[] {
  const pending = callsOf(messages.at(-1));
  if (pending.length === 0) return [...messages];
  return [...messages, { role: 'tool', results: pending.map((call) => synthesize(call, text)) }];
}

/** An answer that no tool gave. */
export function synthesize(call: { call: string; tool: string }, text: string): ToolResultPart {
  return { type: 'tool-result', call: call.call, tool: call.tool, ok: false, text };
}
