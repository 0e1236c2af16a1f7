/** From an interface (name, wording, schema) and an act to a {@link Tool}: the one place where input is checked and failures become results. */
import { z } from 'zod';
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import { cutToBudget } from './budget.ts';
import { describeInputFaults } from './input-faults.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';

/** What a model reads about a tool. */
export interface ToolInterface<Schema extends z.ZodObject> {
  name: string;
  description: string;
  schema: Schema;
  /** A valid input, shown when an input was not. */
  example: z.input<Schema>;
  isReadOnly: boolean;
}

/** Failures that are not the tool's: the session has to deal with them. */
const PASSED_ON = ['guest/lost', 'guest/bad-frame', 'guest/timeout', 'cancelled'] as const;

/** A refusal: what happened, to what, and what the model should do next. Becomes a result with `ok: false`. */
export function refuse(message: string, hint?: string): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', message, hint === undefined ? {} : { hint });
}

/** The tool. `act` may throw: a SafeCoderError that the session need not know becomes a result for the model. */
export function defineTool<Schema extends z.ZodObject>(
  face: ToolInterface<Schema>,
  act: (input: z.output<Schema>, context: ToolContext) => Promise<ToolResult>,
): Tool {
  const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(face.schema, { io: 'input' });
  return {
    name: face.name,
    description: face.description,
    inputSchema,
    isReadOnly: face.isReadOnly,
    async run(input, context) {
      throwIfCancelled(context.signal);
      const parsed = face.schema.safeParse(withoutNulls(input));
      if (!parsed.success) {
        const text = describeInputFaults(
          face.name,
          parsed.error,
          Object.keys(face.schema.shape),
          face.example,
        );
        return finish({ ok: false, text });
      }
      try {
        return finish(await act(parsed.data, context));
      } catch (error) {
        return finish(asResult(error));
      }
    },
  };
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new SafeCoderError('cancelled', 'Cancelled before the tool ran.');
}

function asResult(error: unknown): ToolResult {
  const known = toSafeCoderError(error);
  if (known.code === 'bug' || PASSED_ON.some((code) => isSafeCoderError(known, code))) throw known;
  return { ok: false, text: known.hint === undefined ? known.message : `${known.message} ${known.hint}` };
}

/** Some providers' strict modes send null for every optional field. */
function withoutNulls(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null));
}

/** Nothing leaves a tool for the model with a control or hidden character in it, or beyond the budget. */
function finish(result: ToolResult): ToolResult {
  return { ...result, text: cutToBudget(escapeForTerminal(result.text)) };
}
