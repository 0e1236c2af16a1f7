import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findEdits } from '../../../src/diff/certain-edits.ts';
import { type Merge, merge3 } from '../../../src/diff/merge3.ts';
import { temporaryFolder } from '../../support/temp.ts';

type Three = [base: string, mine: string, theirs: string];

const merge = (...three: Three): Merge =>
  merge3(...(three.map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer]));

function cleanText(...three: Three): string {
  const merged = merge(...three);
  return merged.clean ? merged.bytes.toString() : `conflict: ${merged.reason}`;
}

/** What `git merge-file` makes of it, with the same labels. */
function gitMerge(folder: string, [base, mine, theirs]: Three): { isClean: boolean; text: string } {
  writeFileSync(join(folder, 'base'), base);
  writeFileSync(join(folder, 'mine'), mine);
  writeFileSync(join(folder, 'theirs'), theirs);
  const labels = ['-L', 'mine (the project)', '-L', 'base', '-L', "theirs (the agent's)"];
  const { status, stdout } = spawnSync('git', ['merge-file', '-p', ...labels, 'mine', 'base', 'theirs'], {
    cwd: folder,
    encoding: 'latin1',
    env: { PATH: process.env.PATH ?? '', GIT_CONFIG_NOSYSTEM: '1', HOME: folder },
  });
  return { isClean: status === 0, text: stdout };
}

describe('merge3', () => {
  it('takes the change of the side that made one', () => {
    expect(cleanText('a\nb\nc\n', 'a\nb\nc\n', 'a\nB\nc\n')).toBe('a\nB\nc\n');
    expect(cleanText('a\nb\nc\n', 'A\nb\nc\n', 'a\nb\nc\n')).toBe('A\nb\nc\n');
  });

  it('takes both when they are apart, and one when they are the same', () => {
    expect(cleanText('a\nb\nc\nd\n', 'A\nb\nc\nd\n', 'a\nb\nc\nD\n')).toBe('A\nb\nc\nD\n');
    expect(cleanText('a\nb\nc\n', 'a\nX\nc\n', 'a\nX\nc\n')).toBe('a\nX\nc\n');
    expect(cleanText('a\nb\nc\nd\n', 'a\nX\nc\nd\n', 'a\nX\nc\nD\n')).toBe('a\nX\nc\nD\n');
  });

  it('keeps line ends and a missing last one to the byte', () => {
    expect(cleanText('a\r\nb\r\nc\nd', 'A\r\nb\r\nc\nd', 'a\r\nb\r\nc\nD')).toBe('A\r\nb\r\nc\nD');
    expect(cleanText('a\nb\nc', 'A\nb\nc', 'a\nb\nc\n')).toBe('A\nb\nc\n');
    const latin = Buffer.from([0xe9, 10, 98, 10, 99, 10]);
    const mine = Buffer.from([0xe9, 10, 98, 10, 99, 10, 0xff, 10]);
    const theirs = Buffer.from([0xe8, 10, 98, 10, 99, 10]);
    const merged = merge3(latin, mine, theirs);
    expect(merged.clean && [...merged.bytes]).toEqual([0xe8, 10, 98, 10, 99, 10, 0xff, 10]);
  });

  it('sees a conflict where only a line end differs', () => {
    expect(merge('a\nb\nc\n', 'a\nb\r\nc\n', 'a\nB\nc\n').clean).toBe(false);
  });

  it('calls changes that touch a conflict, and says where it is', () => {
    const merged = merge('a\nb\nc\nd\ne\n', 'a\nB\nc\nd\ne\n', 'a\nb\nC\nd\ne\n');
    expect(merged).toMatchObject({
      clean: false,
      reason: 'text',
      conflicts: [
        { base: { start: 1, lines: 2 }, mine: { start: 1, lines: 2 }, theirs: { start: 1, lines: 2 } },
      ],
    });
  });

  it('does not choose among lines that are all alike', () => {
    expect(merge('x\nx\nx\nx\n', 'x\nx\nx\n', 'x\nx\nY\nx\nx\n').clean).toBe(false);
  });

  it('writes markers on lines of their own, with the line ends of the file', () => {
    const merged = merge('a\r\nb', 'a\r\nB', 'a\r\nC');
    expect(!merged.clean && merged.withMarkers?.toString()).toBe(
      "a\r\n<<<<<<< mine (the project)\r\nB\r\n=======\r\nC\r\n>>>>>>> theirs (the agent's)\r\n",
    );
  });

  it('leaves lines that both sides agree on out of the markers', () => {
    const merged = merge('', 'same\nmine\nend\n', 'same\ntheirs\nend\n');
    expect(!merged.clean && merged.withMarkers?.toString()).toBe(
      "same\n<<<<<<< mine (the project)\nmine\n=======\ntheirs\n>>>>>>> theirs (the agent's)\nend\n",
    );
  });

  it('takes binary files whole or not at all', () => {
    expect(cleanText('\0a', '\0a', '\0b')).toBe('\0b');
    expect(merge('\0a\nx\ny\n', '\0b\nx\ny\n', '\0a\nx\nz\n')).toEqual({
      clean: false,
      reason: 'binary',
      withMarkers: undefined,
      conflicts: [],
    });
  });

  it('gives up on files made to take long', () => {
    const alike = (n: number, extra: string) => Buffer.from(`${'a\n'.repeat(n)}${extra}`);
    expect(merge3(alike(20_000, ''), alike(20_001, 'x\n'), alike(20_003, 'y\n'))).toMatchObject({
      reason: 'too-large',
    });
    const empty = (n: number) => Buffer.alloc(n, 10);
    expect(merge3(empty(5 << 20), empty((5 << 20) - 1), empty((5 << 20) + 1))).toMatchObject({
      reason: 'too-large',
    });
    const long = (text: string) => Buffer.alloc((8 << 20) + 1, text);
    expect(merge3(long('ab'), long('cd'), long('ef'))).toMatchObject({ reason: 'too-large' });
  });

  it('merges a long file with many changes on both sides', () => {
    const text = (change: (n: number) => string | undefined) =>
      Array.from({ length: 5000 }, (_, n) => change(n) ?? (n % 7 === 0 ? '}\n' : `line ${n}\n`)).join('');
    const mine = (n: number) => (n % 500 === 9 ? 'mine\n' : undefined);
    const theirs = (n: number) => (n % 500 === 300 ? 'theirs\n' : undefined);
    expect(
      cleanText(
        text(() => undefined),
        text(mine),
        text(theirs),
      ),
    ).toBe(text((n) => mine(n) ?? theirs(n)));
  });
});

