import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isSafeCoderError, SafeCoderError } from '../../../src/base/errors.ts';
import type { ConversationMessage, Model, ModelPart } from '../../../src/providers/model.ts';
import { createRecorder } from '../../../src/providers/record-model.ts';
import { createReplayModel } from '../../../src/providers/replay-model.ts';
import { callsTools, createScriptedModel, says } from '../../support/fake-model/scripted-model.ts';
import { temporaryFolder } from '../../support/temp.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Fix the test' }] };
const HEADER = { format: 'safe-coder-replay', version: 1 };

function writeRecording(...lines: unknown[]): string {
  const file = join(temporaryFolder(), 'r.jsonl');
  writeFileSync(
    file,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n'),
  );
  return file;
}

async function ask(model: Model, messages: ConversationMessage[]): Promise<ModelPart[]> {
  const parts: ModelPart[] = [];
  const request = { system: '', tools: [], messages };
  for await (const part of model.stream(request, new AbortController().signal)) parts.push(part);
  return parts;
}

async function failure(asked: Promise<unknown>): Promise<SafeCoderError> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (isSafeCoderError(error)) return error;
  throw new Error(`failed with ${String(error)}`);
}

/** The conversation after the parts, each call answered with `text`. */
function withAnswer(
  messages: ConversationMessage[],
  parts: ModelPart[],
  text = 'out',
  ok = true,
): ConversationMessage[] {
  const calls = parts.filter((part) => part.type === 'tool-call');
  const said = parts.flatMap((part) => (part.type === 'text' ? [part] : []));
  const answer: ConversationMessage = { role: 'assistant', parts: [...said, ...calls] };
  if (calls.length === 0) return [...messages, answer];
  const results = calls.map(({ call, tool }) => ({ type: 'tool-result' as const, call, tool, ok, text }));
  return [...messages, answer, { role: 'tool', results }];
}

describe('a recording written by hand', () => {
  it('plays its steps in order, word by word', async () => {
    const file = writeRecording(
      HEADER,
      '',
      {
        reasoning: 'Hm.',
        text: 'Let me look.',
        calls: [{ tool: 'read', input: { path: '{{workspace}}/a' } }],
      },
      { text: 'Done.', usage: { inputTokens: 1, cachedInputTokens: 0, outputTokens: 2 } },
    );
    const model = createReplayModel(file, { workspace: '/home/dev/p' });
    const first = await ask(model, [HELLO]);
    expect(first).toEqual([
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'Let ' },
      { type: 'text', text: 'me ' },
      { type: 'text', text: 'look.' },
      { type: 'tool-call', call: 'replay_0_0', tool: 'read', input: { path: '/home/dev/p/a' } },
      { type: 'stop', reason: 'tool-calls' },
    ]);
    const second = await ask(model, withAnswer([HELLO], first));
    expect(second.at(-1)).toEqual({ type: 'stop', reason: 'end' });
  });

  it('goes on where a stored conversation ended', async () => {
    const file = writeRecording(
      HEADER,
      { error: { code: 'provider/overloaded', message: 'busy', retryable: true } },
      { text: 'One.' },
      { text: 'Two.' },
    );
    const past = withAnswer([HELLO], [{ type: 'text', text: 'One.' }]);
    const parts = await ask(createReplayModel(file), [...past, HELLO]);
    expect(parts[0]).toEqual({ type: 'text', text: 'Two.' });
  });

  it('can fail as a provider does, and go on', async () => {
    const file = writeRecording(
      HEADER,
      { error: { code: 'provider/overloaded', message: 'busy', retryable: true } },
      { text: 'One.' },
    );
    const model = createReplayModel(file);
    const error = await failure(ask(model, [HELLO]));
    expect(error).toMatchObject({ code: 'provider/overloaded', details: { retryable: true } });
    expect((await ask(model, [HELLO]))[0]).toEqual({ type: 'text', text: 'One.' });
  });

  it('waits for a delay only when that is wanted, and ends when it is cancelled', async () => {
    const file = writeRecording(HEADER, { delayMs: 3_600_000, text: 'Late.' });
    expect(await ask(createReplayModel(file, { withDelays: false }), [HELLO])).toHaveLength(2);
    const controller = new AbortController();
    const request = { system: '', tools: [], messages: [HELLO] };
    const next = createReplayModel(file).stream(request, controller.signal)[Symbol.asyncIterator]().next();
    controller.abort();
    expect((await failure(next)).code).toBe('cancelled');
  });

  const step = { text: 'Look.', calls: [{ tool: 'read', input: {} }] };
  it.each([
    ['a result that failed', { results: [{ ok: true }] }, false, 'failed: out'],
    ['a result that should have failed', { results: [{ ok: false }] }, true, 'succeeded'],
    ['a text that differs', { results: [{ text: '^1 passed' }] }, true, "doesn't match"],
    ['a missing result', { results: [{}, {}] }, true, 'missing'],
    ['another user message', { user: 'Break' }, true, "user's message"],
  ])('names the step for %s', async (_, expect_, ok, why) => {
    const model = createReplayModel(writeRecording(HEADER, step, { expect: expect_, text: 'Done.' }));
    const messages = withAnswer([HELLO], await ask(model, [HELLO]), 'out', ok);
    const error = await failure(ask(model, messages));
    expect(error.code).toBe('replay/mismatch');
    expect(error.message).toContain('Step 2');
    expect(error.message).toContain(why);
  });

  it('accepts what it expects', async () => {
    const expectation = { user: 'Fix', results: [{ ok: true, text: '^ou.$' }] };
    const model = createReplayModel(writeRecording(HEADER, step, { expect: expectation, text: 'Done.' }));
    expect(await ask(model, withAnswer([HELLO], await ask(model, [HELLO])))).toHaveLength(2);
  });

  it('names the step when the number of results differs, and when it is over', async () => {
    const file = writeRecording(HEADER, step, { text: 'Done.' });
    const model = createReplayModel(file);
    await ask(model, [HELLO]);
    const error = await failure(ask(model, [HELLO]));
    expect(error).toMatchObject({ code: 'replay/mismatch', details: { step: 2 } });
    const short = createReplayModel(writeRecording(HEADER, { text: 'Done.' }));
    const messages = withAnswer([HELLO], await ask(short, [HELLO]));
    expect((await failure(ask(short, [...messages, HELLO]))).message).toContain('Step 2');
  });

  it.each([
    ['nothing', []],
    ['no header', [{ text: 'x' }]],
    ['another version', [{ ...HEADER, version: 2 }]],
    ['no JSON', [HEADER, '{"text":']],
    ['an unknown field', [HEADER, { txet: 'x' }]],
    ['a call without a tool', [HEADER, { calls: [{ input: {} }] }]],
  ])('with %s in it is refused with the line', async (_, lines) => {
    const error = await failure(ask(createReplayModel(writeRecording(...lines)), [HELLO]));
    expect(error.code).toBe('config/invalid');
    expect(error.message).toContain(`Line ${Math.max(1, lines.length)}`);
  });

  it('that is not there is a usage error', async () => {
    const error = await failure(ask(createReplayModel(join(temporaryFolder(), 'none')), [HELLO]));
    expect(error.code).toBe('usage/no-such-path');
  });
});

