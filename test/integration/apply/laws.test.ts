import { chmodSync, lstatSync, lutimesSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applyPlan } from '../../../src/apply/apply.ts';
import { redo, undo } from '../../../src/apply/undo.ts';
import { merge3 } from '../../../src/diff/merge3.ts';
import { bytesOf, type Entry, makeProject, modeOf, planItems, readTree, type Tree } from './fixture.ts';

const name = fc.constantFrom('a', 'b', 'c', 'D', 'é', 'x y');
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
const entry: fc.Arbitrary<Entry> = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom('one\n', 'two\n', 'three', '', '\0binary') },
  { weight: 2, arbitrary: fc.constantFrom('#!run\n', 'one\n').map((run) => ({ run })) },
  { weight: 1, arbitrary: fc.constantFrom('a', 'b/c', './D').map((link) => ({ link })) },
);

/** Any tree: of several entries that can't be together (a file and something below it) the first one stays. */
const tree: fc.Arbitrary<Tree> = fc.array(fc.tuple(path, entry), { maxLength: 12 }).map((pairs) => {
  const chosen: Tree = {};
  for (const [at, value] of pairs) {
    const taken = Object.keys(chosen);
    if (!taken.some((other) => other === at || other.startsWith(`${at}/`) || at.startsWith(`${other}/`))) {
      chosen[at] = value;
    }
  }
  return chosen;
});

/** Tree, permissions and times of every file. */
function fullState(root: string): Record<string, unknown> {
  const found = readTree(root);
  return Object.fromEntries(
    Object.entries(found).map(([at, value]) => {
      const stat = lstatSync(join(root, at));
      return [at, [value, stat.mode & 0o7777, stat.isDirectory() ? 0 : stat.mtimeMs]];
    }),
  );
}

function age(root: string, present: Tree): void {
  for (const [at, value] of Object.entries(present)) {
    const full = join(root, at);
    if (typeof value === 'string' && value.startsWith('t')) chmodSync(full, 0o640);
    lutimesSync(full, 1_200_000_000, 1_200_000_000);
  }
}

describe('apply and undo', { timeout: 180_000 }, () => {
  it('make the project the tree of the guest, and then exactly what it was', async () => {
    await fc.assert(
      fc.asyncProperty(tree, tree, async (before, after) => {
        const project = makeProject(before, after);
        age(project.root, before);
        const start = fullState(project.root);
        const items = planItems(before, after);
        const result = await applyPlan({ ...project, plan: { items } });
        expect(result).toMatchObject({ conflicts: [], refused: [], unchanged: [] });
        expect(readTree(project.root)).toEqual(after);
        for (const at of Object.keys(before)) {
          if (items.some((item) => item.path === at)) continue;
          expect(fullState(project.root)[at], `${at} was not touched`).toEqual(start[at]);
        }
        if (items.length === 0) return;
        await undo(project);
        expect(fullState(project.root)).toEqual(start);
        await redo(project);
        expect(readTree(project.root)).toEqual(after);
      }),
      { numRuns: 40 },
    );
  });

  it('touch no file that the host changed, and apply or leave each path as a whole', async () => {
    const scenario = fc.record({
      before: tree,
      after: tree,
      accepted: fc.array(fc.boolean(), { minLength: 24, maxLength: 24 }),
      edits: fc.array(fc.tuple(fc.nat({ max: 11 }), fc.boolean()), { maxLength: 3 }),
    });
    await fc.assert(
      fc.asyncProperty(scenario, async ({ before, after, accepted, edits }) => {
        const project = makeProject(before, after);
        for (const [index, isDeleted] of edits) {
          const at = Object.keys(before)[index];
          if (at === undefined || typeof before[at] !== 'string') continue;
          const full = join(project.root, at);
          if (isDeleted) rmSync(full, { force: true });
          else writeFileSync(full, 'edited by hand');
        }
        const host = readTree(project.root);
        const start = fullState(project.root);
        const items = planItems(before, after).filter((_, index) => accepted[index]);
        const result = await applyPlan({ ...project, plan: { items } });

        const now = readTree(project.root);
        const reported = [...result.applied, ...result.unchanged, ...result.conflicts, ...result.refused];
        expect(reported.length, 'each item is accounted for once').toBe(items.length);
        for (const item of items) {
          const at = item.path as string;
          const wanted = item.after && after[at];
          const isMerged = result.merged.some((one) => one.path === at);
          // The host's edit replaces all lines: only the exec bit can have been merged into it.
          if (isMerged) expect(shape(now[at])).toEqual([modeOf(wanted ?? ''), 'edited by hand']);
          else if (result.applied.includes(item.path)) expect(shape(now[at])).toEqual(shape(wanted));
          else expect(shape(now[at])).toEqual(shape(host[at]));
        }
        for (const at of Object.keys(host).filter((each) => !each.endsWith('/'))) {
          if (result.applied.some((applied) => applied === at)) continue;
          expect(now[at], `${at} was not to be touched`).toEqual(host[at]);
        }
        if (result.applied.length === 0) return;
        const undone = await undo(project);
        expect(undone.conflicts).toEqual([]);
        expect(Object.keys(fullState(project.root))).toEqual(Object.keys(start));
        expect(readTree(project.root)).toEqual(host);
      }),
      { numRuns: 40 },
    );
  });
});

