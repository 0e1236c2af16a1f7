import { describe, expect, it } from 'vitest';
import { findFaults } from '../../../src/agent/conversation.ts';
import { runTurn } from '../../../src/agent/run-turn.ts';
import type { RunTool, TurnOptions } from '../../../src/agent/turn.ts';
import { SafeCoderError } from '../../../src/base/errors.ts';
import type { EventBody } from '../../../src/base/events.ts';
import type { ConversationMessage, ModelPart } from '../../../src/providers/model.ts';
import type { Tool } from '../../../src/tools/tool.ts';
import {
  callsTools,
  createScriptedModel,
  type ScriptedModel,
  says,
} from '../../support/fake-model/scripted-model.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };

function toolNamed(name: string, isReadOnly: boolean): Tool {
  return {
    name,
    description: name,
    inputSchema: { type: 'object' },
    isReadOnly,
    run: () => Promise.reject(new Error('the loop never runs a tool itself')),
  };
}
const TOOLS = [toolNamed('read', true), toolNamed('write', false)];

function setUp(model: ScriptedModel, change: Partial<TurnOptions> = {}) {
  const events: EventBody[] = [];
  const options: TurnOptions = {
    model,
    system: 'sys',
    conversation: [HELLO],
    tools: TOOLS,
    runTool: async (call, tool) => ({ ok: true, text: `${tool.name} ${call}`, entry: `e-${call}`, seq: 1 }),
    emit: (event) => events.push(event),
    limits: { maxSteps: 10 },
    signal: new AbortController().signal,
    retry: { sleep: async () => undefined, random: () => 0.5 },
    ...change,
  };
  return { events, options };
}

function resultsOf(conversation: readonly ConversationMessage[]) {
  return conversation.flatMap((message) => (message.role === 'tool' ? message.results : []));
}

describe('a turn', () => {
  it('asks, runs the tools, tells the results and ends when there is nothing to run', async () => {
    const model = createScriptedModel([callsTools(['a', 'read', { path: 'x' }]), says('Done.')]);
    const { options, events } = setUp(model);
    const result = await runTurn(options);
    expect(result.reason).toBe('done');
    expect(result.conversation.map((message) => message.role)).toEqual([
      'user',
      'assistant',
      'tool',
      'assistant',
    ]);
    expect(resultsOf(result.conversation)).toEqual([
      { type: 'tool-result', call: 'a', tool: 'read', ok: true, text: 'read a' },
    ]);
    expect(result.usage).toEqual({ inputTokens: 20, cachedInputTokens: 0, outputTokens: 10, steps: 2 });
    expect(events.map((event) => event.type)).toEqual(['tool.start', 'tool.end', 'message.delta', 'message']);
    expect(events[1]).toMatchObject({ call: 'a', tool: 'read', ok: true, entry: 'e-a', seq: 1 });
    expect(findFaults(result.conversation)).toEqual([]);
  });

  it('does not change the conversation that it was given', async () => {
    const conversation = [HELLO];
    const { options } = setUp(createScriptedModel([says('Hi.')]), { conversation });
    await runTurn(options);
    expect(conversation).toEqual([HELLO]);
  });

  it('sends the same system prompt and tools with each request', async () => {
    const model = createScriptedModel([callsTools(['a', 'read', {}]), says('Done.')]);
    await runTurn(setUp(model).options);
    const frames = model.requests.map(({ system, tools }) => JSON.stringify({ system, tools }));
    expect(frames).toHaveLength(2);
    expect(frames[0]).toBe(frames[1]);
  });

  it('hands each message on before anything follows from it', async () => {
    const kept: string[] = [];
    const model = createScriptedModel([callsTools(['a', 'write', {}]), says('Done.')], () =>
      kept.push('part'),
    );
    const { options } = setUp(model, {
      onMessage: async ({ role }) => {
        await Promise.resolve();
        kept.push(role);
      },
      runTool: async () => {
        kept.push('run');
        return { ok: true, text: '', entry: 'e', seq: 1 };
      },
    });
    await runTurn(options);
    expect(kept.filter((each) => each !== 'part')).toEqual(['assistant', 'run', 'tool', 'assistant']);
    expect(kept.lastIndexOf('tool')).toBeLessThan(kept.lastIndexOf('part'));
  });

  it('ends with the error of a store that can not keep a message', async () => {
    const error = new SafeCoderError('environment/disk-full', 'full');
    const model = createScriptedModel([callsTools(['a', 'write', {}])]);
    const result = await runTurn(setUp(model, { onMessage: () => Promise.reject(error) }).options);
    expect(result).toMatchObject({ reason: 'error', error });
    expect(findFaults(result.conversation)).toEqual([]);
  });

  it('answers calls that a crash left open before it goes on', async () => {
    const conversation: ConversationMessage[] = [
      HELLO,
      { role: 'assistant', parts: [{ type: 'tool-call', call: 'a', tool: 'write', input: {} }] },
    ];
    const model = createScriptedModel([says('Done.')]);
    const result = await runTurn(setUp(model, { conversation }).options);
    expect(findFaults(result.conversation)).toEqual([]);
    expect(model.requests[0]?.messages.at(-1)).toMatchObject({
      role: 'tool',
      results: [{ call: 'a', ok: false }],
    });
  });
});

