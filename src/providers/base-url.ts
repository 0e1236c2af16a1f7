/** Addresses of the providers, and what people write for them brought to one form. */
import { SafeCoderError } from '../base/errors.ts';
import type { NetworkProvider } from './model-id.ts';

const DEFAULTS: Record<NetworkProvider, string | undefined> = {
  anthropic: 'https://api.anthropic.com/v1',
  openai: 'https://api.openai.com/v1',
  google: 'https://generativelanguage.googleapis.com/v1beta',
  openrouter: 'https://openrouter.ai/api/v1',
  ollama: 'http://127.0.0.1:11434/v1',
  'openai-compatible': undefined,
};

/** True when the requests go where the provider's own service is, so that a key is a must. */
export function isOfficial(provider: NetworkProvider, baseUrl: string): boolean {
  return provider !== 'ollama' && baseUrl === DEFAULTS[provider];
}

/**
 * The address to put in front of each request path: no trailing slash, query or fragment. People copy both forms, with the
 * version segment and without (`ANTHROPIC_BASE_URL` of other programs has none): it is added where it is missing. A
 * compatible server's path is taken as it is, because not all have a version there. Throws `config/invalid`.
 */
export function normalizeBaseUrl(provider: NetworkProvider, written: string | undefined): string {
  const text = written ?? DEFAULTS[provider];
  if (text === undefined) {
    throw new SafeCoderError(
      'config/invalid',
      'An openai-compatible model needs the address of its server.',
      {
        hint: 'Give --base-url, for example http://127.0.0.1:8080/v1.',
      },
    );
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new SafeCoderError('config/invalid', 'The base URL is not an http or https address.', {
      hint: 'Write it like https://host/v1.',
    });
  }
  if (url.username !== '' || url.password !== '') {
    throw new SafeCoderError(
      'config/invalid',
      `The base URL for ${url.host} holds a user name or password.`,
      {
        hint: 'Give the secret as the API key or as a header instead.',
      },
    );
  }
  const path = url.pathname.replace(/\/+$/, '');
  const version = provider === 'google' ? '/v1beta' : '/v1';
  const hasOwnPath = path !== '' && provider !== 'anthropic' && provider !== 'google';
  return url.origin + (hasOwnPath || /\/v\d\w*$/.test(path) ? path : path + version);
}
