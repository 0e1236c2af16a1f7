import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../../src/base/events.ts';
import type { Entry, EntryTrailers } from '../../../src/ledger/ledger.ts';
import { digestInput } from '../../../src/session/entry-recorder.ts';
import { describeStep, readTimeline, type Timeline } from '../../../src/session/timeline.ts';
import { temporaryFolder } from '../../support/temp.ts';

function entry(seq: number, trailers: Partial<EntryTrailers>, second = seq): Entry {
  return {
    id: `${seq}`.padStart(40, 'e'),
    parent: seq === 1 ? undefined : `${seq - 1}`.padStart(40, 'e'),
    tree: 't'.repeat(40),
    title: 'a title',
    at: new Date(second * 1000),
    trailers: { seq, turn: 0, kind: 'tool', skipped: [], ignored: 0, gitChanged: false, ...trailers },
  };
}

/** A folder with these events, each a second after the one before. */
function folderWith(
  events: (EventBody & { second: number })[],
  tail = '',
): ReturnType<typeof temporaryFolder> {
  const folder = temporaryFolder();
  const lines = events.map(({ second, ...event }) =>
    JSON.stringify({ ...event, at: new Date(second * 1000 + 500).toISOString(), session: 's' }),
  );
  writeFileSync(join(folder, 'events.jsonl'), `${lines.join('\n')}\n${tail}`);
  return folder;
}

type Told = EventBody & { second: number };

const start = (call: string, input: unknown, second: number): Told => ({
  type: 'tool.start',
  call,
  tool: 'bash',
  input,
  second,
});
const end = (of: Entry, text: string, second: number): Told => ({
  type: 'tool.end',
  call: 'c',
  tool: 'bash',
  ok: true,
  durationMs: 1,
  entry: of.id,
  seq: of.trailers.seq,
  changed: [],
  text,
  second,
});

/** Each item in a few words. */
const outline = ({ items }: Timeline) =>
  items.map((item) => {
    if (item.type === 'turn') return `turn ${item.turn.turn}: ${item.turn.prompt}`;
    if (item.type === 'reply') return `reply: ${item.text}`;
    return `#${item.step.entry.trailers.seq} ${describeStep(item.step)}`;
  });

describe('the timeline', () => {
  it('puts prompts, replies and entries in the order in which they came', async () => {
    const input = { command: 'npm test' };
    const entries = [
      entry(1, { kind: 'initial' }),
      entry(2, { turn: 1, tool: 'bash', inputSha256: digestInput(input) }),
      entry(3, { turn: 1, kind: 'sweep' }, 5),
      entry(4, { turn: 1, kind: 'snapshot', label: 'before' }, 5),
      entry(5, { turn: 2, tool: 'bash' }, 8),
    ];
    const folder = folderWith([
      { type: 'turn.start', turn: 1, second: 1 },
      { type: 'message', role: 'user', text: 'first', second: 1 },
      { type: 'message', role: 'assistant', text: 'I test.', second: 1 },
      start('c', input, 2),
      end(entries[1] as Entry, 'ok', 2),
      { type: 'turn.end', turn: 1, reason: 'done', second: 4 },
      { type: 'turn.start', turn: 2, second: 7 },
      { type: 'message', role: 'user', text: 'second', second: 7 },
      end(entries[4] as Entry, '', 8),
    ]);
    const timeline = await readTimeline(folder, entries);
    expect(outline(timeline)).toEqual([
      '#1 initial snapshot',
      'turn 1: first',
      'reply: I test.',
      '#2 bash npm test',
      '#3 found by the sweep',
      '#4 snapshot before',
      'turn 2: second',
      '#5 bash',
    ]);
    expect(timeline.steps.get(entries[1]?.id ?? '')).toMatchObject({
      output: 'ok',
      turn: { turn: 1, prompt: 'first', reason: 'done' },
    });
    expect(timeline.steps.get(entries[4]?.id ?? '')?.turn?.prompt).toBe('second');
  });

  it('says where rollbacks and forks went', async () => {
    const entries = [
      entry(1, { kind: 'initial' }),
      entry(2, { kind: 'fork', origin: `abc:${'f'.repeat(40)}` }),
      entry(3, { kind: 'rollback', to: '1'.padStart(40, 'e'), scope: 'both' }),
    ];
    expect(outline(await readTimeline(temporaryFolder(), entries))).toEqual([
      '#1 initial snapshot',
      '#2 fork of session abc, entry ffffffffff',
      '#3 rollback to #1 (both)',
    ]);
  });

  it('shows no input that the entry does not vouch for', async () => {
    const entries = [entry(1, { tool: 'bash', inputSha256: digestInput({ command: 'real' }) })];
    const folder = folderWith([start('c', { command: 'forged' }, 1), end(entries[0] as Entry, 'x', 1)]);
    const { steps } = await readTimeline(folder, entries);
    expect(steps.get(entries[0]?.id ?? '')?.input).toBeUndefined();
  });

  it('has every entry where events are missing, cut short or of other sessions', async () => {
    const entries = [entry(1, { kind: 'initial' }), entry(2, { tool: 'bash', turn: 3 })];
    const stray = end(entry(9, {}), 'x', 1);
    const folder = folderWith([stray], '{"type":"tool.end","entry":"ee');
    for (const from of [folder, temporaryFolder()]) {
      expect(outline(await readTimeline(from, entries))).toEqual(['#1 initial snapshot', '#2 bash']);
    }
  });

  it('finds what a call that was cut off had been asked for', async () => {
    const input = { path: 'a' };
    const entries = [entry(1, { tool: 'write', inputSha256: digestInput(input) })];
    const { steps } = await readTimeline(folderWith([start('c', input, 1)]), entries);
    expect(steps.get(entries[0]?.id ?? '')?.input).toEqual(input);
  });
});