describe('tool calls', () => {
  it('run side by side when they only read and follow each other, else alone and in order', async () => {
    const log: string[] = [];
    let running = 0;
    let mostRunning = 0;
    const runTool: RunTool = async (call, tool) => {
      running++;
      mostRunning = Math.max(mostRunning, running);
      log.push(`${call}+`);
      await new Promise((resolve) => setTimeout(resolve, tool.isReadOnly ? 5 : 1));
      running--;
      log.push(`${call}-`);
      return { ok: true, text: call, entry: call, seq: 1 };
    };
    const model = createScriptedModel([
      callsTools(
        ['r1', 'read', {}],
        ['r2', 'read', {}],
        ['w1', 'write', {}],
        ['w2', 'write', {}],
        ['r3', 'read', {}],
      ),
      says('Done.'),
    ]);
    const result = await runTurn(setUp(model, { runTool }).options);
    expect(log.slice(0, 2)).toEqual(['r1+', 'r2+']);
    expect(log.slice(4)).toEqual(['w1+', 'w1-', 'w2+', 'w2-', 'r3+', 'r3-']);
    expect(mostRunning).toBe(2);
    expect(resultsOf(result.conversation).map((each) => each.call)).toEqual(['r1', 'r2', 'w1', 'w2', 'r3']);
  });

  it('never run more than eight at a time', async () => {
    let running = 0;
    let mostRunning = 0;
    const runTool: RunTool = async (call) => {
      mostRunning = Math.max(mostRunning, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      running--;
      return { ok: true, text: call, entry: call, seq: 1 };
    };
    const calls = Array.from({ length: 20 }, (_, n): [string, string, unknown] => [`c${n}`, 'read', {}]);
    const result = await runTurn(
      setUp(createScriptedModel([callsTools(...calls), says('ok')]), { runTool }).options,
    );
    expect(mostRunning).toBe(8);
    expect(resultsOf(result.conversation).map((each) => each.text)).toEqual(calls.map(([id]) => id));
  });

  it('of a tool that does not exist are answered with the names of those that do', async () => {
    const model = createScriptedModel([callsTools(['a', 'reed', {}]), says('Sorry.')]);
    const result = await runTurn(setUp(model).options);
    const [answer] = resultsOf(result.conversation);
    expect(answer?.ok).toBe(false);
    expect(answer?.text).toContain('read, write');
    expect(answer?.text).toContain('Did you mean read?');
    expect(result.reason).toBe('done');
  });

  it('whose name no provider would take back get a harmless one in the history', async () => {
    const evil = `rm -rf /\n${'x'.repeat(500)}`;
    const model = createScriptedModel([callsTools(['a', evil, {}]), says('Sorry.')]);
    const result = await runTurn(setUp(model).options);
    expect(resultsOf(result.conversation)[0]?.tool).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  it('with input that is no JSON object are answered with what is wrong, and not run', async () => {
    const broken: ModelPart = {
      type: 'tool-call',
      call: 'a',
      tool: 'write',
      input: '{"a',
      invalid: 'not valid JSON',
    };
    const model = createScriptedModel([[broken, { type: 'stop', reason: 'tool-calls' }], says('Sorry.')]);
    let count = 0;
    const runTool: RunTool = async () => ({ ok: true, text: `${count++}`, entry: 'e', seq: 1 });
    const result = await runTurn(setUp(model, { runTool }).options);
    expect(count).toBe(0);
    expect(resultsOf(result.conversation)[0]).toMatchObject({
      ok: false,
      text: expect.stringContaining('not valid JSON'),
    });
  });

  it.each(['a', '', '../../etc/passwd', 'x'.repeat(65)])(
    'get an id of their own when the model sends %o',
    async (id) => {
      const twice = callsTools([id, 'read', {}], [id, 'read', {}]);
      const model = createScriptedModel([twice, twice, says('Done.')]);
      const result = await runTurn(setUp(model).options);
      const ids = resultsOf(result.conversation).map((each) => each.call);
      expect(new Set(ids).size).toBe(4);
      for (const each of ids) expect(each).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
      expect(findFaults(result.conversation)).toEqual([]);
    },
  );

  it.each(['ledger/write-failed', 'guest/lost', 'bug'] as const)(
    'end the turn when they fail with %s',
    async (code) => {
      const ran: string[] = [];
      const runTool: RunTool = async (call) => {
        ran.push(call);
        throw new SafeCoderError(code, 'broken');
      };
      const model = createScriptedModel([callsTools(['a', 'write', {}], ['b', 'write', {}])]);
      const result = await runTurn(setUp(model, { runTool }).options);
      expect(result.reason).toBe('error');
      expect(result.error?.code).toBe(code);
      expect(ran).toEqual(['a']);
      expect(model.requests).toHaveLength(1);
      expect(resultsOf(result.conversation).map((each) => each.ok)).toEqual([false, false]);
      expect(findFaults(result.conversation)).toEqual([]);
    },
  );

  it('stop their neighbours when one of them fails for good', async () => {
    const runTool: RunTool = async (call, _tool, _input, signal) => {
      if (call === 'a') throw new SafeCoderError('guest/lost', 'gone');
      await new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new SafeCoderError('cancelled', 'cancelled')));
      });
      return { ok: true, text: '', entry: '', seq: 1 };
    };
    const model = createScriptedModel([callsTools(['b', 'read', {}], ['a', 'read', {}])]);
    const result = await runTurn(setUp(model, { runTool }).options);
    expect(result.error?.code).toBe('guest/lost');
    expect(findFaults(result.conversation)).toEqual([]);
  });
});