const line = (letters: string): fc.Arbitrary<string> =>
  fc.constantFrom(...letters).chain((c) => fc.constantFrom(`${c}\n`, `${c}\n`, `${c}\n`, `${c}\r\n`));
type Change = { at: number; remove: number; add: string[] };

/** A file and two edited copies, each perhaps without its last line end. */
function three(letters: string, maxLength: number): fc.Arbitrary<Three> {
  const change: fc.Arbitrary<Change> = fc.record({
    at: fc.nat(maxLength),
    remove: fc.nat(2),
    add: fc.array(line(letters), { maxLength: 2 }),
  });
  const finish = (lines: string[], isCut: boolean) =>
    isCut ? lines.join('').replace(/\r?\n$/, '') : lines.join('');
  const cut = fc.nat(6).map((n) => n === 0);
  const changes = fc.array(change, { maxLength: 3 });
  return fc
    .tuple(fc.array(line(letters), { maxLength }), changes, changes, cut, cut, cut)
    .map(([lines, mine, theirs, ...cuts]) => {
      const edited = (all: Change[]) =>
        all.reduce((now, c) => now.toSpliced(c.at % (now.length + 1), c.remove, ...c.add), lines);
      return [finish(lines, cuts[0]), finish(edited(mine), cuts[1]), finish(edited(theirs), cuts[2])];
    });
}

describe('merge3 beside git merge-file', { timeout: 120_000 }, () => {
  const agree = (folder: string, files: Three): void => {
    const ours = merge(...files);
    const git = gitMerge(folder, files);
    if (ours.clean)
      expect({ isClean: git.isClean, text: git.text }).toEqual({
        isClean: true,
        text: ours.bytes.toString(),
      });
  };

  it('is never clean where git sees a conflict, and clean with the same bytes, among few kinds of lines', () => {
    const folder = temporaryFolder();
    fc.assert(
      fc.property(three('abc', 12), (files) => agree(folder, files)),
      { numRuns: 250 },
    );
  });

  it('is clean exactly where git is when every line is another', () => {
    const folder = temporaryFolder();
    const lines = Array.from({ length: 20 }, (_, n) => `line ${n}\n`);
    const place = fc.nat(19);
    const kind = fc.constantFrom('change', 'remove', 'insert');
    const edit = (at: number, how: string, word: string) =>
      lines.toSpliced(at, how === 'insert' ? 0 : 1, ...(how === 'remove' ? [] : [`${word}\n`])).join('');
    fc.assert(
      fc.property(place, kind, place, kind, (a, howA, b, howB) => {
        const files: Three = [lines.join(''), edit(a, howA, 'mine'), edit(b, howB, 'theirs')];
        const ours = merge(...files);
        const git = gitMerge(folder, files);
        expect(ours.clean).toBe(git.isClean);
        expect((ours.clean ? ours.bytes : ours.withMarkers)?.toString()).toBe(git.text);
      }),
      { numRuns: 200 },
    );
  });
});

/** Every longest common subsequence, as lists of index pairs. Exponential: for short lists only. */
function allLongest(a: number[], b: number[], i = 0, j = 0): [number, number][][] {
  if (i === a.length || j === b.length) return [[]];
  const found = [...allLongest(a, b, i + 1, j), ...allLongest(a, b, i, j + 1)];
  if (a[i] === b[j])
    found.push(...allLongest(a, b, i + 1, j + 1).map((rest) => [[i, j] as [number, number], ...rest]));
  const most = Math.max(...found.map((one) => one.length));
  return [
    ...new Map(found.filter((one) => one.length === most).map((one) => [JSON.stringify(one), one])).values(),
  ];
}

describe('findEdits', () => {
  it('claims as kept only what every shortest alignment keeps', () => {
    const list = fc.array(fc.nat(2), { maxLength: 6 });
    fc.assert(
      fc.property(list, list, (a, b) => {
        const edits = findEdits(a, b) ?? [];
        const claimed: string[] = [];
        let shift = 0;
        for (let at = 0; at < a.length; at++) {
          const edit = edits.find(({ from, to }) => from <= at && at < to);
          for (const each of edits) if (each.to <= at) shift = each.sideTo - each.to;
          if (edit === undefined) claimed.push(`${at}-${at + shift}`);
        }
        const everywhere = allLongest(a, b);
        for (const pair of claimed) {
          expect(everywhere.every((one) => one.some(([x, y]) => `${x}-${y}` === pair))).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});
