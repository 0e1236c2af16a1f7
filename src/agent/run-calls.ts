/** Runs the tool calls of one answer and answers each exactly once, whatever happens. */
import { isSafeCoderError, type SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import { mapBounded } from '../base/map-bounded.ts';
import { nearestWithin } from '../base/nearest.ts';
import type { ToolResultPart } from '../providers/model.ts';
import type { Tool } from '../tools/tool.ts';
import type { PendingCall } from './assistant-message.ts';
import { synthesize } from './conversation.ts';
import type { LoopGuard } from './loop-guard.ts';
import type { RunTool, ToolOutcome } from './turn.ts';

export interface CallsOptions {
  tools: readonly Tool[];
  runTool: RunTool;
  guard: LoopGuard;
  emit: Emit;
  signal: AbortSignal;
}

export interface CallsResult {
  /** One for each call, in order. */
  results: ToolResultPart[];
  mustStop: boolean;
  error?: SafeCoderError;
}

const MAX_PARALLEL = 8;
const ABORTED =
  'Not finished: the person stopped the turn. Look at the state of the workspace before you go on.';
const NOT_RUN = 'Not run: the person stopped the turn.';
const FAILED = 'The outcome is unknown: Safe Coder could not finish or record this call.';
const NOT_RUN_FAILED = 'Not run: an earlier call could not be finished or recorded.';

/** Read-only calls that follow each other run side by side, all others alone and in order. Never throws. */
export async function runCalls(calls: readonly PendingCall[], options: CallsOptions): Promise<CallsResult> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const results: ToolResultPart[] = [];
  let error: SafeCoderError | undefined;
  let mustStop = false;
  for (const batch of toBatches(calls, options.tools)) {
    const answers = await mapBounded(batch, MAX_PARALLEL, async (call) => {
      if (signal.aborted) return { part: synthesize(call, error ? NOT_RUN_FAILED : NOT_RUN) };
      const answer = await answerCall(call, { ...options, signal });
      if (answer.error !== undefined) {
        error ??= answer.error;
        failure.abort();
      }
      return answer;
    });
    for (const [index, { part, outcome }] of answers.entries()) {
      const verdict = outcome && observe(options.guard, batch[index], part, outcome);
      mustStop ||= verdict?.mustStop === true;
      results.push(verdict?.warning ? { ...part, text: `${part.text}\n\n${verdict.warning}` } : part);
    }
  }
  return error === undefined ? { results, mustStop } : { results, mustStop, error };
}

function observe(guard: LoopGuard, call: PendingCall | undefined, part: ToolResultPart, outcome: Answered) {
  const hasChanged = (outcome.changed ?? []).length > 0;
  return guard.observe({ tool: part.tool, input: call?.input, ok: part.ok, text: part.text, hasChanged });
}

function toBatches(calls: readonly PendingCall[], tools: readonly Tool[]): PendingCall[][] {
  const batches: PendingCall[][] = [];
  let isOpen = false;
  for (const call of calls) {
    const tool = tools.find((each) => each.name === call.asked);
    const isReadOnly = tool === undefined || call.invalid !== undefined || tool.isReadOnly;
    if (isReadOnly && isOpen) batches.at(-1)?.push(call);
    else batches.push([call]);
    isOpen = isReadOnly;
  }
  return batches;
}

type Answered = Omit<ToolOutcome, 'entry' | 'seq'> & { entry?: string; seq?: number };
interface AnsweredCall {
  part: ToolResultPart;
  outcome?: Answered;
  error?: SafeCoderError;
}

async function answerCall(call: PendingCall, options: CallsOptions): Promise<AnsweredCall> {
  const started = performance.now();
  options.emit({ type: 'tool.start', call: call.call, tool: call.tool, input: call.input });
  const { outcome, error } = await execute(call, options);
  const { ok, text, exitCode, diff, skipped } = outcome;
  options.emit({
    type: 'tool.end',
    call: call.call,
    tool: call.tool,
    ok,
    ...(exitCode === undefined ? {} : { exitCode }),
    durationMs: Math.round(performance.now() - started),
    entry: outcome.entry ?? '',
    seq: outcome.seq ?? 0,
    changed: outcome.changed ?? [],
    text,
    ...(diff === undefined ? {} : { diff }),
    ...(skipped === undefined ? {} : { skipped }),
  });
  const part: ToolResultPart = { type: 'tool-result', call: call.call, tool: call.tool, ok, text };
  if (outcome.images !== undefined) part.images = outcome.images;
  return error === undefined ? { part, outcome } : { part, error };
}

async function execute(
  call: PendingCall,
  { tools, runTool, signal }: CallsOptions,
): Promise<{ outcome: Answered; error?: SafeCoderError }> {
  const tool = tools.find((each) => each.name === call.asked);
  if (tool === undefined) return { outcome: { ok: false, text: explainUnknown(call.asked, tools) } };
  if (call.invalid !== undefined) return { outcome: { ok: false, text: explainInvalid(call.invalid, tool) } };
  try {
    return { outcome: await runTool(call.call, tool, call.input, signal) };
  } catch (thrown) {
    if (signal.aborted && isCancel(thrown)) return { outcome: { ok: false, text: ABORTED } };
    return { outcome: { ok: false, text: FAILED }, error: toSafeCoderError(thrown) };
  }
}

function isCancel(thrown: unknown): boolean {
  return isSafeCoderError(toSafeCoderError(thrown), 'cancelled');
}

function explainUnknown(asked: string, tools: readonly Tool[]): string {
  const names = tools.map((tool) => tool.name);
  const near = nearestWithin(asked.toLowerCase(), names);
  const guess = near === undefined ? '' : ` Did you mean ${near}?`;
  return `There is no tool named ${JSON.stringify(asked.slice(0, 100))}. The tools are: ${names.join(', ')}.${guess}`;
}

function explainInvalid(invalid: string, tool: Tool): string {
  const schema = JSON.stringify(tool.inputSchema);
  return `The input of ${tool.name} is ${invalid}. Nothing was run. Send one JSON object of this schema: ${schema}`;
}
