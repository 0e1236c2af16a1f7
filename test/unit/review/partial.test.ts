import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBinary } from '../../../src/base/is-binary.ts';
import type { Change } from '../../../src/diff/change-set.ts';
import type { PlanItem } from '../../../src/review/apply-plan.ts';
import type { Decision, HunkDecision } from '../../../src/review/decision.ts';
import { planFromDecisions } from '../../../src/review/plan.ts';
import { changedLines, Repository, type Side } from './fixture.ts';

const line = fc.constantFrom(
  'a\n',
  'b\n',
  'c\r\n',
  '\n',
  '\r',
  '\xe9\n',
  '\xff\xfe\n',
  ' x\n',
  '-y\n',
  '\\ z\n',
  'end',
);
const text = fc.array(line, { maxLength: 40 }).map((lines) => lines.join(''));

/** What the plan of one decision writes, as latin1 by path; null where it deletes. */
async function landing(repository: Repository, change: Change, decision: Omit<Decision, 'path'>) {
  const items = await repository.items(change);
  const plan = await planFromDecisions(
    items,
    [{ ...decision, path: change.path } as Decision],
    repository.readBlob,
  );
  const bytesOf = async ({ after }: PlanItem) => {
    if (after === undefined) return null;
    const bytes = plan.contents.get(after.oid) ?? (await repository.readBlob(after.oid));
    return { text: bytes.toString('latin1'), mode: after.mode };
  };
  return Object.fromEntries(
    await Promise.all(plan.items.map(async (item) => [item.path, await bytesOf(item)] as const)),
  );
}

const file = (content: string, mode = '100644') => ({ text: content, mode });
const executable = (bytes: string): Side => ({ bytes, mode: '100755' });
const part = (hunks: HunkDecision[], more: object = {}) => ({ decision: 'partial' as const, hunks, ...more });

const TWENTY = Array.from({ length: 20 }, (_, at) => `line ${at}\r\n`);
const edited = (...at: number[]) =>
  TWENTY.map((each, index) => (at.includes(index) ? `new ${index}\r\n` : each)).join('');

