/** One answer of the model, asked for again when that makes sense. */
import { SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import type { Model, ModelRequest, StopReason, TokenUsage } from '../providers/model.ts';
import { AssistantMessage, type CallIds } from './assistant-message.ts';
import { decideWait, type RetryOptions, waitFor } from './backoff.ts';

export interface AskOptions {
  model: Model;
  request: ModelRequest;
  ids: CallIds;
  emit: Emit;
  signal: AbortSignal;
  retry: RetryOptions;
}

/** `message` is whole after `stop`, what had come when `isAborted`, and empty with `error`. */
export interface Answer {
  message: AssistantMessage;
  usage: TokenUsage;
  stop?: StopReason;
  isAborted?: true;
  error?: SafeCoderError;
}

/**
 * Streams an answer to `emit`. No tool has run yet when an attempt fails, so it is simply discarded: a `retry` event takes
 * back the deltas since the last `message`, `tool.end` or `retry`. Never throws.
 */
export async function askModel(options: AskOptions): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await attemptOnce(options);
    if (answer.error === undefined) return answer;
    const discarded = answer.message.text.length;
    answer.message.discard();
    const waitMs = decideWait(answer.error, attempt, options.retry);
    if (waitMs === undefined) return answer;
    options.emit({ type: 'retry', attempt, waitMs, reason: answer.error.message, discarded });
    if (!(await waitFor(waitMs, options.signal, options.retry))) {
      return { message: answer.message, usage: answer.usage, isAborted: true };
    }
  }
}

async function attemptOnce({ model, request, ids, emit, signal }: AskOptions): Promise<Answer> {
  const answer: Answer = {
    message: new AssistantMessage(ids),
    usage: { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0 },
  };
  try {
    for await (const part of model.stream(request, signal)) {
      answer.message.add(part);
      if (part.type === 'text') emit({ type: 'message.delta', text: part.text });
      if (part.type === 'reasoning' && part.text !== '') emit({ type: 'reasoning.delta', text: part.text });
      if (part.type === 'usage') answer.usage = part.usage;
      if (part.type === 'stop') answer.stop = part.reason;
      if (signal.aborted) return { ...answer, isAborted: true };
    }
    if (answer.stop === undefined) throw brokenAnswer('ended without saying so');
    if (saysNothing(answer, request)) throw brokenAnswer('said nothing');
    return answer;
  } catch (error) {
    if (signal.aborted) return { ...answer, isAborted: true };
    return { ...answer, error: toSafeCoderError(error) };
  }
}

/** Having nothing to add after a tool's result is an answer; to a person's message it is a fault of the server. */
function saysNothing(answer: Answer, request: ModelRequest): boolean {
  if (answer.stop !== 'end' && answer.stop !== 'other') return false;
  return answer.message.toMessage() === undefined && request.messages.at(-1)?.role === 'user';
}

function brokenAnswer(what: string): SafeCoderError {
  return new SafeCoderError('provider/bad-response', `The model ${what}.`, {
    hint: 'Try again, or use another model.',
    details: { retryable: true },
  });
}
