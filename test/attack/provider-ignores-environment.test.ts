import { describe, expect, it, vi } from 'vitest';
import { createModel } from '../../src/providers/create-model.ts';
import type { ConversationMessage } from '../../src/providers/model.ts';
import { NETWORK_PROVIDERS } from '../../src/providers/model-id.ts';
import { openFakeModel } from '../support/fake-model/server.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };
const KEYS = [
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_AUTH_TOKEN',
  'OPENAI_API_KEY',
  'OPENAI_ORGANIZATION',
  'OPENAI_PROJECT',
  'GOOGLE_GENERATIVE_AI_API_KEY',
  'GEMINI_API_KEY',
  'OPENROUTER_API_KEY',
];

describe.each(NETWORK_PROVIDERS)('a request to %s', (provider) => {
  it('takes address and key from its caller only, whatever the environment holds', async () => {
    await using decoy = await openFakeModel([{ text: 'caught' }]);
    await using fake = await openFakeModel([{ text: 'ok' }, { text: 'ok' }]);
    for (const name of KEYS) vi.stubEnv(name, 'key-of-the-environment');
    for (const name of ['ANTHROPIC_BASE_URL', 'OPENAI_BASE_URL', 'HTTP_PROXY', 'http_proxy'])
      vi.stubEnv(name, decoy.url);
    try {
      for (const apiKey of [{}, { apiKey: 'sk-given-key' }]) {
        const model = createModel({ provider, name: 'm', baseUrl: fake.url, ...apiKey });
        const request = { system: '', tools: [], messages: [HELLO] };
        for await (const part of model.stream(request, new AbortController().signal)) {
          if (part.type === 'stop') expect(part.reason).toBe('end');
        }
      }
    } finally {
      vi.unstubAllEnvs();
    }
    expect(decoy.requests).toEqual([]);
    expect(fake.requests).toHaveLength(2);
    expect(JSON.stringify(fake.requests)).not.toContain('key-of-the-environment');
    expect(JSON.stringify(fake.requests[1]?.headers)).toContain('sk-given-key');
  });
});