describe('a part of a change', () => {
  it('is right to the byte in a file of CRLF lines', async () => {
    const repository = new Repository();
    const change = repository.change('a', TWENTY.join(''), edited(2, 17));
    const [first, second] = repository.textHunks(change).map(({ id }) => id);
    if (!first || !second) throw new Error('two hunks');
    expect(await landing(repository, change, part([{ hunk: second, decision: 'accept' }]))).toEqual({
      a: file(edited(17)),
    });
    expect(
      await landing(
        repository,
        change,
        part([
          { hunk: first, decision: 'accept' },
          { hunk: second, decision: 'accept' },
        ]),
      ),
    ).toEqual({ a: file(edited(2, 17)) });
    expect(await landing(repository, change, part([{ hunk: first, decision: 'reject' }]))).toEqual({});
  });

  it('of every hunk and part is the whole change, of none is nothing, whatever the bytes', async () => {
    const side = fc.option(text, { nil: undefined });
    await fc.assert(
      fc.asyncProperty(side, side, fc.boolean(), async (before, after, isRenamed) => {
        fc.pre((before !== undefined || after !== undefined) && before !== after);
        const repository = new Repository();
        const from = isRenamed && before !== undefined && after !== undefined ? 'from' : undefined;
        const change = repository.change('to', before, after, from);
        const hunks = repository.hunks(change);
        const ids = hunks.kind === 'text' ? hunks.hunks.map(({ id }) => id) : [];
        const each = (decision: 'accept' | 'reject') => ids.map((hunk) => ({ hunk, decision }));
        const rename = (decision: 'accept' | 'reject') => (from === undefined ? {} : { rename: decision });
        const whole = await landing(repository, change, { decision: 'accept' });
        const parts = await landing(repository, change, part(each('accept'), rename('accept')));
        // An empty file that comes or goes has no hunk by which it could be taken in part.
        if (ids.length > 0 || from !== undefined) expect(parts).toEqual(whole);
        expect(await landing(repository, change, part(each('reject'), rename('reject')))).toEqual({});
        expect(await landing(repository, change, part([]))).toEqual({});
      }),
    );
  });

  it('and then the rest of it is the whole, to the byte', async () => {
    const ended = fc
      .array(
        line.filter((each) => each.endsWith('\n')),
        { maxLength: 40 },
      )
      .map((each) => each.join(''));
    await fc.assert(
      fc.asyncProperty(ended, ended, fc.infiniteStream(fc.boolean()), async (before, after, coins) => {
        fc.pre(before !== after);
        const repository = new Repository();
        const change = repository.change('a', before, after);
        const decisions = repository.textHunks(change).map((hunk): HunkDecision => {
          const lines = changedLines(hunk).filter(() => coins.next().value === true);
          return { hunk: hunk.id, decision: 'lines', lines };
        });
        const landed = (await landing(repository, change, part(decisions))).a;
        const middle = landed === undefined ? before : (landed?.text ?? '');
        // Every line of the middle is one of the old or the new file, in the order of each: nothing is torn or made up.
        expect(isBinary(Buffer.from(middle, 'latin1'))).toBe(false);
        const rest = repository.change('a', middle, after);
        if (middle !== after) {
          const all = repository.textHunks(rest).map(({ id }) => ({ hunk: id, decision: 'accept' as const }));
          expect(await landing(repository, rest, part(all))).toEqual({ a: file(after) });
        }
      }),
    );
  });

  it('keeps each single line that is not taken, wherever a line feed is missing', async () => {
    await fc.assert(
      fc.asyncProperty(text, text, fc.nat(), async (before, after, pick) => {
        const repository = new Repository();
        const change = repository.change('a', before, after);
        fc.pre(before !== after);
        const hunks = repository.textHunks(change);
        const hunk = hunks[pick % hunks.length];
        if (hunk === undefined) return;
        const lines = changedLines(hunk);
        const chosen = lines[pick % lines.length] ?? 0;
        const taken = part([{ hunk: hunk.id, decision: 'lines', lines: [chosen] }]);
        const landed = (await landing(repository, change, taken)).a;
        const linesOf = (bytes: string) => bytes.match(/[^\n]*\n|[^\n]+/g)?.length ?? 0;
        const expected = linesOf(before) + (hunk.lines[chosen]?.startsWith('+') ? 1 : -1);
        expect(linesOf(landed?.text ?? before)).toBe(expected);
      }),
    );
  });

  it('can be an edit, of bytes that are no UTF-8', async () => {
    const repository = new Repository();
    const change = repository.change('a', 'one\ntwo\nthree\n', 'one\nTWO\nthree\n');
    const [hunk] = repository.textHunks(change);
    if (!hunk) throw new Error('one hunk');
    const edit = (bytes: string) =>
      part([
        { hunk: hunk.id, decision: 'edit', new: { base64: Buffer.from(bytes, 'latin1').toString('base64') } },
      ]);
    expect(await landing(repository, change, edit('\xff\r\n'))).toEqual({ a: file('\xff\r\n') });
    expect(await landing(repository, change, edit('one\ntwo\nthree\n'))).toEqual({});
    expect(await landing(repository, change, edit(''))).toEqual({ a: file('') });
  });

  it('edits only what its hunk covers, and does not run into the next line', async () => {
    const repository = new Repository();
    const change = repository.change('a', TWENTY.join(''), edited(2));
    const [hunk] = repository.textHunks(change);
    if (!hunk) throw new Error('one hunk');
    const landed = await landing(
      repository,
      change,
      part([{ hunk: hunk.id, decision: 'edit', new: { text: 'x' } }]),
    );
    expect(landed.a).toEqual(file(`x\n${TWENTY.slice(6).join('')}`));
  });

  it('of a renamed file is the rename without the edits, or the edits without the rename', async () => {
    const repository = new Repository();
    const change = repository.change('to', 'a\nb\n', 'a\nc\n', 'from');
    const [hunk] = repository.textHunks(change).map(({ id }) => id);
    if (!hunk) throw new Error('one hunk');
    const taken: HunkDecision = { hunk, decision: 'accept' };
    expect(await landing(repository, change, part([], { rename: 'accept' }))).toEqual({
      from: null,
      to: file('a\nb\n'),
    });
    expect(await landing(repository, change, part([taken], { rename: 'reject' }))).toEqual({
      from: file('a\nc\n'),
    });
    expect(await landing(repository, change, part([taken]))).toEqual({ from: file('a\nc\n') });
    expect(await landing(repository, change, part([taken], { rename: 'accept' }))).toEqual({
      from: null,
      to: file('a\nc\n'),
    });
  });

  it('of content and mode is one without the other', async () => {
    const repository = new Repository();
    const change = repository.change('a', 'a\n', executable('b\n'));
    const [hunk] = repository.textHunks(change).map(({ id }) => id);
    if (!hunk) throw new Error('one hunk');
    const taken: HunkDecision = { hunk, decision: 'accept' };
    expect(await landing(repository, change, part([taken]))).toEqual({ a: file('b\n') });
    expect(await landing(repository, change, part([], { mode: 'accept' }))).toEqual({
      a: file('a\n', '100755'),
    });
    const added = repository.change('new', undefined, executable('x\ny\n'));
    const [whole] = repository.textHunks(added);
    if (!whole) throw new Error('one hunk');
    const lines: HunkDecision = { hunk: whole.id, decision: 'lines', lines: [1] };
    expect(await landing(repository, added, part([lines]))).toEqual({ new: file('y\n') });
    expect(await landing(repository, added, part([lines], { mode: 'accept' }))).toEqual({
      new: file('y\n', '100755'),
    });
  });

  it('of a deletion leaves the lines that were not taken; only all of them make the file go', async () => {
    const repository = new Repository();
    const change = repository.change('a', 'x\ny\nz', undefined);
    const [hunk] = repository.textHunks(change);
    if (!hunk) throw new Error('one hunk');
    const take = (...lines: number[]) => part([{ hunk: hunk.id, decision: 'lines', lines }]);
    expect(await landing(repository, change, take(0, 2))).toEqual({ a: file('y\n') });
    expect(await landing(repository, change, take(0, 1, 2))).toEqual({ a: null });
  });

  it('takes a binary or a too large content as a whole, apart from mode and name', async () => {
    const repository = new Repository();
    const huge = (letter: string) => Buffer.alloc((8 << 20) + 1, `${letter.repeat(9999)}\n`);
    for (const [before, after] of [
      [Buffer.from('a\0'), Buffer.from('b\0')],
      [huge('a'), huge('b')],
    ] as const) {
      const change = repository.change('to', before, { bytes: after, mode: '100755' }, 'from');
      const hunks = repository.hunks(change);
      if (!('content' in hunks)) throw new Error(hunks.kind);
      const taken = part([{ hunk: hunks.content, decision: 'accept' }]);
      expect(await landing(repository, change, taken)).toEqual({ from: file(after.toString('latin1')) });
      const moved = part([], { rename: 'accept', mode: 'accept' });
      expect(await landing(repository, change, moved)).toEqual({
        from: null,
        to: file(before.toString('latin1'), '100755'),
      });
      const byLine = part([{ hunk: hunks.content, decision: 'lines', lines: [0] }]);
      await expect(landing(repository, change, byLine)).rejects.toMatchObject({ code: 'usage/bad-argument' });
    }
  });

  it('is refused where there is no such part', async () => {
    const repository = new Repository();
    const change = repository.change('a', 'a\n', 'b\n');
    const [hunk] = repository.textHunks(change);
    if (!hunk) throw new Error('one hunk');
    const link: Side = { bytes: 'b', mode: '120000' };
    for (const [wrong, decision] of [
      [change, part([{ hunk: '000000000000', decision: 'accept' }])],
      [change, part([{ hunk: hunk.id, decision: 'lines', lines: [7] }])],
      [change, part([], { mode: 'accept' })],
      [change, part([], { rename: 'accept' })],
      [repository.change('l', 'a\n', link), part([], { mode: 'accept' })],
      [repository.change('l', 'a\n', link), part([{ hunk: hunk.id, decision: 'accept' }])],
    ] as const) {
      await expect(landing(repository, wrong, decision)).rejects.toMatchObject({
        code: 'usage/bad-argument',
      });
    }
  });

  it('of what apply refuses is refused, unless nothing of it is taken', async () => {
    const repository = new Repository();
    const change = repository.change('.git/config', 'a\n', 'b\n');
    const [hunk] = repository.textHunks(change);
    if (!hunk) throw new Error('one hunk');
    const decide = (decision: 'accept' | 'reject') =>
      landing(repository, change, part([{ hunk: hunk.id, decision }]));
    await expect(decide('accept')).rejects.toMatchObject({ code: 'apply/refused' });
    expect(await decide('reject')).toEqual({});
  });
});