describe('a failed request', () => {
  const busy = (details: Record<string, unknown> = {}) =>
    new SafeCoderError('provider/overloaded', 'busy', { details: { retryable: true, ...details } });

  it('is made again after a wait, and its partial text is taken back', async () => {
    const model = createScriptedModel([[{ type: 'text', text: 'Half' }, busy()], [busy()], says('Whole.')]);
    const { options, events } = setUp(model);
    const result = await runTurn(options);
    expect(result.reason).toBe('done');
    expect(result.conversation.slice(1)).toEqual([
      { role: 'assistant', parts: [{ type: 'text', text: 'Whole.' }] },
    ]);
    const retries = events.filter((event) => event.type === 'retry');
    expect(retries).toMatchObject([
      { attempt: 1, waitMs: 1000, discarded: 4 },
      { attempt: 2, waitMs: 2000, discarded: 0 },
    ]);
  });

  it('keeps the ids of calls that are asked for again', async () => {
    const call: ModelPart = { type: 'tool-call', call: 'a', tool: 'read', input: {} };
    const model = createScriptedModel([[call, busy()], callsTools(['a', 'read', {}]), says('Done.')]);
    const result = await runTurn(setUp(model).options);
    expect(resultsOf(result.conversation).map((each) => each.call)).toEqual(['a']);
  });

  it('is given up after eight tries', async () => {
    const model = createScriptedModel(Array.from({ length: 9 }, () => [busy()]));
    const result = await runTurn(setUp(model).options);
    expect(result).toMatchObject({ reason: 'error', error: { code: 'provider/overloaded' } });
    expect(model.requests).toHaveLength(8);
    expect(findFaults(result.conversation)).toEqual([]);
  });

  it.each(['provider/auth', 'provider/rejected', 'provider/context-overflow', 'replay/mismatch'] as const)(
    'is not made again for %s',
    async (code) => {
      const error = new SafeCoderError(code, 'no', { details: { retryable: false } });
      const model = createScriptedModel([[{ type: 'text', text: 'Half' }, error]]);
      const result = await runTurn(setUp(model).options);
      expect(result).toMatchObject({ reason: 'error', error });
      expect(model.requests).toHaveLength(1);
      expect(result.conversation).toEqual([HELLO]);
    },
  );

  it('waits as long as the provider says, and no longer than a person would', async () => {
    const waits: number[] = [];
    const retry = { sleep: async (ms: number) => void waits.push(ms) };
    const model = createScriptedModel([[busy({ retryAfterMs: 7000 })], [busy({ retryAfterMs: 3_600_000 })]]);
    const result = await runTurn(setUp(model, { retry }).options);
    expect(waits).toEqual([7000]);
    expect(result.reason).toBe('error');
  });

  it('can be cancelled while it waits', async () => {
    const controller = new AbortController();
    const model = createScriptedModel([[busy()], says('never')]);
    const { options, events } = setUp(model, { signal: controller.signal, retry: { baseMs: 3_600_000 } });
    const turn = runTurn({
      ...options,
      emit: (event) => {
        events.push(event);
        if (event.type === 'retry') controller.abort();
      },
    });
    expect((await turn).reason).toBe('aborted');
    expect(model.requests).toHaveLength(1);
  });

  it('is made again when the model says nothing to a person, but not after a tool', async () => {
    const nothing: ModelPart[] = [{ type: 'stop', reason: 'end' }];
    const model = createScriptedModel([nothing, callsTools(['a', 'read', {}]), nothing]);
    const result = await runTurn(setUp(model).options);
    expect(result.reason).toBe('done');
    expect(model.requests).toHaveLength(3);
    expect(findFaults(result.conversation)).toEqual([]);
  });
});

