import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBinary } from '../../../src/base/is-binary.ts';
import { compose, type HunkChoice } from '../../../src/diff/compose.ts';
import { countChangedLines } from '../../../src/diff/count-lines.ts';
import { diffText, type Hunk, NO_NEWLINE, replaceAll } from '../../../src/diff/text-diff.ts';

/** Text files of few different lines, so that there is something in common; any bytes but NUL. */
const line = fc.constantFrom(
  'a\n',
  'b\n',
  'c\r\n',
  '\n',
  '\r',
  'é\n',
  '\xff\xfe\n',
  ' x\n',
  '-y\n',
  '\\ z\n',
  'end',
);
const text = fc.array(line, { maxLength: 30 }).map((lines) => Buffer.from(lines.join(''), 'latin1'));

const all = (hunks: readonly Hunk[]): HunkChoice[] => hunks.map((hunk) => ({ hunk, take: 'all' }));
const some = (hunk: Hunk, ...lines: number[]): HunkChoice => ({ hunk, take: 'lines', lines: new Set(lines) });

function hunksOf(before: Buffer, after: Buffer) {
  const diff = diffText(before, after);
  if (diff.kind !== 'text') throw new Error(diff.kind);
  return diff.hunks;
}

describe('a difference', () => {
  it('applied to the old file gives the new one, byte for byte', () => {
    fc.assert(
      fc.property(
        text,
        text,
        fc.integer({ min: 0, max: 4 }),
        fc.nat(20),
        (before, after, context, maxEdits) => {
          const diff = diffText(before, after, { context, maxEdits });
          if (diff.kind !== 'text') return false;
          return compose(before, all(diff.hunks)).equals(after);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('of which nothing is taken leaves the old file', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const hunks = hunksOf(before, after);
        const none = hunks.map((hunk) => some(hunk));
        return compose(before, []).equals(before) && compose(before, none).equals(before);
      }),
    );
  });

  it('of which every line is taken gives the new file', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const hunks = hunksOf(before, after);
        const each = hunks.map((hunk) => some(hunk, ...hunk.lines.keys()));
        return compose(before, each).equals(after);
      }),
    );
  });

  it('counts the lines that its hunks hold', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const diff = diffText(before, after);
        if (diff.kind !== 'text') return false;
        const lines = diff.hunks.flatMap((hunk) => hunk.lines);
        const count = (sign: string) => lines.filter((each) => each.startsWith(sign)).length;
        const isHonest = diff.hunks.every((hunk) => {
          const of = (signs: string) => hunk.lines.filter((each) => signs.includes(each.charAt(0))).length;
          return hunk.oldLines === of(' -') && hunk.newLines === of(' +');
        });
        return isHonest && diff.added === count('+') && diff.removed === count('-');
      }),
    );
  });

  it('shows that a line feed at the end was taken away', () => {
    expect(diffText(Buffer.from('a\nb\n'), Buffer.from('a\nb'))).toEqual({
      kind: 'text',
      added: 1,
      removed: 1,
      hunks: [{ oldStart: 1, oldLines: 2, newStart: 1, newLines: 2, lines: [' a', '-b', '+b', NO_NEWLINE] }],
    });
  });

  it('shows that only line endings changed', () => {
    expect(hunksOf(Buffer.from('a\n'), Buffer.from('a\r\n'))[0]?.lines).toEqual(['-a', '+a\r']);
  });

  it('is split where enough lines are the same', () => {
    const before = Buffer.from(Array.from({ length: 20 }, (_, at) => `${at}\n`).join(''));
    const after = Buffer.from(before.toString().replace('2\n', 'two\n').replace('17\n', 'x\n'));
    const hunks = hunksOf(before, after);
    expect(hunks.length).toBe(2);
    const first = compose(before, all(hunks.slice(0, 1))).toString();
    expect(first).toContain('two\n');
    expect(first).toContain('17\n');
    const second = compose(before, all(hunks.slice(1))).toString();
    expect(second).not.toContain('two\n');
    expect(second).toContain('x\n');
  });

  it('is found for lines that all moved, without taking for ever', () => {
    const numbers = Array.from({ length: 9000 }, (_, at) => `${at}\n`);
    const before = Buffer.from(numbers.join(''));
    const after = Buffer.from(numbers.toReversed().join(''));
    expect(diffText(before, after)).toMatchObject({ kind: 'text', added: 8999, removed: 8999 });
  });

  it('replaces a passage as a whole when aligning it would take too long', () => {
    const few = (seed: number) => {
      const lines = Array.from({ length: 3000 }, (_, at) => `${(at * at * seed) % 7}\n`);
      return Buffer.from(`${lines.join('')}end ${seed}\n`);
    };
    const diff = diffText(few(3), few(5), { maxEdits: 10 });
    if (diff.kind !== 'text') throw new Error(diff.kind);
    expect(diff.added).toBeGreaterThan(2900);
    expect(compose(few(3), all(diff.hunks)).equals(few(5))).toBe(true);
  });

  it('is found line by line in a long file in which every line repeats', () => {
    let seed = 1;
    const dice = (below: number) => {
      seed = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) + 0x6d2b79f5;
      return ((seed ^ (seed >>> 13)) >>> 0) % below;
    };
    const lines = Array.from({ length: 20_000 }, () => `${dice(60)}\n`);
    const edit = (line: string, at: number) => (at % 16 === 3 ? [] : at % 16 === 11 ? [line, '5\n'] : [line]);
    const before = Buffer.from(lines.join(''));
    const after = Buffer.from(lines.flatMap(edit).join(''));
    const diff = diffText(before, after);
    if (diff.kind !== 'text') throw new Error(diff.kind);
    expect(diff.added + diff.removed).toBeLessThan(2600);
    expect(compose(before, all(diff.hunks)).equals(after)).toBe(true);
  });

  it('of few kinds of lines is right also when passages are all that stands alone', () => {
    const few = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n'), { minLength: 8, maxLength: 40 });
    fc.assert(
      fc.property(few, few, fc.nat(3), (old, now, maxEdits) => {
        const [before, after] = [Buffer.from(old.join('')), Buffer.from(now.join(''))];
        const diff = diffText(before, after, { maxEdits });
        return diff.kind === 'text' && compose(before, all(diff.hunks)).equals(after);
      }),
      { numRuns: 2000 },
    );
  });

  it('says of files over the limit that they are too large', () => {
    const long = Buffer.from('x\n'.repeat(100));
    expect(diffText(long, Buffer.alloc(0), { maxBytes: 100 })).toEqual({
      kind: 'too-large',
      oldLines: 100,
      newLines: 0,
    });
    expect(compose(long, all(replaceAll(long, Buffer.from('y'))))).toEqual(Buffer.from('y'));
  });

  it('is counted the same without hunks', () => {
    fc.assert(
      fc.property(text, text, (before, after) => {
        const diff = diffText(before, after);
        const counts = countChangedLines(before, after);
        if (diff.kind !== 'text' || counts.kind !== 'text') return false;
        return diff.added === counts.added && diff.removed === counts.removed;
      }),
      { numRuns: 2000 },
    );
    expect(countChangedLines(Buffer.from('a\0'), Buffer.from('b'))).toEqual({ kind: 'binary' });
    const huge = Buffer.alloc((8 << 20) + 1, 'line\n');
    expect(countChangedLines(huge, Buffer.from('x'))).toEqual({
      kind: 'too-large',
      added: 1,
      removed: Math.ceil(huge.length / 5),
    });
  });

  it('of a file that was rewritten from end to end is found all the same', () => {
    const many = (word: string) =>
      Buffer.from(Array.from({ length: 30_000 }, (_, at) => `${word}${at}\n`).join(''));
    expect(diffText(many('a'), many('b'))).toMatchObject({ kind: 'text', added: 30_000, removed: 30_000 });
  });

  it('is none for what is not text', () => {
    expect(diffText(Buffer.from('a\0b'), Buffer.from('a'))).toEqual({ kind: 'binary' });
    expect(isBinary(Buffer.concat([Buffer.alloc(9000, 65), Buffer.from([0])]))).toBe(false);
    expect(isBinary(Buffer.from([0xff, 0xfe, 0x41, 0x42]))).toBe(false);
  });
});

