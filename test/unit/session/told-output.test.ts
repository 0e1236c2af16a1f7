import { describe, expect, it } from 'vitest';
import type { EventBody } from '../../../src/base/events.ts';
import { ToldOutput } from '../../../src/session/told-output.ts';

describe('told output', () => {
  it('follows the start of its call, also when it came first', () => {
    const events: EventBody[] = [];
    const told = new ToldOutput('exec-1', (event) => events.push(event));
    told.add(Buffer.from('early '), 'out');
    told.add(Buffer.from('bad '), 'err');
    expect(events).toEqual([]);
    events.push({ type: 'tool.start', call: 'exec-1', tool: 'exec', input: {} });
    told.start();
    told.add(Buffer.from('late'), 'out');
    told.end();
    expect(events.map((event) => ('text' in event ? event.text : event.type))).toEqual([
      'tool.start',
      'early ',
      'bad ',
      'late',
    ]);
  });

  it('keeps a character whole that was cut by chunks, on each channel', () => {
    const texts: string[] = [];
    const told = new ToldOutput('exec-1', (event) => {
      if (event.type === 'tool.output') texts.push(event.text);
    });
    told.start();
    const letter = Buffer.from('é');
    told.add(letter.subarray(0, 1), 'out');
    told.add(Buffer.from('x'), 'err');
    told.add(letter.subarray(1), 'out');
    told.add(letter.subarray(0, 1), 'err');
    told.end();
    expect(texts).toEqual(['x', 'é', '\uFFFD']);
  });
});
