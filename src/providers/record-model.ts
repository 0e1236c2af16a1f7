/** Records what a model answers, in the format that {@link createReplayModel} plays. */
import { createHash } from 'node:crypto';
import { appendFileSync, writeFileSync } from 'node:fs';
import { errnoOf, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Model, ModelPart, ModelRequest } from './model.ts';
import { REPLAY_FORMAT, REPLAY_VERSION, type ReplayStep, replaceDeep } from './replay-format.ts';

export interface RecorderOptions {
  /** Written as `{{workspace}}` in tool inputs, so that the recording plays in another workspace. */
  workspace?: string;
}

/**
 * The same model, writing one line to `file` for each answer or failure once it is over; cancelled requests leave none. The
 * file is made with the first request, readable by its owner only; `usage/bad-argument` when there is one already.
 */
export function createRecorder(model: Model, file: string, options: RecorderOptions = {}): Model {
  let isOpen = false;
  return {
    id: model.id,
    async *stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelPart> {
      if (!isOpen) startFile(file, model.id);
      isOpen = true;
      const digest = `sha256:${createHash('sha256').update(JSON.stringify(request)).digest('hex')}`;
      const parts: ModelPart[] = [];
      try {
        for await (const part of model.stream(request, signal)) {
          parts.push(hideWorkspace(part, options.workspace));
          // Written before the last part is handed on: whoever got it may never ask again.
          if (part.type === 'stop') append(file, { request: digest, parts: join(parts) });
          yield part;
        }
      } catch (error) {
        const { code, message, details } = toSafeCoderError(error);
        const retryable = details?.retryable === true;
        if (code !== 'cancelled') append(file, { request: digest, error: { code, message, retryable } });
        throw error;
      }
    },
  };
}

function startFile(file: string, model: string): void {
  const header = { format: REPLAY_FORMAT, version: REPLAY_VERSION, model };
  try {
    writeFileSync(file, `${JSON.stringify(header)}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    throw new SafeCoderError(
      'usage/bad-argument',
      `Can't record to ${file} (${errnoOf(error) ?? 'error'}).`,
      {
        hint: 'Name a file that does not exist yet, in a folder that does.',
        cause: error,
      },
    );
  }
}

function append(file: string, step: ReplayStep): void {
  appendFileSync(file, `${JSON.stringify(step)}\n`);
}

function hideWorkspace(part: ModelPart, workspace: string | undefined): ModelPart {
  if (workspace === undefined || part.type !== 'tool-call') return part;
  return { ...part, input: replaceDeep(part.input, workspace, '{{workspace}}') };
}

/** Text and reasoning that belong together as one part: the recording is for people too. */
function join(parts: readonly ModelPart[]): ModelPart[] {
  const joined: ModelPart[] = [];
  for (const part of parts) {
    const last = joined.at(-1);
    const isText = part.type === 'text' && last?.type === 'text';
    const isReasoning = part.type === 'reasoning' && last?.type === 'reasoning' && last.opaque === undefined;
    if (isText || isReasoning) joined[joined.length - 1] = { ...part, text: last.text + part.text };
    else joined.push(part);
  }
  return joined;
}