describe('hunks', () => {
  it('are refused for a file that they were not made for', () => {
    const hunks = hunksOf(Buffer.from('a\nb\nc\n'), Buffer.from('a\nX\nc\n'));
    expect(() => compose(Buffer.from('a\nother\nc\n'), all(hunks))).toThrow(/does not fit/);
    expect(() => compose(Buffer.from(''), all(hunks))).toThrow(/does not fit/);
  });

  it('taken line by line leave the other lines as they were', () => {
    const before = Buffer.from('one\ntwo\nthree\n');
    const [hunk] = hunksOf(before, Buffer.from('ONE\ntwo\nTHREE\n'));
    if (hunk === undefined) throw new Error('no hunk');
    expect(hunk.lines).toEqual(['-one', '+ONE', ' two', '-three', '+THREE']);
    expect(compose(before, [some(hunk, 3, 4)]).toString()).toBe('one\ntwo\nTHREE\n');
    expect(compose(before, [some(hunk, 0)]).toString()).toBe('two\nthree\n');
    expect(compose(before, [some(hunk, 1)]).toString()).toBe('one\nONE\ntwo\nthree\n');
  });

  it('never run two lines together when part of a change follows a line without a line feed', () => {
    const before = Buffer.from('a');
    const [hunk] = hunksOf(before, Buffer.from('b\nc\n'));
    if (hunk === undefined) throw new Error('no hunk');
    const added = hunk.lines.indexOf('+c');
    expect(compose(before, [some(hunk, added)]).toString()).toBe('a\nc\n');
  });
});
