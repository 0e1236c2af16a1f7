import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { undo } from '../../src/apply/undo.ts';
import { decideAll } from '../../src/review/select.ts';
import { hold, timeFor } from '../support/law.ts';
import { performAll } from '../support/random-change.ts';
import { startOnTree } from '../support/random-session.ts';
import { isRelated, type Names, operationOf, treeOf } from '../support/random-tree.ts';
import { contentsOf, contentsOfLedger, differing, picture, walk } from '../support/tree-on-disk.ts';

const NEVER = new AbortController().signal;
const LIMITS = { runs: 20, limitMs: 8_000 };

/** A project and what an agent does to its copy. */
const piece = (names: Names) =>
  fc.record({
    base: treeOf(names),
    operations: fc.array(operationOf(names), { minLength: 1, maxLength: 8 }),
  });

describe('a session over any tree and any tool calls', () => {
  it.each(['tame', 'hostile'] as const)(
    'has, with %s names, an entry for each call that holds what the workspace held then',
    { timeout: timeFor(LIMITS) },
    async (names) => {
      const law = fc.asyncProperty(piece(names), async ({ base, operations }) => {
        const { tree, calls } = performAll(base, operations);
        await using played = await startOnTree(base, calls);
        await played.play();
        expect(played.failures).toEqual([]);
        expect(walk(played.workspace), 'the calls did what they were to do').toEqual(contentsOf(tree));
        const entries = await played.session.ledger.entries();
        expect(contentsOfLedger(await played.session.ledger.files(entries[0]?.tree ?? ''))).toEqual(
          contentsOf(base),
        );
        expect(played.moments.length).toBe(calls.length);
        for (const { seq, contents } of played.moments) {
          const entry = entries.find(({ trailers }) => trailers.seq === seq);
          expect(contentsOfLedger(await played.session.ledger.files(entry?.tree ?? ''))).toEqual(contents);
        }
        expect((await played.session.ledger.verify()).faults).toEqual([]);
      });
      await hold(`each entry is the workspace of its time, ${names} names`, law, LIMITS);
    },
  );

  it.each(['tame', 'hostile'] as const)(
    'brings, with %s names, the project to the guest’s tree, and names whatever can’t be brought; undo takes all of it back',
    { timeout: timeFor(LIMITS) },
    async (names) => {
      const law = fc.asyncProperty(piece(names), async ({ base, operations }) => {
        const { tree, calls } = performAll(base, operations);
        await using played = await startOnTree(base, calls);
        const before = picture(played.project);
        await played.play();
        const items = await played.session.changes();
        const done = await played.session.apply(items, decideAll(items, 'all'), NEVER);
        const left = differing(walk(played.project), contentsOf(tree));
        const refused = items.filter((item) => item.refused !== undefined).map(({ change }) => change);
        const named = refused.flatMap(({ path, from }) => (from === undefined ? [path] : [path, from]));
        const stuck = done.conflicts.map(({ path }) => path);
        for (const path of stuck) {
          const isInTheWay = named.some((other) => isRelated(other, path));
          expect([path, isInTheWay], 'only what is refused can be in the way').toEqual([path, true]);
        }
        const told = new Set<string>([...named, ...stuck]);
        expect(
          left.filter((path) => !told.has(path)),
          'left behind without a word',
        ).toEqual([]);
        if (names === 'tame') expect(left).toEqual([]);
        const after = picture(played.project);
        for (const [path, state] of before) {
          const isTouched = items.some(({ change }) => change.path === path || change.from === path);
          if (!isTouched && after.has(path)) expect([path, after.get(path)]).toEqual([path, state]);
        }
        if (done.applied.length > 0)
          await undo({
            root: played.project,
            stateDir: played.directories.state,
            session: played.session.id,
          });
        expect(picture(played.project)).toEqual(before);
      });
      await hold(`apply of all is the guest's tree, undo the host's, ${names} names`, law, LIMITS);
    },
  );
});
