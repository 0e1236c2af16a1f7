import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isSafeCoderError } from '../../src/base/errors.ts';
import { createModel } from '../../src/providers/create-model.ts';
import type { ConversationMessage, Model, ModelPart } from '../../src/providers/model.ts';
import { NETWORK_PROVIDERS } from '../../src/providers/model-id.ts';
import { createRecorder } from '../../src/providers/record-model.ts';
import { createReplayModel } from '../../src/providers/replay-model.ts';
import { openFakeModel } from '../support/fake-model/server.ts';
import { temporaryFolder } from '../support/temp.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };
const TEXT = 'One two three.';
const CALL = { tool: 'read', input: { path: 'a', list: [1, { b: null }] } };
const USAGE = { inputTokens: 30, cachedInputTokens: 10, outputTokens: 7 };

/** A model that first answers with text, a call and usage, then with text alone; disposed with the test's scope. */
interface Subject extends AsyncDisposable {
  model: Model;
}

async function overTheWire(provider: (typeof NETWORK_PROVIDERS)[number]): Promise<Subject> {
  const usage = { input: 30, cached: 10, output: 7 };
  const fake = await openFakeModel([{ text: TEXT, calls: [CALL], usage }, { text: TEXT }]);
  const model = createModel({ provider, name: 'm', baseUrl: fake.url, apiKey: 'sk-test-key-1' });
  return { model, [Symbol.asyncDispose]: () => fake[Symbol.asyncDispose]() };
}

async function replayed(): Promise<Subject> {
  const file = join(temporaryFolder(), 'r.jsonl');
  const steps = [
    { format: 'safe-coder-replay', version: 1 },
    { text: TEXT, calls: [CALL], usage: USAGE },
    { text: TEXT },
  ];
  writeFileSync(file, steps.map((step) => JSON.stringify(step)).join('\n'));
  return { model: createReplayModel(file), [Symbol.asyncDispose]: async () => undefined };
}

async function recorded(): Promise<Subject> {
  const { model } = await replayed();
  const recorder = createRecorder(model, join(temporaryFolder(), 'copy.jsonl'));
  return { model: recorder, [Symbol.asyncDispose]: async () => undefined };
}

const SUBJECTS: [string, () => Promise<Subject>][] = [
  ...NETWORK_PROVIDERS.map((each): [string, () => Promise<Subject>] => [each, () => overTheWire(each)]),
  ['replay', replayed],
  ['a recorder', recorded],
];

const request = (messages: ConversationMessage[]) => ({ system: 'sys', tools: [], messages });

async function collect(model: Model, messages: ConversationMessage[]): Promise<ModelPart[]> {
  const parts: ModelPart[] = [];
  for await (const part of model.stream(request(messages), new AbortController().signal)) parts.push(part);
  return parts;
}

describe.each(SUBJECTS)('the model %s', (_, open) => {
  it('streams an answer that ends with one stop, and a next one', async () => {
    await using subject = await open();
    const parts = await collect(subject.model, [HELLO]);
    const text = parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
    expect(text).toBe(TEXT);
    expect(parts.filter((part) => part.type === 'stop')).toEqual([{ type: 'stop', reason: 'tool-calls' }]);
    expect(parts.at(-1)?.type).toBe('stop');
    expect(parts).toContainEqual({ type: 'usage', usage: USAGE });
    const calls = parts.filter((part) => part.type === 'tool-call');
    expect(calls).toMatchObject([CALL]);
    const [call] = calls;
    if (call === undefined) throw new Error('no call');
    const result = { type: 'tool-result' as const, call: call.call, tool: call.tool, ok: true, text: 'x' };
    const next = await collect(subject.model, [
      HELLO,
      { role: 'assistant', parts: [{ type: 'text', text: TEXT }, call] },
      { role: 'tool', results: [result] },
    ]);
    expect(next.at(-1)).toEqual({ type: 'stop', reason: 'end' });
  });

  it('throws nothing but cancelled when it is aborted before it begins', async () => {
    await using subject = await open();
    const stream = subject.model.stream(request([HELLO]), AbortSignal.abort());
    expect(await codeOf(stream)).toBe('cancelled');
  });

  it('throws nothing but cancelled when it is aborted in the middle', async () => {
    await using subject = await open();
    const controller = new AbortController();
    const stream = subject.model.stream(request([HELLO]), controller.signal);
    expect(await codeOf(stream, () => controller.abort())).toBe('cancelled');
  });

  it('can be left in the middle', async () => {
    await using subject = await open();
    for await (const part of subject.model.stream(request([HELLO]), new AbortController().signal)) {
      expect(part.type).toBe('text');
      break;
    }
  });

  it('does not change the conversation', async () => {
    await using subject = await open();
    const messages = [structuredClone(HELLO)];
    await collect(subject.model, messages);
    expect(messages).toEqual([HELLO]);
  });
});

/** The code that the stream throws, or `none` when it ends by itself. */
async function codeOf(stream: AsyncIterable<ModelPart>, onPart?: () => void): Promise<string> {
  try {
    for await (const _ of stream) onPart?.();
  } catch (error) {
    if (isSafeCoderError(error)) return error.code;
    throw error;
  }
  return 'none';
}
