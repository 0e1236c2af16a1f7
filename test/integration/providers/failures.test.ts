import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { isSafeCoderError, type SafeCoderError } from '../../../src/base/errors.ts';
import { createModel, type ModelOptions } from '../../../src/providers/create-model.ts';
import type { ConversationMessage, ModelPart } from '../../../src/providers/model.ts';
import { NETWORK_PROVIDERS } from '../../../src/providers/model-id.ts';
import type { Fault, Reply } from '../../support/fake-model/script.ts';
import { openFakeModel } from '../../support/fake-model/server.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };
const LONG = 'one two three four five six seven eight nine ten';

async function ask(options: Partial<ModelOptions> & Pick<ModelOptions, 'provider'>, signal?: AbortSignal) {
  const name = options.provider === 'openai' ? 'gpt-5' : 'fake';
  const model = createModel({ name, apiKey: 'sk-test-key-1', ...options });
  const parts: ModelPart[] = [];
  try {
    const request = { system: 'sys', tools: [], messages: [HELLO] };
    for await (const part of model.stream(request, signal ?? new AbortController().signal)) parts.push(part);
  } catch (error) {
    if (!isSafeCoderError(error)) throw error;
    return { parts, error };
  }
  throw new Error('the request did not fail');
}

async function failWith(
  provider: ModelOptions['provider'],
  reply: Reply,
  change: Partial<ModelOptions> = {},
): Promise<{ parts: ModelPart[]; error: SafeCoderError }> {
  await using fake = await openFakeModel([reply]);
  return await ask({ provider, baseUrl: fake.url, stallMs: 10_000, ...change });
}

const status = (code: number, more: Partial<Extract<Fault, { kind: 'status' }>> = {}): Reply => ({
  fault: { kind: 'status', status: code, ...more },
});

