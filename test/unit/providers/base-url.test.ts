import { describe, expect, it } from 'vitest';
import { isOfficial, normalizeBaseUrl } from '../../../src/providers/base-url.ts';
import { createModel } from '../../../src/providers/create-model.ts';

describe('a base URL', () => {
  it.each([
    ['anthropic', undefined, 'https://api.anthropic.com/v1'],
    ['anthropic', 'https://api.anthropic.com', 'https://api.anthropic.com/v1'],
    ['anthropic', 'https://api.anthropic.com/v1/', 'https://api.anthropic.com/v1'],
    ['anthropic', 'https://gateway.example/anthropic', 'https://gateway.example/anthropic/v1'],
    ['anthropic', 'https://gateway.example/anthropic/v1', 'https://gateway.example/anthropic/v1'],
    ['google', 'https://gateway.example/gemini/v1beta/', 'https://gateway.example/gemini/v1beta'],
    ['openai-compatible', 'https://host/api/openai', 'https://host/api/openai'],
    ['google', 'http://localhost:1', 'http://localhost:1/v1beta'],
    ['openai-compatible', 'http://localhost:1234/v1', 'http://localhost:1234/v1'],
    ['openai-compatible', 'http://localhost:1234', 'http://localhost:1234/v1'],
    ['ollama', undefined, 'http://127.0.0.1:11434/v1'],
    ['openrouter', undefined, 'https://openrouter.ai/api/v1'],
    ['openai', 'https://host/v1?x=1#y', 'https://host/v1'],
  ] as const)('of %s written as %s is %s', (provider, written, expected) => {
    expect(normalizeBaseUrl(provider, written)).toBe(expected);
  });

  it.each(['', 'localhost:1234', 'ftp://host', 'file:///etc/passwd', 'https://user:pass@host'])(
    'like %o is refused',
    (written) => {
      expect(() => normalizeBaseUrl('openai', written)).toThrow(
        expect.objectContaining({ code: 'config/invalid' }),
      );
    },
  );

  it('is a must for a compatible server', () => {
    expect(() => normalizeBaseUrl('openai-compatible', undefined)).toThrow(
      expect.objectContaining({ code: 'config/invalid' }),
    );
  });
});

describe('a key', () => {
  it.each(['anthropic', 'openai', 'google', 'openrouter'] as const)(
    'is a must at the service of %s',
    (provider) => {
      for (const apiKey of [{}, { apiKey: '' }, { apiKey: ' \n' }]) {
        expect(() => createModel({ provider, name: 'm', ...apiKey })).toThrow(
          expect.objectContaining({ code: 'config/no-key' }),
        );
      }
      expect(createModel({ provider, name: 'm', apiKey: 'k' }).id).toBe(`${provider}/m`);
    },
  );

  it('is not needed elsewhere', () => {
    expect(isOfficial('ollama', normalizeBaseUrl('ollama', undefined))).toBe(false);
    expect(createModel({ provider: 'anthropic', name: 'm', baseUrl: 'http://localhost:1' }).id).toBe(
      'anthropic/m',
    );
  });
});