describe('limits', () => {
  it('end the turn after so many steps, with every call answered', async () => {
    const model = createScriptedModel(
      Array.from({ length: 9 }, (_, n) => callsTools([`c${n}`, 'read', { n }])),
    );
    const result = await runTurn(setUp(model, { limits: { maxSteps: 3 } }).options);
    expect(result.reason).toBe('max-steps');
    expect(result.usage.steps).toBe(3);
    expect(model.requests).toHaveLength(3);
    expect(findFaults(result.conversation)).toEqual([]);
  });

  it('end the turn when it has cost enough', async () => {
    const model = createScriptedModel(
      Array.from({ length: 9 }, (_, n) => callsTools([`c${n}`, 'read', { n }])),
    );
    const price = { input: 100_000, output: 0 };
    const result = await runTurn(setUp(model, { limits: { maxSteps: 9, maxCostUsd: 1.5 }, price }).options);
    expect(result.reason).toBe('max-cost');
    expect(result.usage.costUsd).toBe(2);
  });

  it('on cost are said to be void when the price is not known', async () => {
    const { options, events } = setUp(createScriptedModel([says('ok')]), {
      limits: { maxSteps: 9, maxCostUsd: 1 },
    });
    const result = await runTurn(options);
    expect(events[0]).toMatchObject({ type: 'warning', code: 'agent/unknown-price' });
    expect(result.usage.costUsd).toBeUndefined();
  });

  it('warn a model that repeats itself and then end the turn', async () => {
    const model = createScriptedModel(
      Array.from({ length: 9 }, () => callsTools(['a', 'read', { path: 'x' }])),
    );
    const runTool: RunTool = async () => ({ ok: false, text: 'no such file', entry: 'e', seq: 1 });
    const result = await runTurn(setUp(model, { runTool }).options);
    expect(result.reason).toBe('loop');
    expect(model.requests).toHaveLength(5);
    const warned = resultsOf(result.conversation).map((each) => each.text.includes('same result'));
    expect(warned).toEqual([false, false, true, true, true]);
  });

  it('let a model run the same test after each change', async () => {
    const steps = Array.from({ length: 6 }, (_, n) => [
      callsTools([`w${n}`, 'write', { n }]),
      callsTools([`t${n}`, 'read', {}]),
    ]).flat();
    const runTool: RunTool = async (call, tool) =>
      tool.name === 'write'
        ? { ok: true, text: call, entry: call, seq: 1, changed: ['a.ts'] }
        : { ok: false, text: '1 test fails', entry: call, seq: 1 };
    const model = createScriptedModel([...steps, says('Done.')]);
    const result = await runTurn(setUp(model, { runTool, limits: { maxSteps: 20 } }).options);
    expect(result.reason).toBe('done');
  });

  it('of the model on its output are reported', async () => {
    const cut: ModelPart[] = [
      { type: 'text', text: 'Once' },
      { type: 'stop', reason: 'length' },
    ];
    const { options, events } = setUp(createScriptedModel([cut]));
    expect((await runTurn(options)).reason).toBe('done');
    expect(events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'agent/output-limit' }));
  });

  it('do not hide that the model refused', async () => {
    const model = createScriptedModel([
      [
        { type: 'text', text: 'No.' },
        { type: 'stop', reason: 'refused' },
      ],
    ]);
    const result = await runTurn(setUp(model).options);
    expect(result).toMatchObject({ reason: 'error', error: { code: 'provider/rejected' } });
    expect(findFaults(result.conversation)).toEqual([]);
  });
});
