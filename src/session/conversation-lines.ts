/** Lines of a conversation's file as they are read back: what is not such a line is none, whoever wrote it. */
import { z } from 'zod';
import type { ConversationMessage } from '../providers/model.ts';
import type { ConversationLine, EntryMark } from './conversation-log.ts';

const text = z.looseObject({ type: z.literal('text'), text: z.string() });
const image = z.looseObject({ mediaType: z.string(), base64: z.string() });
const call = z.looseObject({
  type: z.literal('tool-call'),
  call: z.string(),
  tool: z.string(),
  input: z.unknown(),
});
const result = z.looseObject({
  type: z.literal('tool-result'),
  call: z.string(),
  tool: z.string(),
  ok: z.boolean(),
  text: z.string(),
  images: z.array(image).optional(),
});
const message = z.discriminatedUnion('role', [
  z.looseObject({
    role: z.literal('user'),
    parts: z.array(z.union([text, image.extend({ type: z.literal('image') })])).min(1),
  }),
  z.looseObject({
    role: z.literal('assistant'),
    parts: z
      .array(z.discriminatedUnion('type', [text, text.extend({ type: z.literal('reasoning') }), call]))
      .min(1),
  }),
  z.looseObject({ role: z.literal('tool'), results: z.array(result).min(1) }),
]);
const mark = z.looseObject({
  entry: z.string(),
  call: z.string().optional(),
  rewind: z.string().optional(),
  note: z.string().optional(),
});

/** Reads the file's text. A line that a kill cut short, or that is damaged, is passed over. */
export function parseConversation(text: string): ConversationLine[] {
  const lines: ConversationLine[] = [];
  for (const line of text.split('\n')) {
    const value = parseLine(line);
    if (message.safeParse(value).success) lines.push(value as ConversationMessage);
    else if (mark.safeParse(value).success) lines.push(value as EntryMark);
  }
  return lines;
}

function parseLine(line: string): unknown {
  if (line === '') return undefined;
  try {
    return JSON.parse(line);
  } catch {
    // Cut short by a kill; what it was about is in the ledger.
    return undefined;
  }
}
