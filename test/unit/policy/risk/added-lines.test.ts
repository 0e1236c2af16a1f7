import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addedLines } from '../../../../src/policy/risk/added-lines.ts';

const added = (before: string, after: string) => addedLines(Buffer.from(before), Buffer.from(after));
const sorted = (lines: readonly string[]) => [...lines].filter((line) => line !== '').sort();

/** As the word says, with no shortcut. */
function slowly(before: string, after: string): string[] {
  const left = before.split('\n');
  return after.split('\n').filter((line) => {
    const at = left.indexOf(line);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

/** Few lines, so that they meet; some longer than what is compared at once. */
const line = fc.constantFrom('', 'a', 'b', 'ab', 'x'.repeat(600), `${'x'.repeat(600)}y`, 'é', '}');
const text = fc.array(line, { maxLength: 30 }).map((lines) => lines.join('\n'));

describe('added lines', () => {
  it('are those that the new side has more often', () => {
    fc.assert(
      fc.property(text, text, text, text, (start, old, now, end) => {
        const before = [start, old, end].join('\n');
        const after = [start, now, end].join('\n');
        expect(sorted(added(before, after).split('\n'))).toEqual(sorted(slowly(before, after)));
      }),
      { numRuns: 2000 },
    );
  });

  it('are all of a new file, but for its byte order mark', () => {
    expect(addedLines(undefined, Buffer.from('\ufeffa\nb'))).toBe('a\nb');
    expect(added('', 'a\n\ufeffb')).toBe('a\n\ufeffb');
  });

  it('are none where lines moved or changed their ending', () => {
    expect(added('a\nb\nc\n', 'c\na\nb\n').trim()).toBe('');
    expect(added('a\nb\n', 'a\r\nb\r\n').trim()).toBe('');
  });

  it('count a line that comes once more', () => {
    expect(added('a\nb\n', 'a\nb\na\n').trim()).toBe('a');
  });
});
