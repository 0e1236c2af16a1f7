import { describe, expect, it } from 'vitest';
import { AssistantMessage, CallIds } from '../../../src/agent/assistant-message.ts';
import type { ModelPart } from '../../../src/providers/model.ts';

function assemble(...parts: ModelPart[]): AssistantMessage {
  const message = new AssistantMessage(new CallIds([]));
  for (const part of parts) message.add(part);
  return message;
}
const call: ModelPart = {
  type: 'tool-call',
  call: 'a',
  tool: 'read',
  input: {},
  opaque: { signature: 'call' },
};

describe('an assistant message', () => {
  it('joins text, and reasoning up to the part that carries what the provider must see again', () => {
    const message = assemble(
      { type: 'reasoning', text: 'one ' },
      { type: 'reasoning', text: 'thought' },
      { type: 'reasoning', text: '', opaque: { signature: 1 } },
      { type: 'reasoning', text: 'another' },
      { type: 'reasoning', text: '', opaque: { signature: 2 } },
      { type: 'text', text: 'Hel' },
      { type: 'text', text: 'lo' },
      call,
    );
    expect(message.toMessage()).toEqual({
      role: 'assistant',
      parts: [
        { type: 'reasoning', text: 'one thought', opaque: { signature: 1 } },
        { type: 'reasoning', text: 'another', opaque: { signature: 2 } },
        { type: 'text', text: 'Hello' },
        call,
      ],
    });
    expect(message.text).toBe('Hello');
  });

  it('keeps reasoning that is nothing but what the provider must see again', () => {
    const redacted: ModelPart = { type: 'reasoning', text: '', opaque: { redacted: 'x' } };
    expect(assemble(redacted, call).toMessage()?.parts).toEqual([redacted, call]);
  });

  it('is none without text and calls', () => {
    expect(assemble().toMessage()).toBeUndefined();
    expect(
      assemble({ type: 'text', text: ' \n' }, { type: 'reasoning', text: 'hm' }).toMessage(),
    ).toBeUndefined();
  });

  it('does not change the parts it was given', () => {
    const part: ModelPart = { type: 'text', text: 'a' };
    assemble(part, { type: 'text', text: 'b' });
    expect(part.text).toBe('a');
  });

  it('keeps why an input is invalid out of the conversation, where no provider knows it', () => {
    const message = assemble({ type: 'tool-call', call: 'a', tool: 'read', input: '{', invalid: 'not JSON' });
    expect(message.toMessage()?.parts).toEqual([{ type: 'tool-call', call: 'a', tool: 'read', input: '{' }]);
    expect(message.calls).toMatchObject([{ invalid: 'not JSON', asked: 'read' }]);
  });
});
