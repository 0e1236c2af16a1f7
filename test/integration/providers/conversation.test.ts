import { describe, expect, it } from 'vitest';
import { createModel } from '../../../src/providers/create-model.ts';
import type { ConversationMessage, Model, ModelPart, ModelRequest } from '../../../src/providers/model.ts';
import { NETWORK_PROVIDERS } from '../../../src/providers/model-id.ts';
import type { FakeModel } from '../../support/fake-model/server.ts';
import { openFakeModel } from '../../support/fake-model/server.ts';

const TOOLS = [
  {
    name: 'bash',
    description: 'Runs a command.',
    inputSchema: {
      type: 'object',
      properties: { command: { type: 'string' } },
      required: ['command'],
      additionalProperties: false,
    },
  },
];
const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };

function modelOf(provider: (typeof NETWORK_PROVIDERS)[number], fake: FakeModel): Model {
  const name = provider === 'openai' ? 'gpt-5' : 'fake';
  return createModel({ provider, name, baseUrl: fake.url, apiKey: 'sk-test-key-1', stallMs: 5_000 });
}

async function ask(model: Model, messages: ConversationMessage[], change: Partial<ModelRequest> = {}) {
  const parts: ModelPart[] = [];
  const request = { system: 'Be brief.', tools: TOOLS, messages, ...change };
  for await (const part of model.stream(request, new AbortController().signal)) parts.push(part);
  return parts;
}

function textOf(parts: ModelPart[]): string {
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

/** The assistant message that the parts make, and an answer to each of its calls. */
function answer(parts: ModelPart[]): ConversationMessage[] {
  const calls = parts.filter((part) => part.type === 'tool-call');
  const opaque = parts.find((part) => part.type === 'reasoning' && part.opaque !== undefined);
  const reasoning = opaque?.type === 'reasoning' ? [{ ...opaque, text: 'Let me think.' }] : [];
  return [
    { role: 'assistant', parts: [...reasoning, { type: 'text', text: textOf(parts) }, ...calls] },
    {
      role: 'tool',
      results: calls.map(({ call, tool }, index) => ({
        type: 'tool-result',
        call,
        tool,
        ok: index === 0,
        text: `out ${index}`,
      })),
    },
  ];
}

describe.each(NETWORK_PROVIDERS)('a conversation with %s', (provider) => {
  it('arrives whole when the bytes come in odd pieces, also inside characters', async () => {
    for (const bytes of [1, 7]) {
      await using fake = await openFakeModel([
        {
          reasoning: { text: 'Let me think.', signature: 'SIGNATURE' },
          text: 'Grüße 🎉 ok',
          calls: [{ tool: 'bash', input: { command: 'echo "ä" 🎉' } }],
          usage: { input: 20, output: 7, cached: 4 },
          fault: { kind: 'split', bytes },
        },
      ]);
      const parts = await ask(modelOf(provider, fake), [HELLO]);
      expect(textOf(parts)).toBe('Grüße 🎉 ok');
      const thoughts = parts.map((part) => (part.type === 'reasoning' ? part.text : '')).join('');
      expect(thoughts).toBe('Let me think.');
      expect(parts).toContainEqual(
        expect.objectContaining({ type: 'tool-call', tool: 'bash', input: { command: 'echo "ä" 🎉' } }),
      );
      expect(parts).toContainEqual({
        type: 'usage',
        usage: { inputTokens: 20, cachedInputTokens: 4, outputTokens: 7 },
      });
      expect(parts.at(-1)).toEqual({ type: 'stop', reason: 'tool-calls' });
      expect(fake.violations).toEqual([]);
    }
  });

  it('answers parallel calls in order and sends reasoning back as it came', async () => {
    await using fake = await openFakeModel([
      {
        reasoning: { text: 'Let me think.', signature: 'SIGNATURE' },
        text: 'Looking.',
        calls: [
          { tool: 'bash', input: { command: 'ls' } },
          { tool: 'bash', input: { command: 'pwd' } },
        ],
      },
      { text: 'Done.' },
    ]);
    const model = modelOf(provider, fake);
    const first = await ask(model, [HELLO]);
    const second = await ask(model, [HELLO, ...answer(first)]);
    expect(textOf(second)).toBe('Done.');
    expect(second.at(-1)).toEqual({ type: 'stop', reason: 'end' });
    expect(fake.violations).toEqual([]);
    const sent = JSON.stringify(fake.requests[1]?.body);
    expect(sent).toContain('out 0');
    expect(sent).toContain('out 1');
    expect(sent.includes('SIGNATURE')).toBe(['anthropic', 'openai', 'google'].includes(provider));
  });

  it('leaves out reasoning that belongs to another provider', async () => {
    await using fake = await openFakeModel([{ text: 'Done.' }]);
    const foreign = { provider: 'nobody', data: { nobody: { signature: 'FOREIGN' } } };
    const past: ConversationMessage = {
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'secret thoughts', opaque: foreign },
        { type: 'text', text: 'Hi.' },
      ],
    };
    await ask(modelOf(provider, fake), [
      HELLO,
      past,
      { role: 'user', parts: [{ type: 'text', text: 'Go on' }] },
    ]);
    expect(fake.violations).toEqual([]);
    expect(JSON.stringify(fake.requests[0]?.body)).not.toMatch(/FOREIGN|secret thoughts/);
  });

  it('sends images that a tool returned', async () => {
    await using fake = await openFakeModel([{ text: 'A picture.' }]);
    const call = { type: 'tool-call' as const, call: 'c1', tool: 'bash', input: {} };
    const result = { type: 'tool-result' as const, call: 'c1', tool: 'bash', ok: true, text: 'image' };
    const image = { mediaType: 'image/png', base64: 'iVBORw0KGgo=' };
    await ask(modelOf(provider, fake), [
      HELLO,
      { role: 'assistant', parts: [call] },
      { role: 'tool', results: [{ ...result, images: [image] }] },
    ]);
    expect(fake.violations).toEqual([]);
    expect(JSON.stringify(fake.requests[0]?.body)).toContain('iVBORw0KGgo=');
  });

  it('reports a cut-off answer and a refusal as such', async () => {
    await using fake = await openFakeModel([
      { text: 'Once upon', stop: 'length' },
      { text: 'I can not', stop: 'refused' },
    ]);
    const model = modelOf(provider, fake);
    expect((await ask(model, [HELLO])).at(-1)).toEqual({ type: 'stop', reason: 'length' });
    expect((await ask(model, [HELLO])).at(-1)).toEqual({ type: 'stop', reason: 'refused' });
  });

  it('passes the output limit on', async () => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    await ask(modelOf(provider, fake), [HELLO], { maxOutputTokens: 1234 });
    expect(JSON.stringify(fake.requests[0]?.body)).toContain('1234');
  });
});

