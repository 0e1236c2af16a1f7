import { describe, expect, it } from 'vitest';
import { isSafeCoderError } from '../../../src/base/errors.ts';
import { nearestWithin } from '../../../src/base/nearest.ts';
import { parseModelId } from '../../../src/providers/model-id.ts';

function failure(text: string) {
  try {
    parseModelId(text);
  } catch (error) {
    if (isSafeCoderError(error)) return error;
    throw error;
  }
  throw new Error(`${text} was accepted`);
}

describe('a model name', () => {
  it.each([
    ['anthropic/claude-sonnet-4-5', 'anthropic', 'claude-sonnet-4-5'],
    ['openrouter/qwen/qwen3-coder:free', 'openrouter', 'qwen/qwen3-coder:free'],
    ['ollama/qwen3-coder:30b', 'ollama', 'qwen3-coder:30b'],
    ['openai-compatible//srv/models/a', 'openai-compatible', '/srv/models/a'],
    ['replay/../a/tour.jsonl', 'replay', '../a/tour.jsonl'],
  ])('like %s is split at the first slash', (text, provider, name) => {
    expect(parseModelId(text)).toEqual({ provider, name });
  });

  it.each([
    ['antropic/claude', 'anthropic/claude'],
    ['OpenAI/gpt-5', 'openai/gpt-5'],
    ['gogle/gemini', 'google/gemini'],
    ['olama/x', 'ollama/x'],
  ])('with a mistyped provider, %s, is refused with the nearest one', (text, guess) => {
    expect(failure(text).code).toBe('config/no-model');
    expect(failure(text).hint).toContain(`Did you mean ${guess}?`);
  });

  it('without a name is refused with an example', () => {
    for (const text of ['anthropic', 'anthropic/', 'anthropic/ ']) {
      expect(failure(text).hint).toContain('anthropic/claude');
    }
  });

  it('of nothing known lists the providers and guesses nothing', () => {
    const { hint } = failure('zzzzzzzzzzz/model');
    expect(hint).toContain('anthropic, openai, google');
    expect(hint).not.toContain('Did you mean');
    expect(failure('').code).toBe('config/no-model');
  });

  it('is no object key that a prototype has', () => {
    expect(failure('__proto__/x').code).toBe('config/no-model');
    expect(failure('constructor/x').code).toBe('config/no-model');
  });
});

it('finds the nearest word, or none when all are far', () => {
  expect(nearestWithin('wriet', ['read', 'write'])).toBe('write');
  expect(nearestWithin('x'.repeat(1_000_000), ['read', 'write'])).toBeUndefined();
  expect(nearestWithin('read', [])).toBeUndefined();
});
