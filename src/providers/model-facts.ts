/**
 * Context windows and prices of well-known models, from the providers' public price lists as known in mid 2025. Prices
 * change without us: the numbers are estimates for a person to see, and the user's own values come first.
 */
import type { TokenUsage } from './model.ts';

/** USD for a million tokens. */
export interface ModelPrice {
  input: number;
  output: number;
  /** For input that came from the provider's cache. Default: `input`. */
  cachedInput?: number | undefined;
}

export interface ModelFacts {
  /** Tokens of input and output together. */
  contextWindow?: number;
  maxOutputTokens?: number;
  price?: ModelPrice;
}

function facts(
  contextWindow: number,
  maxOutputTokens: number,
  input: number,
  output: number,
  cachedInput: number,
): ModelFacts {
  return { contextWindow, maxOutputTokens, price: { input, output, cachedInput } };
}

/** By `provider/` and the beginning of the name; the longest match wins. Dated names match their family. */
const TABLE: Record<string, ModelFacts> = {
  'anthropic/claude-opus-4': facts(200_000, 32_000, 15, 75, 1.5),
  'anthropic/claude-sonnet-4': facts(200_000, 64_000, 3, 15, 0.3),
  'anthropic/claude-3-7-sonnet': facts(200_000, 64_000, 3, 15, 0.3),
  'anthropic/claude-3-5-sonnet': facts(200_000, 8_192, 3, 15, 0.3),
  'anthropic/claude-3-5-haiku': facts(200_000, 8_192, 0.8, 4, 0.08),
  'openai/gpt-4.1': facts(1_047_576, 32_768, 2, 8, 0.5),
  'openai/gpt-4.1-mini': facts(1_047_576, 32_768, 0.4, 1.6, 0.1),
  'openai/gpt-4.1-nano': facts(1_047_576, 32_768, 0.1, 0.4, 0.025),
  'openai/gpt-4o': facts(128_000, 16_384, 2.5, 10, 1.25),
  'openai/gpt-4o-mini': facts(128_000, 16_384, 0.15, 0.6, 0.075),
  'openai/o3': facts(200_000, 100_000, 2, 8, 0.5),
  'openai/o4-mini': facts(200_000, 100_000, 1.1, 4.4, 0.275),
  'google/gemini-2.5-pro': facts(1_048_576, 65_536, 1.25, 10, 0.31),
  'google/gemini-2.5-flash': facts(1_048_576, 65_536, 0.3, 2.5, 0.075),
};

/**
 * What is known of a model, by its `provider/name`; the user's `ownPrices` for exactly that name win. A model that nobody
 * knows has no facts: no cost is shown for it rather than a wrong one. Local models cost nothing.
 */
export function findModelFacts(id: string, ownPrices: Record<string, ModelPrice> = {}): ModelFacts {
  const own = Object.hasOwn(ownPrices, id) ? ownPrices[id] : undefined;
  return own === undefined ? findInTable(id) : { ...findInTable(id), price: own };
}

function findInTable(id: string): ModelFacts {
  if (id.startsWith('ollama/') || id.startsWith('replay/')) return { price: { input: 0, output: 0 } };
  const names = Object.keys(TABLE).filter((name) => isOfFamily(id, name));
  const longest = names.reduce((best, name) => (name.length > best.length ? name : best), '');
  return TABLE[longest] ?? {};
}

/** `claude-sonnet-4-20250514` and `claude-sonnet-4-5` are of `claude-sonnet-4`; `gpt-4.1-mini` is not of `gpt-4`. */
function isOfFamily(id: string, name: string): boolean {
  if (!id.startsWith(name)) return false;
  const rest = id.slice(name.length);
  return rest === '' || /^-(\d|latest|preview)/.test(rest);
}

/** What an answer cost, USD. */
export function priceOf(usage: TokenUsage, price: ModelPrice): number {
  const cached = Math.min(usage.cachedInputTokens, usage.inputTokens);
  const input = (usage.inputTokens - cached) * price.input + cached * (price.cachedInput ?? price.input);
  return (input + usage.outputTokens * price.output) / 1_000_000;
}