describe.each(NETWORK_PROVIDERS)('a failure of %s', (provider) => {
  it.each([
    [401, 'provider/auth', false],
    [403, 'provider/auth', false],
    [400, 'provider/rejected', false],
    [402, 'provider/rejected', false],
    [404, 'provider/rejected', false],
    [413, 'provider/context-overflow', false],
    [422, 'provider/rejected', false],
    [307, 'provider/rejected', false],
    [408, 'provider/overloaded', true],
    [409, 'provider/overloaded', true],
    [429, 'provider/overloaded', true],
    [500, 'provider/overloaded', true],
    [503, 'provider/overloaded', true],
    [529, 'provider/overloaded', true],
  ])('with status %i is %s, and retryable is %s', async (code, expected, retryable) => {
    const { error } = await failWith(provider, status(code));
    expect(error.code).toBe(expected);
    expect(error.details).toMatchObject({ retryable, status: code });
    expect(error.hint).toBeTruthy();
  });

  it('says how long to wait, in each of the forms that providers use', async () => {
    const wait = async (more: Parameters<typeof status>[1]) =>
      (await failWith(provider, status(429, more))).error.details?.retryAfterMs;
    expect(await wait({ headers: { 'retry-after': '7' } })).toBe(7000);
    expect(await wait({ headers: { 'retry-after-ms': '1500', 'retry-after': '7' } })).toBe(1500);
    expect(await wait({ headers: { 'retry-after': 'Wed, 21 Oct 2015 07:28:00 GMT' } })).toBeUndefined();
    expect(await wait({ headers: { 'retry-after': 'soon' } })).toBeUndefined();
    expect(await wait({ headers: { 'retry-after': '-5' } })).toBeUndefined();
    const later = new Date(Date.now() + 3_600_000).toUTCString();
    const ms = await wait({ headers: { 'retry-after': later } });
    expect(ms).toBeGreaterThan(3_000_000);
    expect(ms).toBeLessThanOrEqual(3_600_000);
  });

  it('is an overflow of the context when the provider says so', async () => {
    const messages = [
      'prompt is too long: 250000 tokens > 200000 maximum',
      "This model's maximum context length is 8192 tokens",
      'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).',
      'the request exceeds the available context size',
    ];
    for (const message of messages) {
      const { error } = await failWith(provider, status(400, { message }));
      expect([message, error.code]).toEqual([message, 'provider/context-overflow']);
    }
  });

  it('for lack of credit is not worth another try', async () => {
    const { error } = await failWith(
      provider,
      status(429, { code: 'insufficient_quota', message: 'no quota' }),
    );
    if (provider !== 'google') expect(error.code).toBe('provider/rejected');
  });

  it('is retryable when the answer is reset, closed or broken in the middle', async () => {
    // Enough events for every format to have begun, too few for any to be whole.
    const faults: Fault[] = [
      { kind: 'reset', events: 2 },
      { kind: 'close', events: 2 },
      { kind: 'close', events: 0 },
      { kind: 'reset', events: 0 },
    ];
    for (const fault of faults) {
      const { parts, error } = await failWith(provider, { text: LONG, fault });
      expect([fault, error.code]).toEqual([fault, 'provider/bad-response']);
      expect(error.details).toMatchObject({ retryable: true });
      expect(parts.some((part) => part.type === 'stop')).toBe(false);
    }
  });

  it('in an error event counts as overload', async () => {
    const fault: Fault = { kind: 'error-event', events: 2, code: 'overloaded_error' };
    const { error } = await failWith(provider, { text: LONG, fault });
    expect(error.code).toBe('provider/overloaded');
    expect(error.details).toMatchObject({ retryable: true });
  });

  it('to send anything for too long is a stall, before and in the answer', async () => {
    for (const fault of [{ kind: 'hang' }, { kind: 'stall', events: 2 }] satisfies Fault[]) {
      const { error } = await failWith(provider, { text: LONG, fault }, { stallMs: 100 });
      expect([fault.kind, error.code]).toEqual([fault.kind, 'provider/stalled']);
      expect(error.details).toMatchObject({ retryable: true });
    }
  });

  it('to answer with the right format is a bad response', async () => {
    const page = async () => new Response('<html>hello</html>', { headers: { 'content-type': 'text/html' } });
    const { error } = await ask({ provider, baseUrl: 'http://127.0.0.1:1', fetch: page });
    expect(error.code).toBe('provider/bad-response');
  });

  it('to be there at all is unreachable', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    await new Promise((resolve) => server.close(resolve));
    if (address === null || typeof address === 'string') throw new Error('no port');
    const refused = await ask({ provider, baseUrl: `http://127.0.0.1:${address.port}` });
    expect(refused.error.code).toBe('provider/unreachable');
    expect(refused.error.details).toMatchObject({ retryable: true });
    const unknown = await ask({ provider, baseUrl: 'http://no-such-host.invalid' });
    expect(unknown.error.code).toBe('provider/unreachable');
  });

  it('to end is cut short by a limit', async () => {
    const endless = async () => {
      const chunk = new TextEncoder().encode(`: ${'x'.repeat(1_048_576)}\n\n`);
      const body = new ReadableStream({ pull: (sink) => sink.enqueue(chunk) });
      return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
    };
    const { error } = await ask({ provider, baseUrl: 'http://127.0.0.1:1', fetch: endless });
    expect(error.code).toBe('provider/bad-response');
    expect(error.details).toMatchObject({ retryable: false });
  });

  it('is no failure when it was cancelled, before or in the middle', async () => {
    const before = await ask({ provider, baseUrl: 'http://127.0.0.1:1' }, AbortSignal.abort());
    expect(before.error.code).toBe('cancelled');
    await using fake = await openFakeModel([{ text: LONG, fault: { kind: 'stall', events: 2 } }]);
    const controller = new AbortController();
    const asked = ask({ provider, baseUrl: fake.url }, controller.signal);
    while (fake.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    controller.abort();
    expect((await asked).error.code).toBe('cancelled');
  });
});

it('ends the request when the reader leaves early', async () => {
  await using fake = await openFakeModel([{ text: LONG, fault: { kind: 'slow', ms: 5 } }]);
  let signal: AbortSignal | null | undefined;
  const fetch: typeof globalThis.fetch = (input, init) => {
    signal = init?.signal;
    return globalThis.fetch(input, init);
  };
  const model = createModel({ provider: 'openai-compatible', name: 'm', baseUrl: fake.url, fetch });
  const request = { system: '', tools: [], messages: [HELLO] };
  for await (const part of model.stream(request, new AbortController().signal)) {
    if (part.type === 'text') break;
  }
  expect(signal?.aborted).toBe(true);
});

it('does not take a slow reader for a stalled model', async () => {
  await using fake = await openFakeModel([{ text: LONG, fault: { kind: 'slow', ms: 1 } }]);
  const model = createModel({ provider: 'openai-compatible', name: 'm', baseUrl: fake.url, stallMs: 150 });
  const request = { system: '', tools: [], messages: [HELLO] };
  let text = '';
  for await (const part of model.stream(request, new AbortController().signal)) {
    if (part.type === 'text') text += part.text;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  expect(text).toBe(LONG);
});

it('calls a bad Gemini key a bad key, although Gemini calls it a bad request', async () => {
  const reply = status(400, {
    code: 'INVALID_ARGUMENT',
    message: 'API key not valid. Please pass a valid API key.',
  });
  expect((await failWith('google', reply)).error.code).toBe('provider/auth');
});

it("honours the wait in Google's RetryInfo", async () => {
  const reply = status(429, { code: 'RESOURCE_EXHAUSTED', retryDelay: '3.5s' });
  expect((await failWith('google', reply)).error.details?.retryAfterMs).toBe(3500);
});
