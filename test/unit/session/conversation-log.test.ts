import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findFaults } from '../../../src/agent/conversation.ts';
import type { ConversationMessage } from '../../../src/providers/model.ts';
import { parseConversation } from '../../../src/session/conversation-lines.ts';
import { type ConversationLine, ConversationLog } from '../../../src/session/conversation-log.ts';

const user = (text: string): ConversationMessage => ({ role: 'user', parts: [{ type: 'text', text }] });
const said = (text: string): ConversationMessage => ({ role: 'assistant', parts: [{ type: 'text', text }] });
const calls = (...names: string[]): ConversationMessage => ({
  role: 'assistant',
  parts: names.map((call) => ({ type: 'tool-call', call, tool: 'bash', input: {} })),
});
const answers = (...names: string[]): ConversationMessage => ({
  role: 'tool',
  results: names.map((call) => ({
    type: 'tool-result',
    call,
    tool: 'bash',
    ok: true,
    text: `result of ${call}`,
  })),
});
const textsOf = (messages: readonly ConversationMessage[] | undefined) =>
  messages?.flatMap((message) => {
    if (message.role === 'tool') return message.results.map(({ text }) => text);
    return message.parts.map((part) => (part.type === 'text' ? part.text : 'call' in part ? part.call : ''));
  });

const TURN: ConversationLine[] = [
  { entry: 'e1' },
  user('first'),
  calls('c1', 'c2', 'c3'),
  { entry: 'e2', call: 'c1' },
  { entry: 'e3', call: 'c2' },
  { entry: 'e4', call: 'c3' },
  answers('c1', 'c2', 'c3'),
  said('done'),
  { entry: 'e5' },
];

