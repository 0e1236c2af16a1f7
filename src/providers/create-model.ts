/** A model of a real provider: one HTTP request a call, no retries, every failure a code. */
import { SafeCoderError } from '../base/errors.ts';
import { isOfficial, normalizeBaseUrl } from './base-url.ts';
import type { Model, ModelPart, ModelRequest } from './model.ts';
import type { NetworkProvider } from './model-id.ts';
import { createRedactor } from './redact.ts';
import { fromStream } from './sdk/from-stream.ts';
import { mapError } from './sdk/map-error.ts';
import { openSdkModel } from './sdk/open-sdk-model.ts';
import type { SdkCall, SdkModel } from './sdk/sdk-types.ts';
import { toCall } from './sdk/to-call.ts';
import { type Fetch, watchFetch } from './watch-fetch.ts';

export interface ModelOptions {
  provider: NetworkProvider;
  /** As the provider knows it, e.g. `claude-sonnet-4-5`. */
  name: string;
  /** With or without `/v1`. Default: the provider's own; `openai-compatible` must have one. */
  baseUrl?: string;
  /** Needed at the provider's own address. */
  apiKey?: string;
  headers?: Record<string, string>;
  /** For requests that name no limit of their own. */
  maxOutputTokens?: number;
  /** Longest silence before a request is given up, ms. Default 90 s. */
  stallMs?: number;
  /** How hard a reasoning model thinks. Default: the provider's choice. */
  reasoning?: 'none' | 'low' | 'medium' | 'high';
  /** Default: the global one. */
  fetch?: Fetch;
}

const STALL_MS = 90_000;
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;
/** For Anthropic models that the library does not know, where it would allow only 4096. */
const ANTHROPIC_OUTPUT_TOKENS = 32_000;

/** Does no I/O. Throws `config/invalid` for a bad address and `config/no-key` when the provider needs a key. */
export function createModel(options: ModelOptions): Model {
  const { provider, name } = options;
  const id = `${provider}/${name}`;
  const baseUrl = normalizeBaseUrl(provider, options.baseUrl);
  const apiKey =
    options.apiKey === undefined || options.apiKey.trim() === '' ? undefined : options.apiKey.trim();
  if (apiKey === undefined && isOfficial(provider, baseUrl)) {
    throw new SafeCoderError('config/no-key', `There is no API key for ${id}.`, {
      hint: 'Put the key into the environment or your user configuration, or use a local model.',
    });
  }
  const headers = options.headers ?? {};
  const context = { model: id, baseUrl, redact: createRedactor([apiKey, ...headerSecrets(headers)]) };
  const fetch = watchFetch({
    fetch: options.fetch ?? globalThis.fetch,
    stallMs: options.stallMs ?? STALL_MS,
    maxBytes: MAX_ANSWER_BYTES,
  });
  let sdkModel: Promise<SdkModel> | undefined;
  return {
    id,
    async *stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ModelPart> {
      // Leaving the loop early must end the request as well.
      const scope = new AbortController();
      const abortSignal = AbortSignal.any([signal, scope.signal]);
      try {
        sdkModel ??= openSdkModel({ provider, name, baseUrl, apiKey, headers, fetch });
        const model = await sdkModel;
        signal.throwIfAborted();
        const { stream } = await model.doStream({ ...prepareCall(options, baseUrl, request), abortSignal });
        for await (const part of fromStream(provider, stream)) {
          yield part;
          // What was already read when the signal came is not told any more.
          signal.throwIfAborted();
        }
      } catch (error) {
        if (signal.aborted) throw new SafeCoderError('cancelled', 'The request to the model was cancelled.');
        throw mapError(error, context);
      } finally {
        scope.abort();
      }
    },
  };
}

function prepareCall(options: ModelOptions, baseUrl: string, request: ModelRequest): SdkCall {
  const { provider, reasoning } = options;
  const call = toCall(provider, request);
  const isAnthropic = provider === 'anthropic';
  const limit =
    request.maxOutputTokens ?? options.maxOutputTokens ?? (isAnthropic ? ANTHROPIC_OUTPUT_TOKENS : undefined);
  if (limit !== undefined) call.maxOutputTokens = limit;
  if (reasoning !== undefined) call.reasoning = reasoning;
  // Nothing stays at the provider; encrypted reasoning comes back to us instead.
  if (provider === 'openai') call.providerOptions = { openai: { store: false } };
  // Stand-ins for Anthropic's service refuse fields that they don't know.
  if (isAnthropic && !isOfficial(provider, baseUrl))
    call.providerOptions = { anthropic: { toolStreaming: false } };
  return call;
}

/** Values of headers that may carry a credential; a bearer's token without its scheme as well. */
function headerSecrets(headers: Record<string, string>): string[] {
  return Object.values(headers).flatMap((value) => [value, value.replace(/^\S+\s+/, '')]);
}