describe.each(NETWORK_PROVIDERS.filter((each) => each !== 'google'))('tool arguments from %s', (provider) => {
  it.each([
    ['{"command": "ls', 'not valid JSON'],
    ['["ls"]', 'not a JSON object'],
    [`{"a":${'['.repeat(100)}${']'.repeat(100)}}`, 'nested deeper'],
  ])('arrive as invalid, with the raw text, when they are %s', async (rawArguments, why) => {
    await using fake = await openFakeModel([{ calls: [{ tool: 'bash', rawArguments }] }, { text: 'sorry' }]);
    const model = modelOf(provider, fake);
    const parts = await ask(model, [HELLO]);
    const call = parts.find((part) => part.type === 'tool-call');
    expect(call?.input).toBe(rawArguments);
    expect(call?.invalid).toContain(why);
    // The conversation with such a call in it is still one that the provider takes.
    await ask(model, [HELLO, ...answer(parts)]);
    expect(fake.violations).toEqual([]);
  });

  it('are an empty object when a tool without parameters is called with no text', async () => {
    await using fake = await openFakeModel([{ calls: [{ tool: 'bash', rawArguments: '' }] }]);
    const call = (await ask(modelOf(provider, fake), [HELLO])).find((part) => part.type === 'tool-call');
    expect(call).toMatchObject({ input: {} });
    expect(call?.invalid).toBeUndefined();
  });
});

describe('Anthropic', () => {
  it('gets cache marks on the system prompt and the last two messages of ours', async () => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    const said = (text: string): ConversationMessage => ({ role: 'user', parts: [{ type: 'text', text }] });
    const hi: ConversationMessage = { role: 'assistant', parts: [{ type: 'text', text: 'hi' }] };
    await ask(modelOf('anthropic', fake), [said('one'), hi, said('two'), hi, said('three')]);
    const body = fake.requests[0]?.body as {
      system: unknown[];
      messages: { content: Record<string, unknown>[] }[];
    };
    expect(body.system).toEqual([{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }]);
    const marked = body.messages.flatMap(({ content }) =>
      content.filter((block) => 'cache_control' in block),
    );
    expect(marked.map((block) => block.text)).toEqual(['two', 'three']);
  });

  it.each(['', '/', '/v1', '/v1/'])('is reached at a base URL that ends in "%s"', async (end) => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    const model = createModel({
      provider: 'anthropic',
      name: 'm',
      baseUrl: fake.url + end,
      apiKey: 'sk-test-key-1',
    });
    expect(textOf(await ask(model, [HELLO]))).toBe('ok');
    expect(fake.requests[0]?.path).toBe('/v1/messages');
  });
});

describe('OpenAI', () => {
  it('is asked to store nothing', async () => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    await ask(modelOf('openai', fake), [HELLO]);
    expect(fake.requests[0]?.body).toMatchObject({ store: false, include: ['reasoning.encrypted_content'] });
  });
});

describe('a compatible server', () => {
  const calls = [
    { tool: 'bash', input: { command: 'ls' } },
    { tool: 'bash', input: { command: 'pwd' } },
  ];
  it.each([
    { noDone: true },
    { repeatId: true },
    { stopDespiteCalls: true },
    { oneChunk: true },
    { noIndex: true, oneChunk: true },
  ])('is understood with its quirk %o', async (quirks) => {
    await using fake = await openFakeModel([{ calls, quirks, usage: null }]);
    const parts = await ask(modelOf('openai-compatible', fake), [HELLO]);
    const inputs = parts.filter((part) => part.type === 'tool-call').map((part) => part.input);
    expect(inputs).toEqual([{ command: 'ls' }, { command: 'pwd' }]);
    expect(parts.at(-1)).toEqual({ type: 'stop', reason: 'tool-calls' });
  });

  it('gets no authorization header when there is no key', async () => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    await ask(createModel({ provider: 'ollama', name: 'm', baseUrl: fake.url }), [HELLO]);
    expect(fake.requests[0]?.headers).not.toHaveProperty('authorization');
  });

  it('gets the headers that the user set', async () => {
    await using fake = await openFakeModel([{ text: 'ok' }]);
    const headers = { 'x-team': 'blue' };
    await ask(createModel({ provider: 'openai-compatible', name: 'm', baseUrl: fake.url, headers }), [HELLO]);
    expect(fake.requests[0]?.headers).toMatchObject(headers);
  });
});
