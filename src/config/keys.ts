/** API keys and addresses from the environment or the user's settings. They stay on the host. */
import type { Settings } from './schema.ts';

const KEY_VARIABLES: Record<string, readonly string[]> = {
  anthropic: ['ANTHROPIC_API_KEY'],
  openai: ['OPENAI_API_KEY'],
  google: ['GEMINI_API_KEY', 'GOOGLE_GENERATIVE_AI_API_KEY', 'GOOGLE_API_KEY'],
  openrouter: ['OPENROUTER_API_KEY'],
  'openai-compatible': ['SAFE_CODER_API_KEY'],
};

const ADDRESS_VARIABLES: Record<string, readonly string[]> = {
  anthropic: ['ANTHROPIC_BASE_URL'],
  openai: ['OPENAI_BASE_URL'],
  google: ['GOOGLE_GEMINI_BASE_URL'],
  ollama: ['OLLAMA_HOST'],
};

type Environment = Record<string, string | undefined>;

/** The key for a provider: the environment's, else the settings'. Undefined when there is none. */
export function findApiKey(
  provider: string,
  settings: Settings,
  environment: Environment,
): string | undefined {
  const keys = settings.apiKeys as Record<string, string | undefined> | undefined;
  return first(KEY_VARIABLES[provider], environment) ?? keys?.[provider];
}

/** The variables that can hold a provider's key, for messages. */
export function keyVariables(provider: string): readonly string[] {
  return KEY_VARIABLES[provider] ?? [];
}

/** The address for a provider: the settings' (flag, variable or file), else the provider's usual variable. */
export function findBaseUrl(
  provider: string,
  settings: Settings,
  environment: Environment,
): string | undefined {
  return settings.baseUrl ?? first(ADDRESS_VARIABLES[provider], environment);
}

/** Every value that must never be shown or written: used to redact what is logged. */
export function knownSecrets(settings: Settings, environment: Environment): string[] {
  const values = Object.values(KEY_VARIABLES).flatMap((names) => names.map((name) => environment[name]));
  const keys = Object.values((settings.apiKeys ?? {}) as Record<string, string | undefined>);
  return [...values, ...keys].filter((value) => value !== undefined && value.length >= 8) as string[];
}

function first(names: readonly string[] | undefined, environment: Environment): string | undefined {
  for (const name of names ?? []) if (environment[name]) return environment[name];
  return undefined;
}
