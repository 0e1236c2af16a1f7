/** The file format of recorded conversations: JSON lines, a header and then one step a line (docs/replay.md). */
import { z } from 'zod';
import { SafeCoderError } from '../base/errors.ts';
import type { ModelPart } from './model.ts';

export const REPLAY_FORMAT = 'safe-coder-replay';
export const REPLAY_VERSION = 1;

const usage = z.strictObject({
  inputTokens: z.int().nonnegative(),
  cachedInputTokens: z.int().nonnegative(),
  outputTokens: z.int().nonnegative(),
});
const stop = z.enum(['end', 'tool-calls', 'length', 'refused', 'other']);

const part = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('text'), text: z.string() }),
  z.strictObject({ type: z.literal('reasoning'), text: z.string(), opaque: z.unknown().optional() }),
  z.strictObject({
    type: z.literal('tool-call'),
    call: z.string(),
    tool: z.string(),
    input: z.unknown(),
    invalid: z.string().optional(),
    opaque: z.unknown().optional(),
  }),
  z.strictObject({ type: z.literal('usage'), usage }),
  z.strictObject({ type: z.literal('stop'), reason: stop }),
]);

const header = z.strictObject({
  format: z.literal(REPLAY_FORMAT),
  version: z.literal(REPLAY_VERSION),
  /** The model that was recorded, for people. */
  model: z.string().optional(),
});

const expectation = z.strictObject({
  /** Regular expression that the last user message matches. */
  user: z.string().optional(),
  /** One for each tool result, in order. */
  results: z.array(z.strictObject({ ok: z.boolean().optional(), text: z.string().optional() })).optional(),
});

const step = z.strictObject({
  expect: expectation.optional(),
  /** Digest of the request that was recorded, for people. */
  request: z.string().optional(),
  delayMs: z.int().nonnegative().optional(),
  /** Written by hand: what the model says and does, in this order. */
  reasoning: z.string().optional(),
  text: z.string().optional(),
  calls: z
    .array(
      z.strictObject({
        tool: z.string(),
        input: z.record(z.string(), z.unknown()).optional(),
        call: z.string().optional(),
      }),
    )
    .optional(),
  usage: usage.optional(),
  /** Written by the recorder: every part as it came, instead of the fields above. */
  parts: z.array(part).optional(),
  /** The request fails with this instead. */
  error: z
    .strictObject({ code: z.string(), message: z.string(), retryable: z.boolean().optional() })
    .optional(),
});

export type ReplayStep = z.infer<typeof step>;
export type ReplayExpectation = z.infer<typeof expectation>;

/** Reads a whole recording. Throws `config/invalid` that names the line. */
export function parseReplay(text: string, file: string): ReplayStep[] {
  const lines = text.split('\n').map((line, index) => ({ line: line.trim(), number: index + 1 }));
  const [first, ...rest] = lines.filter(({ line }) => line !== '');
  if (first === undefined) throw damaged(file, 1, 'the file is empty');
  parseLine(header, first.line, file, first.number);
  return rest.map(({ line, number }) => parseLine(step, line, file, number));
}

function parseLine<Schema extends z.ZodType>(
  schema: Schema,
  line: string,
  file: string,
  number: number,
): z.infer<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (error) {
    throw damaged(file, number, error instanceof Error ? error.message : 'not JSON');
  }
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw damaged(file, number, z.prettifyError(parsed.error));
  return parsed.data;
}

function damaged(file: string, line: number, why: string): SafeCoderError {
  return new SafeCoderError('config/invalid', `Line ${line} of the recording ${file} can't be read: ${why}`, {
    hint: `The first line is {"format":"${REPLAY_FORMAT}","version":${REPLAY_VERSION}}; see docs/replay.md.`,
  });
}

/** The parts a step plays, complete with `usage` and `stop`. Calls without an id get one from `serial`. */
export function toParts(step: ReplayStep, serial: number): ModelPart[] {
  if (step.parts !== undefined) return completeParts(step.parts as ModelPart[]);
  const parts: ModelPart[] = [];
  for (const text of words(step.reasoning)) parts.push({ type: 'reasoning', text });
  for (const text of words(step.text)) parts.push({ type: 'text', text });
  for (const [index, each] of (step.calls ?? []).entries()) {
    const call = each.call ?? `replay_${serial}_${index}`;
    parts.push({ type: 'tool-call', call, tool: each.tool, input: each.input ?? {} });
  }
  if (step.usage !== undefined) parts.push({ type: 'usage', usage: step.usage });
  return completeParts(parts);
}

function completeParts(parts: ModelPart[]): ModelPart[] {
  if (parts.at(-1)?.type === 'stop') return parts;
  const hasCalls = parts.some((each) => each.type === 'tool-call');
  return [...parts, { type: 'stop', reason: hasCalls ? 'tool-calls' : 'end' }];
}

/** Word by word, as a model streams. */
function words(text: string | undefined): string[] {
  return text?.match(/\s*\S+\s*/g) ?? [];
}

/** The value with `from` replaced by `to` in every string in it, keys excepted. */
export function replaceDeep(value: unknown, from: string, to: string): unknown {
  if (typeof value === 'string') return value.split(from).join(to);
  if (Array.isArray(value)) return value.map((each) => replaceDeep(each, from, to));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaceDeep(each, from, to)]));
}
