import fc from 'fast-check';
import { expect, it } from 'vitest';
import { findFaults } from '../../../src/agent/conversation.ts';
import { runTurn } from '../../../src/agent/run-turn.ts';
import type { RunTool, TurnResult } from '../../../src/agent/turn.ts';
import { SafeCoderError } from '../../../src/base/errors.ts';
import type { EventBody } from '../../../src/base/events.ts';
import type { ConversationMessage, ModelPart } from '../../../src/providers/model.ts';
import type { Tool } from '../../../src/tools/tool.ts';
import { createScriptedModel, type ScriptedAnswer, says } from '../../support/fake-model/scripted-model.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };
const TOOLS = ['read', 'write'].map(
  (name): Tool => ({
    name,
    description: name,
    inputSchema: {},
    isReadOnly: name === 'read',
    run: () => Promise.reject(new Error('not used')),
  }),
);

/** Everything that can be a moment: a part of an answer, an event, the begin and end of a tool. */
async function runWithAbortAt(moment: number, script: ScriptedAnswer[], isPolite: boolean) {
  const controller = new AbortController();
  let moments = 0;
  const tick = () => {
    if (moments++ === moment) controller.abort();
  };
  const events: EventBody[] = [];
  const kept: ConversationMessage[] = [HELLO];
  const runTool: RunTool = async (call, _tool, _input, signal) => {
    tick();
    await Promise.resolve();
    if (signal.aborted && isPolite) throw new SafeCoderError('cancelled', 'cancelled');
    tick();
    return { ok: true, text: call, entry: call, seq: 1 };
  };
  const result = await runTurn({
    model: createScriptedModel(script, tick),
    system: '',
    conversation: [HELLO],
    tools: TOOLS,
    runTool,
    emit: (event) => {
      events.push(event);
      tick();
    },
    onMessage: (message) => void kept.push(message),
    limits: { maxSteps: 20 },
    signal: controller.signal,
    retry: { sleep: async () => tick() },
  });
  return { result, events, kept, moments };
}

function checkEnd(result: TurnResult, events: EventBody[], kept: ConversationMessage[]): void {
  expect(findFaults(result.conversation)).toEqual([]);
  // What was handed on for keeping is what came back.
  expect(kept).toEqual(result.conversation);
  const started = events.filter((event) => event.type === 'tool.start').map((event) => event.call);
  const ended = events.filter((event) => event.type === 'tool.end').map((event) => event.call);
  expect([...ended].sort()).toEqual([...started].sort());
}

const call = (name: string): ModelPart => ({ type: 'tool-call', call: 'x', tool: name, input: {} });
const overloaded = new SafeCoderError('provider/overloaded', 'busy', { details: { retryable: true } });

it('leaves a valid conversation when it is aborted at any moment of a long turn', async () => {
  const script = (): ScriptedAnswer[] => [
    [{ type: 'text', text: 'Half' }, overloaded],
    [
      { type: 'reasoning', text: 'Hm' },
      { type: 'reasoning', text: '', opaque: { a: 1 } },
      { type: 'text', text: 'Look' },
      { type: 'text', text: 'ing' },
      call('read'),
      call('read'),
      call('write'),
      call('nonsense'),
      call('read'),
      { type: 'stop', reason: 'tool-calls' },
    ],
    [call('write'), call('write'), { type: 'stop', reason: 'tool-calls' }],
    says('Done.'),
  ];
  const whole = await runWithAbortAt(-1, script(), true);
  expect(whole.result.reason).toBe('done');
  expect(whole.moments).toBeGreaterThan(30);
  for (const isPolite of [true, false]) {
    for (let moment = 0; moment < whole.moments - 1; moment++) {
      const { result, events, kept } = await runWithAbortAt(moment, script(), isPolite);
      checkEnd(result, events, kept);
      if (result.reason !== 'aborted') expect(moment).toBeGreaterThan(whole.moments - 5);
    }
  }
});

it('leaves a valid conversation for any script and any moment', async () => {
  const part: fc.Arbitrary<ModelPart | Error> = fc.oneof(
    fc.constantFrom('', ' ', 'a', '\n').map((text): ModelPart => ({ type: 'text', text })),
    fc.constant<ModelPart>({ type: 'reasoning', text: 'r' }),
    fc.constant<ModelPart>({ type: 'reasoning', text: '', opaque: { sig: 1 } }),
    fc.record({
      type: fc.constant('tool-call' as const),
      call: fc.constantFrom('x', 'y', '', '*'),
      tool: fc.constantFrom('read', 'write', 'nope', ''),
      input: fc.constant({}),
    }),
    fc.constant<ModelPart>({ type: 'stop', reason: 'end' }),
    fc.constant(overloaded),
  );
  const scripts = fc.array(fc.array(part, { maxLength: 8 }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(scripts, fc.nat(60), fc.boolean(), async (script, moment, isPolite) => {
      const { result, events, kept } = await runWithAbortAt(moment, script, isPolite);
      checkEnd(result, events, kept);
    }),
    { numRuns: 300 },
  );
});

it('keeps the text that had come when it was aborted', async () => {
  const controller = new AbortController();
  const result = await runTurn({
    model: createScriptedModel([says('Hello there.')]),
    system: '',
    conversation: [HELLO],
    tools: [],
    runTool: () => Promise.reject(new Error('not used')),
    emit: (event) => {
      if (event.type === 'message.delta') controller.abort();
    },
    limits: { maxSteps: 1 },
    signal: controller.signal,
  });
  expect(result.reason).toBe('aborted');
  expect(result.conversation.at(-1)).toEqual({
    role: 'assistant',
    parts: [{ type: 'text', text: 'Hello there.' }],
  });
});
