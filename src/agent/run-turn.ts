/** The agent's loop: ask the model, run what it asks for, tell it the results, until it has nothing to run. */
import { SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { ConversationMessage, ToolDescription } from '../providers/model.ts';
import { type ModelPrice, priceOf } from '../providers/model-facts.ts';
import type { Tool } from '../tools/tool.ts';
import { type Answer, askModel } from './ask-model.ts';
import { CallIds } from './assistant-message.ts';
import { answerPending } from './conversation.ts';
import { LoopGuard } from './loop-guard.ts';
import { runCalls } from './run-calls.ts';
import type { TurnOptions, TurnReason, TurnResult, TurnUsage } from './turn.ts';

const NOT_RUN = 'Not run: the turn was stopped.';
const UNKNOWN =
  'The outcome is unknown: the session ended while this ran. Look at the workspace before you go on.';

interface Ending {
  reason: TurnReason;
  error?: SafeCoderError;
}

/**
 * Runs one turn to its end. Never throws: what goes wrong is the result's `reason` and `error`. A result of a tool goes to the
 * model only after `runTool` resolved. Ends soon after `signal` aborts, provided that `runTool` does.
 */
export async function runTurn(options: TurnOptions): Promise<TurnResult> {
  const conversation = [...options.conversation];
  const usage: TurnUsage = { inputTokens: 0, cachedInputTokens: 0, outputTokens: 0, steps: 0 };
  if (options.price !== undefined) usage.costUsd = 0;
  const keep = async (message: ConversationMessage) => {
    conversation.push(message);
    await options.onMessage?.(message);
  };
  let ending: Ending;
  try {
    for (const message of answerPending(conversation, UNKNOWN).slice(conversation.length))
      await keep(message);
    warnAboutCost(options);
    ending = await runSteps(options, conversation, usage, keep);
    for (const message of answerPending(conversation, NOT_RUN).slice(conversation.length))
      await keep(message);
  } catch (error) {
    // Only `onMessage` rejects: everything else is a value.
    ending = { reason: 'error', error: toSafeCoderError(error) };
  }
  return { conversation: answerPending(conversation, NOT_RUN), usage, ...ending };
}

async function runSteps(
  options: TurnOptions,
  conversation: ConversationMessage[],
  usage: TurnUsage,
  keep: (message: ConversationMessage) => Promise<void>,
): Promise<Ending> {
  const { model, emit, limits, signal, price, retry = {} } = options;
  const ids = new CallIds(conversation);
  const guard = new LoopGuard();
  const frame = { system: options.system, tools: options.tools.map(describe), ...outputLimit(options) };
  for (;;) {
    if (signal.aborted) return { reason: 'aborted' };
    if (usage.steps >= limits.maxSteps) return { reason: 'max-steps' };
    if (isOver(usage.costUsd, limits.maxCostUsd)) return { reason: 'max-cost' };

    const request = { ...frame, messages: [...conversation] };
    const answer = await askModel({ model, request, ids, emit, signal, retry });
    count(usage, answer, price);
    const message = answer.message.toMessage();
    if (message !== undefined) await keep(message);
    if (answer.message.text.trim() !== '')
      emit({ type: 'message', role: 'assistant', text: answer.message.text });
    if (answer.isAborted) return { reason: 'aborted' };
    if (answer.error !== undefined) return { reason: 'error', error: answer.error };
    if (answer.message.calls.length === 0) return finish(answer, options);

    const ran = await runCalls(answer.message.calls, { ...options, guard });
    await keep({ role: 'tool', results: ran.results });
    if (ran.error !== undefined) return { reason: 'error', error: ran.error };
    if (signal.aborted) return { reason: 'aborted' };
    if (ran.mustStop) return { reason: 'loop' };
  }
}

function finish(answer: Answer, { emit }: TurnOptions): Ending {
  if (answer.stop === 'refused') return { reason: 'error', error: refused() };
  if (answer.stop === 'length') {
    emit({
      type: 'warning',
      code: 'agent/output-limit',
      message: 'The answer was cut off at the output limit of the model.',
      hint: 'Ask the model to go on.',
    });
  }
  return { reason: 'done' };
}

function describe({ name, description, inputSchema }: Tool): ToolDescription {
  return { name, description, inputSchema };
}

function outputLimit({ maxOutputTokens }: TurnOptions): { maxOutputTokens?: number } {
  return maxOutputTokens === undefined ? {} : { maxOutputTokens };
}

function count(usage: TurnUsage, answer: Answer, price: ModelPrice | undefined): void {
  if (answer.error === undefined) usage.steps++;
  usage.inputTokens += answer.usage.inputTokens;
  usage.cachedInputTokens += answer.usage.cachedInputTokens;
  usage.outputTokens += answer.usage.outputTokens;
  if (price !== undefined) usage.costUsd = (usage.costUsd ?? 0) + priceOf(answer.usage, price);
}

function isOver(cost: number | undefined, limit: number | undefined): boolean {
  return cost !== undefined && limit !== undefined && cost >= limit;
}

function warnAboutCost({ emit, limits, price, model }: TurnOptions): void {
  if (limits.maxCostUsd === undefined || price !== undefined) return;
  emit({
    type: 'warning',
    code: 'agent/unknown-price',
    message: `The price of ${model.id} is not known, so the cost limit can't be kept.`,
    hint: 'Set the price of the model in your configuration, or limit the turns instead.',
  });
}

function refused(): SafeCoderError {
  return new SafeCoderError('provider/rejected', 'The model refused to answer.', {
    hint: 'Word the task differently, or use another model.',
    details: { retryable: false },
  });
}
