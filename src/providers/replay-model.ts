/** A model that plays a recording: for the tour, tests and demos. The same on every run, whatever the clock says. */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, errnoOf, SafeCoderError } from '../base/errors.ts';
import type { ConversationMessage, Model, ModelPart, ModelRequest } from './model.ts';
import {
  parseReplay,
  type ReplayExpectation,
  type ReplayStep,
  replaceDeep,
  toParts,
} from './replay-format.ts';

export interface ReplayOptions {
  /** Takes the place of `{{workspace}}` in tool inputs. */
  workspace?: string;
  /** Whether a step's `delayMs` is waited for. Default true. */
  withDelays?: boolean;
}

const PLACEHOLDER = '{{workspace}}';

/**
 * Reads the file with the first request. Each request plays the next step; a conversation that already has answers goes on
 * after as many steps, so that a session can be resumed. Throws `replay/mismatch`, naming the step, when the conversation
 * has another shape than the recording or breaks an expectation; `usage/no-such-path` and `config/invalid` for the file.
 */
export function createReplayModel(file: string, options: ReplayOptions = {}): Model {
  let steps: ReplayStep[] | undefined;
  let next = 0;
  return {
    // Without the folder: the id goes into the ledger, and paths of the host don't.
    id: `replay/${basename(file)}`,
    async *stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelPart> {
      if (steps === undefined) {
        steps = parseReplay(await readRecording(file), file);
        next = findStart(steps, request.messages);
      }
      throwIfCancelled(signal);
      const serial = next;
      const step = steps[serial];
      if (step === undefined)
        throw mismatch(serial, 'the recording is over and the model was asked once more');
      checkShape(steps, serial, request.messages);
      checkExpectation(step.expect ?? {}, serial, request.messages);
      next = serial + 1;
      if (options.withDelays !== false && step.delayMs !== undefined) await wait(step.delayMs, signal);
      if (step.error !== undefined) throw toError(step.error);
      for (const part of toParts(step, serial)) {
        throwIfCancelled(signal);
        yield fillIn(part, options.workspace);
      }
    },
  };
}

async function readRecording(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new SafeCoderError(
      'usage/no-such-path',
      `The recording ${file} can't be read (${errnoOf(error) ?? 'error'}).`,
      {
        hint: 'Give the path of a file made with --record.',
        cause: error,
      },
    );
  }
}

/** The step after as many answers as the conversation holds; failed requests left none. */
function findStart(steps: readonly ReplayStep[], messages: readonly ConversationMessage[]): number {
  const answers = messages.filter((message) => message.role === 'assistant').length;
  let seen = 0;
  for (const [index, step] of steps.entries()) {
    if (seen === answers && step.error === undefined) return answers === 0 ? 0 : index;
    if (step.error === undefined) seen++;
  }
  return answers === 0 ? 0 : steps.length;
}

function checkShape(
  steps: readonly ReplayStep[],
  serial: number,
  messages: readonly ConversationMessage[],
): void {
  const last = messages.at(-1);
  const before = steps.slice(0, serial).findLast((step) => step.error === undefined);
  const calls =
    before === undefined ? 0 : toParts(before, 0).filter((part) => part.type === 'tool-call').length;
  const results = last?.role === 'tool' ? last.results.length : 0;
  if (results !== calls) {
    throw mismatch(serial, `the step before made ${calls} tool calls and ${results} results came back`);
  }
}

function checkExpectation(
  expect: ReplayExpectation,
  serial: number,
  messages: readonly ConversationMessage[],
): void {
  const last = messages.at(-1);
  if (expect.user !== undefined) {
    const user = messages.findLast((message) => message.role === 'user');
    const text = user?.parts.map((part) => (part.type === 'text' ? part.text : '')).join('') ?? '';
    if (!matches(expect.user, text))
      throw mismatch(serial, `the user's message doesn't match /${expect.user}/`);
  }
  if (expect.results === undefined) return;
  const results = last?.role === 'tool' ? last.results : [];
  for (const [index, { ok, text }] of expect.results.entries()) {
    const result = results[index];
    if (result === undefined) throw mismatch(serial, `tool result ${index + 1} is missing`);
    const name = `result ${index + 1} (${result.tool})`;
    if (ok !== undefined && result.ok !== ok) {
      throw mismatch(serial, `${name} ${result.ok ? 'succeeded' : `failed: ${result.text.slice(0, 200)}`}`);
    }
    if (text !== undefined && !matches(text, result.text))
      throw mismatch(serial, `${name} doesn't match /${text}/`);
  }
}

function matches(pattern: string, text: string): boolean {
  return new RegExp(pattern, 'mu').test(text);
}

function fillIn(part: ModelPart, workspace: string | undefined): ModelPart {
  if (workspace === undefined || part.type !== 'tool-call') return part;
  return { ...part, input: replaceDeep(part.input, PLACEHOLDER, workspace) };
}

function toError(error: NonNullable<ReplayStep['error']>): SafeCoderError {
  const code = RECORDABLE.find((each) => each === error.code) ?? 'provider/bad-response';
  return new SafeCoderError(code, error.message, { details: { retryable: error.retryable ?? false } });
}

const RECORDABLE: readonly ErrorCode[] = [
  'provider/auth',
  'provider/rejected',
  'provider/overloaded',
  'provider/unreachable',
  'provider/stalled',
  'provider/bad-response',
  'provider/context-overflow',
];

function mismatch(serial: number, why: string): SafeCoderError {
  return new SafeCoderError('replay/mismatch', `Step ${serial + 1} of the recording doesn't fit: ${why}.`, {
    hint: 'The recording was made with another program or project; record it again.',
    details: { step: serial + 1, retryable: false },
  });
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch {
    // Only the signal ends a sleep early; the next line says so in our words.
    throwIfCancelled(signal);
  }
}

function throwIfCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new SafeCoderError('cancelled', 'The replay was cancelled.');
}
