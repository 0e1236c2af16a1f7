/** The model that the settings name, or what to do when there is none. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import { findApiKey, findBaseUrl, keyVariables } from '../config/keys.ts';
import type { Model } from '../providers/model.ts';
import { parseModelId } from '../providers/model-id.ts';
import type { Context } from './context.ts';

/** Throws `config/no-model`, `config/no-key` or what the model id's parser throws, each with the next step. */
export async function chooseModel(context: Context, flags: { record?: string }): Promise<Model> {
  const { settings } = context.config;
  const id = settings.model ?? guessModel(context);
  if (id === undefined) {
    throw new SafeCoderError(
      'config/no-model',
      'No model is set, and there is no API key in the environment.',
      {
        hint: await describeChoices(),
      },
    );
  }
  const model = await createFromId(id, context);
  if (flags.record === undefined) return model;
  requireWritable(flags.record);
  const { createRecorder } = await import('../providers/record-model.ts');
  return createRecorder(model, resolve(flags.record), { workspace: context.project });
}

/** A recording that can't be kept is told before anything is started; one that is there is not written over. */
function requireWritable(file: string): void {
  const path = resolve(file);
  const fault = existsSync(path)
    ? 'it is there already'
    : existsSync(dirname(path))
      ? undefined
      : 'its folder is not there';
  if (fault === undefined) return;
  throw new SafeCoderError('usage/bad-argument', `--record ${showPath(file)} can't be written: ${fault}.`, {
    hint: 'Name a new file.',
  });
}

async function createFromId(id: string, context: Context): Promise<Model> {
  const { settings } = context.config;
  const parsed = parseModelId(id);
  if (parsed.provider === 'replay') {
    const file = resolve(parsed.name);
    if (!existsSync(file) || !statSync(file).isFile()) {
      throw new SafeCoderError('config/no-model', `There is no recorded conversation ${showPath(file)}.`, {
        hint: 'Record one with --record FILE, then play it with --model replay/FILE.',
      });
    }
    const { createReplayModel } = await import('../providers/replay-model.ts');
    return createReplayModel(file, { workspace: context.project });
  }
  const apiKey = findApiKey(parsed.provider, settings, context.environment);
  const baseUrl = findBaseUrl(parsed.provider, settings, context.environment);
  const { createModel } = await import('../providers/create-model.ts');
  try {
    return createModel({
      provider: parsed.provider,
      name: parsed.name,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(baseUrl === undefined ? {} : { baseUrl }),
    });
  } catch (error) {
    if (!(error instanceof SafeCoderError) || error.code !== 'config/no-key') throw error;
    const variables = keyVariables(parsed.provider);
    throw new SafeCoderError('config/no-key', error.message, {
      hint: `Set ${variables[0]}, or "apiKeys" in ${context.directories.config}/config.jsonc. Without a key: "safe-coder tour", or a local model with --model ollama/NAME.`,
      cause: error,
    });
  }
}

/** With exactly a key in the environment, its provider's usual model. */
function guessModel(context: Context): string | undefined {
  const usual = {
    anthropic: 'claude-sonnet-4-5',
    openai: 'gpt-5',
    google: 'gemini-2.5-pro',
    openrouter: 'anthropic/claude-sonnet-4.5',
  };
  for (const [provider, name] of Object.entries(usual)) {
    if (findApiKey(provider, context.config.settings, context.environment)) return `${provider}/${name}`;
  }
  return undefined;
}

/** Two lines and what is at hand: the tour, a local Ollama when one answers, where to put a key. */
async function describeChoices(): Promise<string> {
  const lines = [
    'Put a key into ANTHROPIC_API_KEY, OPENAI_API_KEY, GEMINI_API_KEY or OPENROUTER_API_KEY, or name a model with --model PROVIDER/NAME.',
  ];
  const local = await findOllamaModel();
  if (local !== undefined) lines.push(`Ollama answers on this machine: --model ollama/${local}`);
  lines.push('"safe-coder tour" plays a full session without a key.');
  return lines.join('\n');
}

async function findOllamaModel(): Promise<string | undefined> {
  try {
    const answer = await fetch('http://127.0.0.1:11434/api/tags', { signal: AbortSignal.timeout(500) });
    const body = (await answer.json()) as { models?: { name?: unknown }[] };
    const name = body.models?.[0]?.name;
    return typeof name === 'string' && /^[\w.:/-]{1,100}$/.test(name) ? name : undefined;
  } catch {
    // Nothing answers, or not as Ollama does: there is none to offer.
    return undefined;
  }
}

/** The task of `run`: the argument, or standard input when it is missing or "-". */
export function readTask(task: string | undefined): string {
  if (task !== undefined && task !== '-') return task;
  if (process.stdin.isTTY) {
    throw new SafeCoderError('usage/bad-argument', 'There is no task.', {
      hint: 'Say what to do: safe-coder run "TASK", or pipe it in.',
    });
  }
  const text = readFileSync(0, 'utf8').trim();
  if (text === '') throw new SafeCoderError('usage/bad-argument', 'The task on standard input is empty.');
  return text;
}
