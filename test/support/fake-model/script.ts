/** What a fake model is told to answer, the same for every wire format. */
import { z } from 'zod';

const call = z.strictObject({
  tool: z.string(),
  input: z.unknown().optional(),
  /** Sent as they are instead of `input`: for arguments that are not JSON. */
  rawArguments: z.string().optional(),
  /** Default: a fresh one. */
  id: z.string().optional(),
});

const fault = z.discriminatedUnion('kind', [
  /** Writes the answer in pieces of so many bytes: inside lines, events and characters. */
  z.strictObject({ kind: z.literal('split'), bytes: z.int().positive() }),
  z.strictObject({ kind: z.literal('slow'), ms: z.int().nonnegative() }),
  /** Writes the first `events` events, then nothing, with the connection open. */
  z.strictObject({ kind: z.literal('stall'), events: z.int().nonnegative() }),
  /** Writes the first `events` events, then resets the connection. */
  z.strictObject({ kind: z.literal('reset'), events: z.int().nonnegative() }),
  /** Writes the first `events` events, then ends the answer as if it were whole. */
  z.strictObject({ kind: z.literal('close'), events: z.int().nonnegative() }),
  /** Accepts the request and never answers. */
  z.strictObject({ kind: z.literal('hang') }),
  /** An error answer instead of a stream. */
  z.strictObject({
    kind: z.literal('status'),
    status: z.int(),
    message: z.string().optional(),
    code: z.string().optional(),
    headers: z.record(z.string(), z.string()).optional(),
    retryDelay: z.string().optional(),
  }),
  /** An error event in the middle of the stream, after `events` events. */
  z.strictObject({
    kind: z.literal('error-event'),
    events: z.int().nonnegative(),
    code: z.string().optional(),
  }),
]);

export const replySchema = z.strictObject({
  reasoning: z.strictObject({ text: z.string(), signature: z.string() }).optional(),
  text: z.string().optional(),
  calls: z.array(call).optional(),
  usage: z
    .strictObject({ input: z.int(), output: z.int(), cached: z.int().optional() })
    .nullable()
    .optional(),
  stop: z.enum(['length', 'refused']).optional(),
  fault: fault.optional(),
  /** OpenAI Chat only: oddities of compatible servers. */
  quirks: z
    .strictObject({
      noDone: z.boolean().optional(),
      repeatId: z.boolean().optional(),
      stopDespiteCalls: z.boolean().optional(),
      oneChunk: z.boolean().optional(),
      noIndex: z.boolean().optional(),
    })
    .optional(),
});

export type Reply = z.infer<typeof replySchema>;
export type Fault = z.infer<typeof fault>;

/** A reply whose calls have their ids, as the wire formats take it. */
export interface NumberedReply extends Reply {
  calls: { tool: string; argumentsText: string; id: string }[];
  serial: number;
}

/** Gives every call of a reply an id that differs from all others of the server. */
export function numberReply(reply: Reply, serial: number): NumberedReply {
  const calls = (reply.calls ?? []).map((each, index) => ({
    tool: each.tool,
    id: each.id ?? `call_${serial}_${index}`,
    argumentsText: each.rawArguments ?? JSON.stringify(each.input ?? {}),
  }));
  return { ...reply, calls, serial };
}

/** Reads a script: a JSON array of replies, or one reply a line. */
export function parseScript(text: string): Reply[] {
  if (text.trimStart().startsWith('[')) return z.array(replySchema).parse(JSON.parse(text));
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  return lines.map((line) => replySchema.parse(JSON.parse(line)));
}

/** A text cut into a few pieces, so that nobody gets away with reading only the first delta. */
export function pieces(text: string, count = 3): string[] {
  const characters = [...text];
  const size = Math.max(1, Math.ceil(characters.length / count));
  const parts: string[] = [];
  for (let at = 0; at < characters.length; at += size) parts.push(characters.slice(at, at + size).join(''));
  return parts;
}

/** One server-sent event. */
export function sse(data: unknown, event?: string): string {
  const text = typeof data === 'string' ? data : JSON.stringify(data);
  return `${event === undefined ? '' : `event: ${event}\n`}data: ${text}\n\n`;
}
