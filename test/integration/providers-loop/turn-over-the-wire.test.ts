import { describe, expect, it } from 'vitest';
import { findFaults } from '../../../src/agent/conversation.ts';
import { runTurn } from '../../../src/agent/run-turn.ts';
import type { RunTool, TurnResult } from '../../../src/agent/turn.ts';
import type { EventBody } from '../../../src/base/events.ts';
import { createModel } from '../../../src/providers/create-model.ts';
import type { ConversationMessage } from '../../../src/providers/model.ts';
import { NETWORK_PROVIDERS, type NetworkProvider } from '../../../src/providers/model-id.ts';
import type { Tool } from '../../../src/tools/tool.ts';
import type { Reply } from '../../support/fake-model/script.ts';
import { type FakeModel, openFakeModel } from '../../support/fake-model/server.ts';

const said = (text: string): ConversationMessage => ({ role: 'user', parts: [{ type: 'text', text }] });
const TOOLS = ['read', 'write'].map(
  (name): Tool => ({
    name,
    description: `Does ${name}.`,
    inputSchema: { type: 'object', properties: { path: { type: 'string' } }, additionalProperties: false },
    isReadOnly: name === 'read',
    run: () => Promise.reject(new Error('not used')),
  }),
);

interface Run {
  conversation?: ConversationMessage[];
  signal?: AbortSignal;
  emit?: (event: EventBody) => void;
  runTool?: RunTool;
}

function run(provider: NetworkProvider, fake: FakeModel, change: Run = {}): Promise<TurnResult> {
  const name = provider === 'openai' ? 'gpt-5' : 'fake';
  return runTurn({
    model: createModel({ provider, name, baseUrl: fake.url, apiKey: 'sk-test-key-1', stallMs: 5_000 }),
    system: 'Be brief.',
    conversation: [said('Fix it')],
    tools: TOOLS,
    runTool: async (call, tool) => ({
      ok: tool.name === 'read',
      text: `out of ${call}`,
      entry: call,
      seq: 1,
    }),
    emit: () => undefined,
    limits: { maxSteps: 20 },
    signal: new AbortController().signal,
    retry: { sleep: async () => undefined },
    ...change,
  });
}

describe.each(NETWORK_PROVIDERS)('a turn with %s', (provider) => {
  it('gets through overload, broken streams and bad calls, with requests that keep every invariant', async () => {
    const script: Reply[] = [
      { fault: { kind: 'status', status: 429, headers: { 'retry-after': '1' } } },
      { text: 'half of an answer that breaks', fault: { kind: 'reset', events: 2 } },
      {
        reasoning: { text: 'Let me think.', signature: 'SIGNATURE-1' },
        text: 'Reading 🎉.',
        calls: [
          { tool: 'read', input: { path: 'a' } },
          { tool: 'read', input: { path: 'b' } },
          { tool: 'write', input: { path: 'ä' } },
        ],
        fault: { kind: 'split', bytes: 5 },
      },
      { fault: { kind: 'status', status: 529 } },
      {
        calls: [
          { tool: 'unknown', input: {} },
          { tool: 'read', rawArguments: '{"path": ' },
        ],
      },
      {
        reasoning: { text: 'Once more.', signature: 'SIGNATURE-2' },
        calls: [{ tool: 'write', input: { path: 'c' } }],
        fault: { kind: 'split', bytes: 1 },
      },
      { text: 'Done.' },
    ];
    await using fake = await openFakeModel(script);
    const result = await run(provider, fake);
    expect(result.error).toBeUndefined();
    expect(result.reason).toBe('done');
    expect(fake.violations).toEqual([]);
    expect(fake.remaining).toBe(0);
    expect(findFaults(result.conversation)).toEqual([]);
    const results = result.conversation.flatMap((message) =>
      message.role === 'tool' ? message.results : [],
    );
    // Gemini's format has no malformed arguments.
    const broken = provider === 'google';
    expect(results.map(({ ok }) => ok)).toEqual([true, true, false, false, broken, false]);
  });

  it('that was aborted anywhere can be gone on with', async () => {
    for (const moment of ['message.delta', 'reasoning.delta', 'tool.start', 'tool.end']) {
      await using fake = await openFakeModel([
        {
          reasoning: { text: 'Let me think.', signature: 'SIGNATURE' },
          text: 'Reading now.',
          calls: [
            { tool: 'write', input: { path: 'a' } },
            { tool: 'read', input: { path: 'b' } },
          ],
        },
        { text: 'Going on.' },
      ]);
      const controller = new AbortController();
      const emit = (event: EventBody) => {
        if (event.type === moment) controller.abort();
      };
      const stopped = await run(provider, fake, { signal: controller.signal, emit });
      expect([moment, stopped.reason]).toEqual([moment, 'aborted']);
      const next = await run(provider, fake, { conversation: [...stopped.conversation, said('Go on')] });
      expect(next.error).toBeUndefined();
      expect(next.reason).toBe('done');
      // An answer that was cut off before its signature came has none to send back.
      const serious = fake.violations.filter((each) => !each.includes('SIGNATURE'));
      expect([moment, serious]).toEqual([moment, []]);
    }
  });
});
