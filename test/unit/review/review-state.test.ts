import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Decision, formatDecisions, parseDecisions } from '../../../src/review/decision.ts';
import { planFromDecisions } from '../../../src/review/plan.ts';
import { type ReviewCounts, ReviewState } from '../../../src/review/review-state.ts';
import { changedLines, Repository } from './fixture.ts';

const TREE = 'f'.repeat(40);
const TWENTY = Array.from({ length: 20 }, (_, at) => `line ${at}\n`);
const edited = TWENTY.map((line, at) => (at === 2 || at === 17 ? `new ${at}\n` : line)).join('');

/** A rename with two hunks and a mode, a file, a file that carries a risk, and one that apply refuses. */
async function review(decisions: Decision[] = []) {
  const repository = new Repository();
  const changes = [
    repository.change('.git/config', 'a\n', 'b\n'),
    repository.change('package.json', '{}\n', '{"scripts":{"postinstall":"x"}}\n'),
    repository.change('src/a.ts', 'a\n', 'b\nc\n'),
    repository.change('to.ts', TWENTY.join(''), { bytes: edited, mode: '100755' }, 'from.ts'),
  ];
  const items = await repository.items(...changes);
  const hunksOf = (path: string) => {
    const change = changes.find((each) => each.path === path);
    if (change === undefined) throw new Error(path);
    return { hunks: repository.hunks(change), list: repository.textHunks(change) };
  };
  return { repository, items, hunksOf, state: new ReviewState(items, { tree: TREE, decisions }) };
}

/** The counts as a walk over all items finds them. */
function recount(state: ReviewState): ReviewCounts {
  const counts = { files: state.items.length, undecided: 0, accepted: 0, rejected: 0, partial: 0 };
  for (const { change } of state.items) counts[state.statusOf(change.path)] += 1;
  return counts;
}

