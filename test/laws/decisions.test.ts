import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GIT_ENVIRONMENT } from '../../src/git/git-program.ts';
import { planFromDecisions } from '../../src/review/plan.ts';
import { decideAll } from '../../src/review/select.ts';
import { hold, timeFor } from '../support/law.ts';
import { performAll } from '../support/random-change.ts';
import { diceOf, selectAtRandom, takeEveryPart } from '../support/random-decisions.ts';
import { type Names, operationOf, type RandomTree, treeOf } from '../support/random-tree.ts';
import { contentsOf, picture, walk } from '../support/tree-on-disk.ts';
import { openTwoTrees } from '../support/two-trees.ts';

const LIMITS = { runs: 60, limitMs: 6_000 };

/** Few files and many edits, so that there is something to decide inside of a file. */
const piece = (names: Names) =>
  fc.record({
    base: treeOf(names, 5),
    operations: fc.array(operationOf(names), { minLength: 1, maxLength: 10 }),
    seed: fc.nat(),
  });

/** What git makes of a folder and a patch. */
function applyWithGit(folder: string, patch: Buffer): void {
  const options = { cwd: folder, env: { ...GIT_ENVIRONMENT } };
  if (patch.length === 0) return;
  execFileSync('git', ['apply', '--whitespace=nowarn', '-'], {
    ...options,
    input: patch,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

describe('decisions about any change set', { timeout: timeFor(LIMITS) }, () => {
  it('that accept every part of every file are those that accept every file', async () => {
    const law = fc.asyncProperty(piece('tame'), async ({ base, operations }) => {
      const { tree } = performAll(base, operations);
      await using trees = await openTwoTrees(base, tree);
      const whole = await planFromDecisions(trees.items, decideAll(trees.items, 'all'), trees.readBlob);
      const parts = await planFromDecisions(
        trees.items,
        await takeEveryPart(trees.items, trees.readBlob),
        trees.readBlob,
      );
      // A rename of the same bytes in the same mode has no part but its name.
      expect(parts.items).toEqual(whole.items);
      await trees.apply(await takeEveryPart(trees.items, trees.readBlob));
      expect(walk(trees.project)).toEqual(contentsOf(tree));
    });
    await hold('every part is the whole', law, LIMITS);
  });

  it('that reject everything, or nothing at all, change nothing', async () => {
    const law = fc.asyncProperty(piece('hostile'), async ({ base, operations }) => {
      await using trees = await openTwoTrees(base, performAll(base, operations).tree);
      const before = picture(trees.project);
      for (const decisions of [decideAll(trees.items, 'none'), []]) {
        const done = await trees.apply(decisions);
        expect([done.applied, done.conflicts, done.refused]).toEqual([[], [], []]);
        expect(picture(trees.project)).toEqual(before);
      }
    });
    await hold('rejecting everything is nothing', law, LIMITS);
  });

  it('about the lines of one file, with any line ends and none at the end, are what git makes of them', async () => {
    const file = fc.record({
      lines: fc.array(fc.constantFrom('a', 'b', 'c\r', ''), { maxLength: 24 }),
      isClosed: fc.boolean(),
    });
    const law = fc.asyncProperty(file, file, fc.nat(), async (old, now, seed) => {
      const treeWith = ({ lines, isClosed }: typeof old): RandomTree => {
        const text = lines.join('\n') + (isClosed ? '\n' : '');
        return new Map([['f', { kind: 'file', bytes: Buffer.from(text), executable: false }]]);
      };
      await using trees = await openTwoTrees(treeWith(old), treeWith(now));
      const { decisions, patch } = await selectAtRandom(trees.items, trees.readBlob, diceOf(seed));
      applyWithGit(trees.copy, patch);
      await trees.apply(decisions);
      expect(walk(trees.project)).toEqual(walk(trees.copy));
    });
    await hold('lines of one file are what git makes of them', law, { ...LIMITS, runs: 200 });
  });

  it('by file, hunk and line make of the project what git makes of the same selection as a patch, and undo takes it back', async () => {
    const law = fc.asyncProperty(piece('tame'), async ({ base, operations, seed }) => {
      const { tree } = performAll(base, operations);
      await using trees = await openTwoTrees(base, tree);
      const before = picture(trees.project);
      const { decisions, patch } = await selectAtRandom(trees.items, trees.readBlob, diceOf(seed));
      let judged: Map<string, string> | undefined;
      try {
        applyWithGit(trees.copy, patch);
        judged = walk(trees.copy);
      } catch (error) {
        // Where files, links and folders take each other's place git gives up, and has nothing to say.
        if (
          !/Is a directory|Not a directory|already exists|File exists|Directory not empty|beyond a symbolic link/.test(
            String(error),
          )
        )
          throw error;
      }
      const done = await trees.apply(decisions);
      if (judged !== undefined) {
        expect(done.conflicts).toEqual([]);
        expect(walk(trees.project)).toEqual(judged);
      }
      if (done.applied.length > 0) await trees.undo();
      expect(picture(trees.project)).toEqual(before);
    });
    await hold('a selection is what git makes of it', law, LIMITS);
  });

  it('that take some hunks first and then everything bring the whole', async () => {
    const law = fc.asyncProperty(piece('tame'), async ({ base, operations, seed }) => {
      const { tree } = performAll(base, operations);
      await using trees = await openTwoTrees(base, tree);
      const { decisions } = await selectAtRandom(trees.items, trees.readBlob, diceOf(seed), {
        byLine: false,
      });
      await trees.apply(decisions);
      const done = await trees.apply(decideAll(trees.items, 'all'));
      for (const { path } of done.conflicts) {
        // It is gone already, and the symlink that took its folder's place is not looked behind to see that.
        const isBehindLink = [...tree].some(
          ([above, file]) => file.kind === 'symlink' && path.startsWith(`${above}/`),
        );
        expect([path, isBehindLink]).toEqual([path, true]);
      }
      expect(walk(trees.project)).toEqual(contentsOf(tree));
    });
    await hold('some, then the rest, is all', law, LIMITS);
  });
});