describe('the conversation as a file that only grows', () => {
  it('has a place for each entry: just after its result, with later calls answered as not run', () => {
    const log = ConversationLog.of(TURN);
    expect(log.at('e1')).toEqual([]);
    expect(textsOf(log.at('e3'))?.slice(-3)).toEqual([
      'result of c1',
      'result of c2',
      expect.stringContaining('Not run'),
    ]);
    expect(textsOf(log.at('e4'))?.at(-1)).toBe('result of c3');
    expect(textsOf(log.at('e5'))?.at(-1)).toBe('done');
    expect(log.at('unknown')).toBeUndefined();
  });

  it('gives the answers of calls that nothing was run for, when a later call of the message was recorded', () => {
    const log = ConversationLog.of([
      user('x'),
      calls('bad', 'good'),
      { entry: 'e2', call: 'good' },
      answers('bad', 'good'),
    ]);
    expect(textsOf(log.at('e2'))?.slice(-2)).toEqual(['result of bad', 'result of good']);
  });

  it('goes back, and back to what was gone back from', () => {
    const log = ConversationLog.of([
      ...TURN,
      { entry: 'e6', rewind: 'e2' },
      user('other way'),
      said('yes'),
      { entry: 'e7' },
    ]);
    expect(textsOf(log.messages)).toEqual([
      'first',
      'c1',
      'c2',
      'c3',
      'result of c1',
      expect.stringContaining('Not run'),
      expect.stringContaining('Not run'),
      'other way',
      'yes',
    ]);
    log.add({ entry: 'e8', rewind: 'e5' });
    expect(textsOf(log.messages)?.at(-1)).toBe('done');
    log.add({ entry: 'e9', rewind: 'e7' });
    expect(textsOf(log.messages)?.at(-1)).toBe('yes');
  });

  it('keeps a call’s name apart from that of the same name on another way', () => {
    const log = ConversationLog.of([
      ...TURN,
      { entry: 'e6', rewind: 'e1' },
      user('again'),
      calls('c1'),
      { entry: 'e7', call: 'c1' },
      {
        role: 'tool',
        results: [{ type: 'tool-result', call: 'c1', tool: 'bash', ok: true, text: 'the second c1' }],
      },
    ]);
    expect(textsOf(log.at('e7'))).toEqual(['again', 'c1', 'the second c1']);
    expect(textsOf(log.at('e2'))).toContain('result of c1');
  });

  it('holds notes until the next message of the user, and forgets them with a rewind', () => {
    const log = ConversationLog.of([...TURN, { entry: 'e6', note: 'files went back' }]);
    expect(log.notes).toEqual(['files went back']);
    log.add({ entry: 'e7', note: 'and again' });
    expect(log.notes).toEqual(['files went back', 'and again']);
    log.add(user('go on'));
    expect(log.notes).toEqual([]);
    log.add({ entry: 'e8', note: 'third' });
    log.add({ entry: 'e9', rewind: 'e5' });
    expect(log.notes).toEqual([]);
  });

  it('answers calls that a kill left open, those that were recorded as lost results', () => {
    const log = ConversationLog.of([user('x'), calls('c1', 'c2'), { entry: 'e2', call: 'c1' }]);
    const answer = log.answerOpen('Interrupted.');
    expect(textsOf(answer && [answer])).toEqual([expect.stringContaining('is recorded'), 'Interrupted.']);
    if (answer) log.add(answer);
    expect(log.answerOpen('Interrupted.')).toBeUndefined();
    expect(findFaults(log.messages)).toEqual([]);
  });

  it('passes over lines that a kill cut short, or that are no lines', () => {
    const text = `${JSON.stringify(user('x'))}\n{"role":"assis\n\n7\n"text"\n${JSON.stringify({ entry: 'e1' })}\n{"entry"`;
    expect(parseConversation(text)).toEqual([user('x'), { entry: 'e1' }]);
  });

  it('takes nothing for a line that only looks like one', () => {
    const shapes = [
      { role: 'assistant' },
      { role: 'assistant', parts: 'x' },
      { role: 'user', parts: [] },
      { role: 'user', parts: [{ type: 'text', text: 5 }] },
      { role: 'tool', results: [{ type: 'tool-result', call: 'c1' }] },
      { role: 'system', parts: [{ type: 'text', text: 'x' }] },
      { entry: 5 },
      { entry: 'e1', note: {} },
      [],
    ];
    expect(parseConversation(shapes.map((shape) => JSON.stringify(shape)).join('\n'))).toEqual([]);
  });

  it('stays one that a provider takes, whichever lines are lost', () => {
    const more = [
      user('next'),
      calls('d1'),
      { entry: 'e6', call: 'd1' },
      answers('d1'),
      said('end'),
      { entry: 'e7' },
    ];
    const all = [
      ...TURN,
      ...more,
      { entry: 'e8', rewind: 'e3' },
      user('again'),
      said('yes'),
      { entry: 'e9' },
    ];
    fc.assert(
      fc.property(fc.subarray(all), (lines) => {
        const log = ConversationLog.of(lines);
        const answer = log.answerOpen('Interrupted.');
        if (answer) log.add(answer);
        expect(findFaults(log.messages)).toEqual([]);
        for (const line of lines)
          if ('entry' in line) expect(findFaults(log.at(line.entry) ?? [])).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  it('keeps the laws of conversations wherever it goes back to, and leads to the same place again', () => {
    const step = fc.oneof(
      fc.constant('turn' as const),
      fc.constant('snapshot' as const),
      fc.nat().map((to) => ({ to })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), fc.nat(2), (steps, batch) => {
        const log = new ConversationLog();
        const lines: ConversationLine[] = [];
        const add = (line: ConversationLine) => {
          lines.push(line);
          log.add(line);
        };
        const entries: string[] = ['e0'];
        add({ entry: 'e0' });
        const enter = (more: { call?: string; rewind?: string }) => {
          const entry = `e${entries.length}`;
          entries.push(entry);
          add({ entry, ...more });
        };
        const places = new Map<string, string>();
        for (const [index, one] of steps.entries()) {
          if (one === 'snapshot') enter({});
          else if (one === 'turn') {
            const names = Array.from({ length: batch + 1 }, (_, at) => `c${index}_${at}`);
            add(user(`turn ${index}`));
            add(calls(...names));
            for (const call of names) enter({ call });
            add(answers(...names));
            add(said('done'));
          } else {
            const to = entries[one.to % entries.length] ?? 'e0';
            const wanted = JSON.stringify(log.at(to));
            enter({ rewind: to });
            expect(JSON.stringify(log.messages)).toBe(wanted);
          }
          expect(findFaults(log.messages)).toEqual([]);
          for (const entry of entries) {
            const place = JSON.stringify(log.at(entry));
            expect(findFaults(log.at(entry) ?? [])).toEqual([]);
            // Nothing that comes later moves the place of an entry.
            expect(place).toBe(places.get(entry) ?? place);
            places.set(entry, place);
          }
        }
        const replayed = ConversationLog.of(
          parseConversation(lines.map((line) => `${JSON.stringify(line)}\n`).join('')),
        );
        expect(replayed.messages).toEqual(log.messages);
      }),
      { numRuns: 100 },
    );
  });
});
