/**
 * The AI SDK's model of a provider. Each package is imported when its provider is first used, because together they cost
 * a noticeable part of a second and `--help` needs none. Address and key are always given: the packages would look
 * into the environment for a missing one.
 */
import type { NetworkProvider } from '../model-id.ts';
import type { Fetch } from '../watch-fetch.ts';
import type { SdkModel } from './sdk-types.ts';

export interface SdkModelOptions {
  provider: NetworkProvider;
  name: string;
  baseUrl: string;
  apiKey: string | undefined;
  headers: Record<string, string>;
  fetch: Fetch;
}

/** What goes into the key's header where a server wants none; the packages insist on a value. */
const NO_KEY = 'none';

export async function openSdkModel(options: SdkModelOptions): Promise<SdkModel> {
  const { baseUrl: baseURL, headers, fetch, name } = options;
  const apiKey = options.apiKey ?? NO_KEY;
  switch (options.provider) {
    case 'anthropic': {
      const { createAnthropic } = await import('@ai-sdk/anthropic');
      return createAnthropic({ baseURL, apiKey, headers, fetch })(name);
    }
    case 'openai': {
      const { createOpenAI } = await import('@ai-sdk/openai');
      return createOpenAI({ baseURL, apiKey, headers, fetch }).responses(name);
    }
    case 'google': {
      const { createGoogle } = await import('@ai-sdk/google');
      return createGoogle({ baseURL, apiKey, headers, fetch })(name);
    }
    case 'openrouter':
    case 'ollama':
    case 'openai-compatible': {
      const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible');
      const key = options.apiKey === undefined ? {} : { apiKey: options.apiKey };
      return createOpenAICompatible({
        name: 'compatible',
        baseURL,
        headers,
        fetch,
        includeUsage: true,
        ...key,
      })(name);
    }
  }
}
