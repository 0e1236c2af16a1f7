/** A model in memory that answers from a script, for tests of the loop. */
import { SafeCoderError } from '../../../src/base/errors.ts';
import type { Model, ModelPart, ModelRequest } from '../../../src/providers/model.ts';

/** Parts to stream in order; an error ends the answer there; a function may look at the request. */
export type ScriptedAnswer = (ModelPart | Error)[] | ((request: ModelRequest) => (ModelPart | Error)[]);

export interface ScriptedModel extends Model {
  /** Every request, as it was when it was made. */
  readonly requests: ModelRequest[];
}

/**
 * Answers in order; asking once more is an error. Checks the signal between parts as a real stream does. `onPart` is called
 * before each part, with a count over the whole script.
 */
export function createScriptedModel(
  answers: ScriptedAnswer[],
  onPart?: (count: number) => void,
): ScriptedModel {
  const requests: ModelRequest[] = [];
  const queue = [...answers];
  let count = 0;
  return {
    id: 'scripted/model',
    requests,
    async *stream(request, signal) {
      requests.push(structuredClone(request));
      const answer = queue.shift();
      if (answer === undefined) throw new Error('the script is over');
      const parts = typeof answer === 'function' ? answer(request) : answer;
      for (const part of parts) {
        onPart?.(count++);
        await Promise.resolve();
        if (signal.aborted) throw new SafeCoderError('cancelled', 'cancelled');
        if (part instanceof Error) throw part;
        yield part;
      }
    },
  };
}

/** Parts of an answer without tools. */
export function says(text: string): ModelPart[] {
  const usage = { inputTokens: 10, cachedInputTokens: 0, outputTokens: 5 };
  return [
    { type: 'text', text },
    { type: 'usage', usage },
    { type: 'stop', reason: 'end' },
  ];
}

/** Parts of an answer that calls tools, each as `[id, tool, input]`. */
export function callsTools(...calls: [id: string, tool: string, input: unknown][]): ModelPart[] {
  const usage = { inputTokens: 10, cachedInputTokens: 0, outputTokens: 5 };
  return [
    ...calls.map(([call, tool, input]) => ({ type: 'tool-call' as const, call, tool, input })),
    { type: 'usage', usage },
    { type: 'stop', reason: 'tool-calls' },
  ];
}