/** Some lines, and two edits of them, each of a line or two. */
const drift = fc
  .tuple(
    fc.array(fc.constantFrom('a', 'b', 'c', '', '}'), { minLength: 1, maxLength: 14 }),
    fc.array(fc.tuple(fc.nat(13), fc.constantFrom('x', 'y', undefined)), { minLength: 1, maxLength: 2 }),
    fc.array(fc.tuple(fc.nat(13), fc.constantFrom('x', 'z', undefined)), { minLength: 1, maxLength: 2 }),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
  )
  .map(([lines, mine, theirs, end, isEnded]) => {
    const numbered = lines.map((line, at) => (at % 3 === 0 ? `${line}${at}` : line));
    const edit = (edits: [number, string | undefined][]) =>
      edits.reduce(
        (now, [at, line]) => now.toSpliced(at % (now.length + 1), 1, ...(line === undefined ? [] : [line])),
        numbered,
      );
    const text = (all: string[]) => all.join(end) + (isEnded ? end : '');
    return { base: text(numbered), mine: text(edit(mine)), theirs: text(edit(theirs)) };
  });

describe('apply to a host that drifted', { timeout: 180_000 }, () => {
  it('merges or leaves alone, does what is chosen, and undo restores what the host had', async () => {
    const choice = fc.constantFrom(undefined, 'mine', 'theirs', 'markers');
    await fc.assert(
      fc.asyncProperty(fc.array(drift, { minLength: 1, maxLength: 3 }), choice, async (files, chosen) => {
        const side = (which: 'base' | 'mine' | 'theirs'): Tree =>
          Object.fromEntries(files.map((file, at) => [`f${at}`, file[which]]));
        const project = makeProject(side('mine'), side('base'), side('theirs'));
        age(project.root, side('mine'));
        const start = fullState(project.root);
        const items = planItems(side('base'), side('theirs'));
        const options = { ...project, plan: { items }, ...(chosen && { choice: chosen }) };
        const result = await applyPlan(options as Parameters<typeof applyPlan>[0]);
        const now = readTree(project.root);
        for (const [at, { base, mine, theirs }] of files.entries()) {
          const merge = merge3(Buffer.from(base), Buffer.from(mine), Buffer.from(theirs));
          const marked = merge.clean ? '' : merge.withMarkers?.toString();
          const settled = { mine, theirs, markers: marked, none: mine }[chosen ?? 'none'];
          expect(now[`f${at}`]).toBe(merge.clean ? merge.bytes.toString() : settled);
        }
        if (chosen !== undefined) expect(result.conflicts).toEqual([]);
        if (result.record === undefined) return;
        await undo(project);
        expect(fullState(project.root)).toEqual(start);
        await redo(project);
        expect(readTree(project.root)).toEqual(now);
      }),
      { numRuns: 60 },
    );
  });
});

function shape(value: Entry | undefined): unknown {
  return value === undefined ? undefined : [modeOf(value), bytesOf(value).toString('latin1')];
}