describe('the id of a hunk', () => {
  it('stays the same when other parts of the file change', () => {
    const repository = new Repository();
    const ids = (...at: number[]) =>
      repository.textHunks(repository.change('a', TWENTY.join(''), edited(...at))).map(({ id }) => id);
    expect(ids(2, 17)).toEqual([...ids(2), ...ids(17)]);
    expect(new Set([...ids(2), ...ids(17), ...ids(3)]).size).toBe(3);
    expect(ids(2, 17)).toEqual(ids(2, 17));
  });

  it('is another for the same lines at another place', () => {
    const repository = new Repository();
    const change = repository.change(
      'a',
      'x\n'.repeat(30),
      `${'x\n'.repeat(5)}y\n${'x\n'.repeat(20)}y\n${'x\n'.repeat(5)}`,
    );
    const ids = repository.textHunks(change).map(({ id }) => id);
    expect(ids.length).toBe(2);
    expect(new Set(ids).size).toBe(2);
  });
});

describe('a choice for a conflict', () => {
  it('goes into the plan, with its bytes', async () => {
    const repository = new Repository();
    const change = repository.change('a', 'a\n', 'b\n');
    const items = await repository.items(change);
    const choice = { onConflict: 'edit', resolution: { text: 'both\n' } } as const;
    const plan = await planFromDecisions(
      items,
      [{ path: 'a', decision: 'accept', ...choice }],
      repository.readBlob,
    );
    const { onConflict, resolution } = plan.items[0] ?? {};
    expect(onConflict).toBe('edit');
    expect(plan.contents.get(resolution?.oid ?? '')?.toString()).toBe('both\n');
    const mine = [{ path: 'a', decision: 'accept', onConflict: 'mine' } as const];
    expect((await planFromDecisions(items, mine, repository.readBlob)).items[0]).toMatchObject({
      onConflict: 'mine',
    });
  });
});
