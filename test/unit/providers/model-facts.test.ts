import { describe, expect, it } from 'vitest';
import { findModelFacts, priceOf } from '../../../src/providers/model-facts.ts';

describe('the facts of a model', () => {
  it('are those of its family', () => {
    expect(findModelFacts('anthropic/claude-sonnet-4-20250514').price).toMatchObject({
      input: 3,
      output: 15,
    });
    expect(findModelFacts('openai/gpt-4.1-mini').price?.input).toBe(0.4);
    expect(findModelFacts('openai/gpt-4.1').price?.input).toBe(2);
    expect(findModelFacts('openai/gpt-4.1-2025-04-14').price?.input).toBe(2);
  });

  it('are unknown rather than guessed', () => {
    for (const id of [
      'openai/gpt-4.1-turbo',
      'openai/gpt-9',
      'openrouter/x/y',
      'anthropic/claude',
      '__proto__',
    ]) {
      expect(findModelFacts(id)).toEqual({});
    }
  });

  it('yield to the price that the user set', () => {
    const own = {
      'anthropic/claude-sonnet-4': { input: 1, output: 2 },
      'openai-compatible/mine': { input: 5, output: 6 },
    };
    expect(findModelFacts('anthropic/claude-sonnet-4', own)).toMatchObject({
      contextWindow: 200_000,
      price: { input: 1, output: 2 },
    });
    expect(findModelFacts('openai-compatible/mine', own).price?.output).toBe(6);
    expect(findModelFacts('constructor', own)).toEqual({});
  });

  it('of a local model cost nothing', () => {
    expect(findModelFacts('ollama/anything').price).toEqual({ input: 0, output: 0 });
  });
});

it('counts cached input at its own price', () => {
  const usage = { inputTokens: 1_000_000, cachedInputTokens: 400_000, outputTokens: 100_000 };
  expect(priceOf(usage, { input: 10, output: 20, cachedInput: 1 })).toBeCloseTo(6 + 0.4 + 2);
  expect(priceOf(usage, { input: 10, output: 20 })).toBeCloseTo(12);
});
