/** The AI SDK's stream as ours. */
import { SafeCoderError } from '../../base/errors.ts';
import type { ModelPart, StopReason, TokenUsage } from '../model.ts';
import type { NetworkProvider } from '../model-id.ts';
import type { SdkOptions, SdkStreamPart } from './sdk-types.ts';
import type { Opaque } from './to-call.ts';

/** Deepest JSON a tool call may hold; deeper ones only serve to exhaust a stack. */
const MAX_DEPTH = 64;

/**
 * Yields our parts and ends after `stop`. Throws what the stream threw, the value of its first error part, or
 * `provider/bad-response` when it ends too early; the caller maps the first two.
 */
export async function* fromStream(
  provider: NetworkProvider,
  stream: ReadableStream<SdkStreamPart>,
): AsyncGenerator<ModelPart> {
  const reasoning = new Map<string, SdkOptions>();
  let hasCalls = false;
  for await (const part of stream) {
    if (part.type === 'error') throw part.error;
    if (part.type === 'finish') {
      if (part.finishReason.unified === 'interrupted' || part.finishReason.unified === 'error') break;
      yield { type: 'usage', usage: toUsage(part.usage) };
      yield { type: 'stop', reason: toStopReason(part.finishReason.unified, hasCalls) };
      return;
    }
    if (part.type === 'tool-call' && part.providerExecuted !== true) hasCalls = true;
    const own = toPart(provider, part, reasoning);
    if (own !== undefined) yield own;
  }
  throw new SafeCoderError('provider/bad-response', 'The answer of the model broke off.', {
    hint: 'Try again.',
    details: { retryable: true },
  });
}

function toPart(
  provider: NetworkProvider,
  part: SdkStreamPart,
  reasoning: Map<string, SdkOptions>,
): ModelPart | undefined {
  switch (part.type) {
    case 'text-delta':
      return part.delta === '' ? undefined : { type: 'text', text: part.delta };
    case 'reasoning-start':
    case 'reasoning-delta':
      remember(reasoning, part.id, part.providerMetadata);
      if (part.type === 'reasoning-start' || part.delta === '') return undefined;
      return { type: 'reasoning', text: part.delta };
    case 'reasoning-end': {
      remember(reasoning, part.id, part.providerMetadata);
      const data = reasoning.get(part.id);
      reasoning.delete(part.id);
      if (data === undefined) return undefined;
      return { type: 'reasoning', text: '', opaque: { provider, data } satisfies Opaque };
    }
    case 'tool-call':
      return part.providerExecuted === true ? undefined : toToolCall(provider, part);
    default:
      return undefined;
  }
}

function remember(blocks: Map<string, SdkOptions>, id: string, metadata: SdkOptions | undefined): void {
  if (metadata === undefined) return;
  const merged: SdkOptions = { ...blocks.get(id) };
  for (const [name, values] of Object.entries(metadata)) merged[name] = { ...merged[name], ...values };
  blocks.set(id, merged);
}

function toToolCall(
  provider: NetworkProvider,
  part: Extract<SdkStreamPart, { type: 'tool-call' }>,
): ModelPart {
  const parsed = parseInput(part.input);
  const call = { type: 'tool-call' as const, call: part.toolCallId, tool: part.toolName, ...parsed };
  if (part.providerMetadata === undefined) return call;
  return { ...call, opaque: { provider, data: part.providerMetadata } satisfies Opaque };
}

/** A tool's arguments: the JSON object, or the raw text and why it is none. Empty text is a call without arguments. */
function parseInput(text: string): { input: unknown; invalid?: string } {
  if (text.trim() === '') return { input: {} };
  let input: unknown;
  try {
    input = JSON.parse(text);
  } catch (error) {
    return {
      input: text,
      invalid: `not valid JSON: ${error instanceof Error ? error.message : 'unreadable'}`,
    };
  }
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return { input: text, invalid: 'not a JSON object' };
  }
  if (isDeeperThan(input, MAX_DEPTH))
    return { input: text, invalid: `nested deeper than ${MAX_DEPTH} levels` };
  return { input };
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return depth === 0 || Object.values(value).some((each) => isDeeperThan(each, depth - 1));
}

function toUsage(usage: Extract<SdkStreamPart, { type: 'finish' }>['usage']): TokenUsage {
  const inputTokens = toCount(usage.inputTokens.total);
  return {
    inputTokens,
    cachedInputTokens: Math.min(toCount(usage.inputTokens.cacheRead), inputTokens),
    outputTokens: toCount(usage.outputTokens.total),
  };
}

/** A server's count, which limits the cost: a negative one would buy more. */
function toCount(value: number | undefined): number {
  return value !== undefined && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

function toStopReason(
  reason: Extract<SdkStreamPart, { type: 'finish' }>['finishReason']['unified'],
  hasCalls: boolean,
): StopReason {
  if (reason === 'length') return 'length';
  if (reason === 'content-filter') return 'refused';
  // Several compatible servers say `stop` although they sent tool calls.
  if (hasCalls) return 'tool-calls';
  return reason === 'stop' ? 'end' : 'other';
}
