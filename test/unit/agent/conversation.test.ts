import { describe, expect, it } from 'vitest';
import { answerPending, findFaults } from '../../../src/agent/conversation.ts';
import type { ConversationMessage } from '../../../src/providers/model.ts';

const user: ConversationMessage = { role: 'user', parts: [{ type: 'text', text: 'hi' }] };
const says: ConversationMessage = { role: 'assistant', parts: [{ type: 'text', text: 'ok' }] };
const calls = (...ids: string[]): ConversationMessage => ({
  role: 'assistant',
  parts: ids.map((call) => ({ type: 'tool-call', call, tool: 't', input: {} })),
});
const results = (...ids: string[]): ConversationMessage => ({
  role: 'tool',
  results: ids.map((call) => ({ type: 'tool-result', call, tool: 't', ok: true, text: '' })),
});

describe('the laws of a conversation', () => {
  it.each<[string, ConversationMessage[]]>([
    ['nothing at all', []],
    ['calls answered in order', [user, calls('a', 'b'), results('a', 'b'), says, user]],
    ['the user going on after results', [user, calls('a'), results('a'), user]],
    ['the user going on after an abort', [user, user, says]],
  ])('allow %s', (_, messages) => {
    expect(findFaults(messages)).toEqual([]);
  });

  it.each<[string, ConversationMessage[]]>([
    ['a call without a result', [user, calls('a'), user]],
    ['a last call without a result', [user, calls('a')]],
    ['results in another order', [user, calls('a', 'b'), results('b', 'a')]],
    ['a result twice', [user, calls('a'), results('a', 'a')]],
    ['a result without a call', [user, says, results('a')]],
    ['a call id twice', [user, calls('a'), results('a'), calls('a'), results('a')]],
    ['two answers in a row', [user, says, says]],
    ['an answer to nobody', [says]],
    ['an empty answer', [user, { role: 'assistant', parts: [] }]],
    ['an answer of blanks', [user, { role: 'assistant', parts: [{ type: 'text', text: ' \n' }] }]],
    ['an answer of thoughts only', [user, { role: 'assistant', parts: [{ type: 'reasoning', text: 'hm' }] }]],
    ['an empty user message', [{ role: 'user', parts: [] }]],
    ['no results', [user, { role: 'tool', results: [] }]],
  ])('forbid %s', (_, messages) => {
    expect(findFaults(messages)).not.toEqual([]);
  });

  it('hold again once open calls are answered', () => {
    const open = [user, calls('a', 'b')];
    const closed = answerPending(open, 'unknown');
    expect(findFaults(closed)).toEqual([]);
    expect(closed.at(-1)).toMatchObject({ results: [{ ok: false, text: 'unknown' }, { call: 'b' }] });
    expect(answerPending(closed, 'x')).toEqual(closed);
    expect(open).toHaveLength(2);
  });
});