describe('a review', () => {
  it('decides whole files, keeps comments, and accepts nothing that apply refuses', async () => {
    const { state } = await review();
    expect(state.counts).toEqual({ files: 4, undecided: 4, accepted: 0, rejected: 0, partial: 0 });
    state.comment('src/a.ts', 'why?');
    expect(state.statusOf('src/a.ts')).toBe('undecided');
    expect(state.decide(['.git/config', 'src/a.ts', 'to.ts'], 'accept')).toEqual(['.git/config']);
    expect(state.decisions).toEqual([
      { path: 'src/a.ts', decision: 'accept', comment: 'why?' },
      { path: 'to.ts', decision: 'accept' },
    ]);
    state.decide(['.git/config'], 'reject');
    state.decide(['src/a.ts'], 'undecided');
    expect(state.decisionOf('src/a.ts')).toEqual({
      path: 'src/a.ts',
      decision: 'partial',
      hunks: [],
      comment: 'why?',
    });
    expect(state.counts).toEqual({ files: 4, undecided: 2, accepted: 1, rejected: 1, partial: 0 });
    state.comment('src/a.ts', '');
    expect(state.decisionOf('src/a.ts')).toBeUndefined();
  });

  it('decides parts, and sees when they are all decided alike', async () => {
    const { state, hunksOf } = await review();
    const { hunks, list } = hunksOf('to.ts');
    const [first, second] = list.map(({ id }) => id);
    if (!first || !second) throw new Error('two hunks');
    state.decidePart('to.ts', hunks, { hunk: second }, 'accept');
    state.decidePart('to.ts', hunks, { hunk: first }, 'accept');
    expect(state.statusOf('to.ts')).toBe('accepted');
    state.decidePart('to.ts', hunks, 'rename', 'undecided');
    expect(state.statusOf('to.ts')).toBe('partial');
    expect(state.decisionOf('to.ts')).toEqual({
      path: 'to.ts',
      decision: 'partial',
      hunks: [
        { hunk: first, decision: 'accept' },
        { hunk: second, decision: 'accept' },
      ],
      mode: 'accept',
    });
    state.decidePart('to.ts', hunks, 'rename', 'accept');
    expect(state.decisionOf('to.ts')).toEqual({ path: 'to.ts', decision: 'accept' });
    state.decidePart('to.ts', hunks, { hunk: first }, 'reject');
    expect(state.decisionOf('to.ts')).toMatchObject({
      decision: 'partial',
      hunks: [{ decision: 'reject' }, { decision: 'accept' }],
      mode: 'accept',
      rename: 'accept',
    });
    state.decide(['to.ts'], 'reject');
    state.comment('to.ts', 'no', { hunks, hunk: first });
    expect(state.statusOf('to.ts')).toBe('rejected');
    for (const hunk of [first, second]) state.decidePart('to.ts', hunks, { hunk }, 'undecided');
    state.comment('to.ts', '', { hunks, hunk: first });
    state.decidePart('to.ts', hunks, 'mode', 'undecided');
    state.decidePart('to.ts', hunks, 'rename', 'undecided');
    expect(state.decisionOf('to.ts')).toBeUndefined();
  });

  it('decides mode and new name with the last hunk, unless they are decided already', async () => {
    const { state, hunksOf } = await review();
    const { hunks, list } = hunksOf('to.ts');
    const [first, second] = list.map(({ id }) => id);
    if (!first || !second) throw new Error('two hunks');
    state.decidePart('to.ts', hunks, { hunk: first }, 'accept');
    expect(state.decisionOf('to.ts')).not.toHaveProperty('rename');
    state.decidePart('to.ts', hunks, 'mode', 'reject');
    state.decidePart('to.ts', hunks, { hunk: second }, 'accept');
    expect(state.decisionOf('to.ts')).toMatchObject({ mode: 'reject', rename: 'accept' });
    state.undo();
    expect(state.decisionOf('to.ts')).not.toHaveProperty('rename');
    state.decide(['to.ts'], 'undecided');
    for (const hunk of [first, second]) state.decidePart('to.ts', hunks, { hunk }, 'reject');
    expect(state.decisionOf('to.ts')).toEqual({ path: 'to.ts', decision: 'reject' });
  });

  it('decides lines and edits', async () => {
    const { state, hunksOf } = await review();
    const { hunks, list } = hunksOf('src/a.ts');
    const [hunk] = list;
    if (!hunk) throw new Error('one hunk');
    const lines = changedLines(hunk);
    const decide = (choice: Parameters<ReviewState['decidePart']>[3]) =>
      state.decidePart('src/a.ts', hunks, { hunk: hunk.id }, choice);
    decide({ lines: lines.slice(1).toReversed() });
    expect(state.decisionOf('src/a.ts')).toMatchObject({
      hunks: [{ decision: 'lines', lines: lines.slice(1) }],
    });
    decide({ lines });
    expect(state.statusOf('src/a.ts')).toBe('accepted');
    decide({ lines: [] });
    expect(state.statusOf('src/a.ts')).toBe('rejected');
    decide({ edit: Buffer.from('mine\n') });
    expect(state.decisionOf('src/a.ts')).toMatchObject({
      hunks: [{ decision: 'edit', new: { text: 'mine\n' } }],
    });
    expect(() => decide({ lines: [99] })).toThrow(expect.objectContaining({ code: 'bug' }));
    expect(() => state.decidePart('src/a.ts', hunks, 'rename', 'accept')).toThrow(
      expect.objectContaining({ code: 'bug' }),
    );
    const refused = hunksOf('.git/config');
    expect(() =>
      state.decidePart('.git/config', refused.hunks, { hunk: refused.list[0]?.id ?? '' }, 'accept'),
    ).toThrow(expect.objectContaining({ code: 'apply/refused' }));
  });

  it('keeps what to do in a conflict, whatever else is decided', async () => {
    const { state } = await review();
    state.decideConflict('src/a.ts', { onConflict: 'edit', resolution: { text: 'both\n' } });
    state.decide(['src/a.ts'], 'accept');
    expect(state.decisions).toEqual([
      { path: 'src/a.ts', decision: 'accept', onConflict: 'edit', resolution: { text: 'both\n' } },
    ]);
    state.decideConflict('src/a.ts', { onConflict: 'mine' });
    expect(state.decisions).toEqual([{ path: 'src/a.ts', decision: 'accept', onConflict: 'mine' }]);
    state.decideConflict('src/a.ts', {});
    expect(state.decisions).toEqual([{ path: 'src/a.ts', decision: 'accept' }]);
  });

  it('saves nothing that could not be read again', async () => {
    const { state } = await review();
    expect(() => state.decideConflict('src/a.ts', { onConflict: 'edit' })).toThrow(
      expect.objectContaining({ code: 'bug' }),
    );
    expect(() => state.decideConflict('src/a.ts', { resolution: { text: 'x' } })).toThrow(
      expect.objectContaining({ code: 'bug' }),
    );
    state.comment('src/a.ts', 'x'.repeat(20_000));
    const { decisions } = parseDecisions(formatDecisions(state.toFile()), 'd.json');
    expect(decisions[0]?.comment?.length).toBe(10_000);
  });

  it('shows what a filter lets through', async () => {
    const { state } = await review();
    const shown = (filter: ReviewState['filter']) => {
      state.filter = filter;
      return state.visible.map(({ change }) => change.path);
    };
    expect(shown({})).toHaveLength(4);
    expect(shown({ text: 'FROM' })).toEqual(['to.ts']);
    expect(shown({ risk: true })).toEqual(expect.arrayContaining(['.git/config', 'package.json', 'to.ts']));
    expect(shown({ risk: 'becomes EXECUTABLE' })).toEqual(['to.ts']);
    expect(shown({ paths: new Set(['src/a.ts', 'to.ts']), text: '.ts' })).toEqual(['src/a.ts', 'to.ts']);
    expect(shown({ status: 'accepted' })).toEqual([]);
    state.decide(['src/a.ts'], 'accept');
    expect(state.visible.map(({ change }) => change.path)).toEqual(['src/a.ts']);
    state.undo();
    expect(state.visible).toEqual([]);
  });

  it('goes on from saved decisions, and names those about nothing', async () => {
    const gone = { path: 'gone', decision: 'accept' } as const;
    const kept = { path: 'src/a.ts', decision: 'reject' } as const;
    const { state } = await review([gone, kept]);
    expect(state.dropped).toEqual(['gone']);
    expect(state.toFile()).toEqual({ version: 1, tree: TREE, decisions: [kept] });
    expect(state.counts.rejected).toBe(1);
    expect(state.canUndo).toBe(false);
  });

  it('takes any steps back and forth again, with true counts, and what it saves can be read and planned', async () => {
    const { state, repository, items, hunksOf } = await review();
    const paths = items.map(({ change }) => change.path as string);
    const act = fc.record({
      kind: fc.constantFrom('whole', 'hunk', 'lines', 'edit', 'mode', 'rename', 'comment', 'undo', 'redo'),
      path: fc.constantFrom(...paths.slice(1)),
      choice: fc.constantFrom('accept', 'reject', 'undecided'),
      pick: fc.nat(50),
    });
    const run = ({ kind, path, choice, pick }: typeof act extends fc.Arbitrary<infer T> ? T : never) => {
      const { hunks, list } = hunksOf(path);
      const hunk = list[pick % list.length];
      if (hunk === undefined) return;
      const part = { hunk: hunk.id };
      const answer = choice as 'accept' | 'reject' | 'undecided';
      if (kind === 'undo') state.undo();
      else if (kind === 'redo') state.redo();
      else if (kind === 'whole') state.decide([path, paths[pick % 4] ?? path], answer);
      else if (kind === 'hunk') state.decidePart(path, hunks, part, answer);
      else if (kind === 'lines') {
        state.decidePart(path, hunks, part, {
          lines: changedLines(hunk).filter((at) => (at * 7 + pick) % 3 === 0),
        });
      } else if (kind === 'edit') state.decidePart(path, hunks, part, { edit: Buffer.from([pick, 255]) });
      else if (kind === 'comment')
        state.comment(path, pick % 3 === 0 ? '' : `c${pick}`, { hunks, hunk: hunk.id });
      else if (path === 'to.ts') state.decidePart(path, hunks, kind === 'mode' ? 'mode' : 'rename', answer);
    };
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 25 }), async (acts) => {
        while (state.undo());
        expect(state.decisions).toEqual([]);
        for (const each of acts) {
          run(each);
          expect(state.counts).toEqual(recount(state));
        }
        const end = state.decisions;
        let steps = 0;
        while (state.undo()) steps++;
        expect(state.decisions).toEqual([]);
        for (; steps > 0; steps--) state.redo();
        expect(state.decisions).toEqual(end);
        const text = formatDecisions(state.toFile());
        expect(parseDecisions(text, 'd.json').decisions).toEqual(end);
        await planFromDecisions(items, end, repository.readBlob);
      }),
    );
  });
});
