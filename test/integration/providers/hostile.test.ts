import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isSafeCoderError } from '../../../src/base/errors.ts';
import { createModel } from '../../../src/providers/create-model.ts';
import type { ConversationMessage, ModelPart } from '../../../src/providers/model.ts';
import { NETWORK_PROVIDERS } from '../../../src/providers/model-id.ts';
import { writeAnthropic } from '../../support/fake-model/anthropic.ts';
import { writeGemini } from '../../support/fake-model/gemini.ts';
import { writeChat } from '../../support/fake-model/openai-chat.ts';
import { writeResponses } from '../../support/fake-model/openai-responses.ts';
import { numberReply } from '../../support/fake-model/script.ts';

const HELLO: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'Hello' }] };
const REPLY = numberReply(
  {
    reasoning: { text: 'Think.', signature: 'SIG' },
    text: 'Grüße.',
    calls: [{ tool: 'a', input: { x: [1, null, { y: 'z' }] } }, { tool: 'b' }],
  },
  0,
);
const WRITERS = {
  anthropic: writeAnthropic,
  openai: writeResponses,
  google: writeGemini,
  openrouter: writeChat,
  ollama: writeChat,
  'openai-compatible': writeChat,
};

/** A change to a valid answer: bytes replaced, events doubled, dropped or moved, JSON values swapped. */
const change = fc.oneof(
  fc.record({ kind: fc.constant('byte' as const), at: fc.nat(5000), value: fc.nat(255) }),
  fc.record({ kind: fc.constant('drop' as const), at: fc.nat(60), value: fc.constant(0) }),
  fc.record({ kind: fc.constant('double' as const), at: fc.nat(60), value: fc.constant(0) }),
  fc.record({ kind: fc.constant('swap' as const), at: fc.nat(60), value: fc.nat(60) }),
  fc.record({ kind: fc.constant('value' as const), at: fc.nat(200), value: fc.nat(5) }),
);
const VALUE = /:("[^"]*"|\d+|null|\[\])/g;
const VALUES = ['null', '-1', '"x"', '[]', '{}', '{"__proto__":{"polluted":1}}'];

function apply(
  events: string[],
  changes: { kind: string; at: number; value: number }[],
): Uint8Array<ArrayBuffer> {
  let list = [...events];
  for (const { kind, at, value } of changes) {
    const index = at % Math.max(1, list.length);
    if (kind === 'drop') list.splice(index, 1);
    if (kind === 'double') list.splice(index, 0, list[index] ?? '');
    if (kind === 'swap') list = list.toSpliced(value % Math.max(1, list.length), 0, ...list.splice(index, 1));
    if (kind === 'value') {
      let seen = 0;
      const count = list.join('').match(VALUE)?.length ?? 1;
      const target = at % count;
      list = list.map((event) =>
        event.replace(VALUE, (match) => (seen++ === target ? `:${VALUES[value]}` : match)),
      );
    }
  }
  const bytes = new Uint8Array(Buffer.from(list.join('')));
  for (const { kind, at, value } of changes)
    if (kind === 'byte' && bytes.length > 0) bytes[at % bytes.length] = value;
  return bytes;
}

describe.each(NETWORK_PROVIDERS)('whatever a server that poses as %s sends', (provider) => {
  it('comes out as well-formed parts and a stop, or as an error of ours', async () => {
    const events = WRITERS[provider](REPLY);
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const body = apply(events, changes);
        const fetch = async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } });
        const model = createModel({ provider, name: 'm', baseUrl: 'http://127.0.0.1:1', apiKey: 'k', fetch });
        const parts: ModelPart[] = [];
        try {
          const request = { system: '', tools: [], messages: [HELLO] };
          for await (const part of model.stream(request, new AbortController().signal)) parts.push(part);
        } catch (error) {
          if (!isSafeCoderError(error)) throw error;
          expect(error.code).toMatch(/^provider\//);
          expect(typeof error.details?.retryable).toBe('boolean');
          return;
        }
        expect(parts.filter((part) => part.type === 'stop')).toHaveLength(1);
        expect(parts.at(-1)?.type).toBe('stop');
        for (const part of parts) {
          if (part.type === 'text' || part.type === 'reasoning') expect(typeof part.text).toBe('string');
          if (part.type === 'usage')
            for (const count of Object.values(part.usage)) expect(count).toBeGreaterThanOrEqual(0);
          if (part.type === 'tool-call') {
            expect([typeof part.call, typeof part.tool]).toEqual(['string', 'string']);
            if (part.invalid === undefined) expect(part.input).toBeTypeOf('object');
          }
        }
        expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      }),
      { numRuns: 80 },
    );
  });
});