describe('a recorder', () => {
  it('writes what plays the same again, in another workspace', async () => {
    const file = join(temporaryFolder(), 'r.jsonl');
    const opaque = { provider: 'anthropic', data: { signature: 's' } };
    const scripted = createScriptedModel([
      [new SafeCoderError('provider/overloaded', 'busy', { details: { retryable: true } })],
      [
        { type: 'reasoning', text: 'H' },
        { type: 'reasoning', text: 'm', opaque },
        { type: 'text', text: 'Look' },
        { type: 'text', text: 'ing' },
        ...callsTools(['a', 'bash', { command: 'cat /old/place/x', list: ['/old/place'] }]),
      ],
      says('Done.'),
    ]);
    const recorder = createRecorder(scripted, file, { workspace: '/old/place' });
    expect(recorder.id).toBe('scripted/model');
    await failure(ask(recorder, [HELLO]));
    const first = await ask(recorder, [HELLO]);
    const messages = withAnswer([HELLO], first);
    const second = await ask(recorder, messages);

    const replay = createReplayModel(file, { workspace: '/new/place' });
    expect((await failure(ask(replay, [HELLO]))).details).toMatchObject({ retryable: true });
    const replayed = await ask(replay, [HELLO]);
    expect(replayed).toEqual([
      { type: 'reasoning', text: 'Hm', opaque },
      { type: 'text', text: 'Looking' },
      {
        type: 'tool-call',
        call: 'a',
        tool: 'bash',
        input: { command: 'cat /new/place/x', list: ['/new/place'] },
      },
      ...first.slice(-2),
    ]);
    expect(await ask(replay, messages)).toEqual(second);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('leaves no trace of a cancelled request', async () => {
    const file = join(temporaryFolder(), 'r.jsonl');
    const recorder = createRecorder(createScriptedModel([says('x')]), file);
    const request = { system: '', tools: [], messages: [HELLO] };
    await failure(recorder.stream(request, AbortSignal.abort())[Symbol.asyncIterator]().next());
    expect(readFileSync(file, 'utf8').trim().split('\n')).toHaveLength(1);
  });

  it('overwrites no file', async () => {
    const file = writeRecording('precious');
    const error = await failure(ask(createRecorder(createScriptedModel([says('x')]), file), [HELLO]));
    expect(error.code).toBe('usage/bad-argument');
    expect(readFileSync(file, 'utf8')).toBe('"precious"'.slice(1, -1));
  });
});
