import { chmodSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ApplyOptions, applyPlan, previewPlan } from '../../../src/apply/apply.ts';
import { previewUndo, redo, undo } from '../../../src/apply/undo.ts';
import type { RelPath } from '../../../src/base/path-bytes.ts';
import type { PlanItem } from '../../../src/review/apply-plan.ts';
import { bytesOf, makeProject, oidOf, planItems, readTree, sha256Of, type Tree } from './fixture.ts';

const BASE = 'one\ntwo\nthree\nfour\nfive\n';
const MINE = 'ONE\ntwo\nthree\nfour\nfive\n';
const THEIRS = 'one\ntwo\nthree\nfour\nFIVE\n';
const BOTH = 'ONE\ntwo\nthree\nfour\nFIVE\n';
const CLASH = 'one\ntwo\nthree\nfour\nfünf\n';
const MARKED =
  "one\ntwo\nthree\nfour\n<<<<<<< mine (the project)\nfünf\n=======\nFIVE\n>>>>>>> theirs (the agent's)\n";

/** A project that was `base` when the session began and holds `mine` by now, and the plan that leads from base to theirs. */
function drifted(base: Tree, mine: Tree, theirs: Tree, renames: Record<string, string> = {}) {
  const project = makeProject(mine, base, theirs);
  const items = planItems(base, theirs, renames);
  const options: ApplyOptions = { ...project, plan: { items } };
  return { project, items, options };
}

const withoutLedger = ({ readBlob: _, ...project }: ReturnType<typeof makeProject>) => project;

/** The same item with what to do about a conflict. */
const choosing = (items: readonly PlanItem[], onConflict: PlanItem['onConflict']): PlanItem[] =>
  items.map((item) => ({ ...item, ...(onConflict && { onConflict }) }));

describe('a file that changed on the host and in the guest', () => {
  it('gets both changes where they are apart, and is named', async () => {
    const { project, options } = drifted({ a: BASE, b: '1' }, { a: MINE, b: '1' }, { a: THEIRS, b: '2' });
    const preview = await previewPlan(options);
    expect(preview.merged).toEqual([
      { path: 'a', mine: sha256Of(bytesOf(MINE)), result: sha256Of(bytesOf(BOTH)) },
    ]);
    const result = await applyPlan({ ...options, shown: preview.shown });
    expect(result).toMatchObject({ conflicts: [], applied: ['a', 'b'], merged: preview.merged });
    expect(readTree(project.root)).toEqual({ a: BOTH, b: '2' });
  });

  it('keeps line ends and a missing last one through a merge', async () => {
    const crlf = (text: string) => text.replaceAll('\n', '\r\n').replace(/\r\n$/, '');
    const { project, options } = drifted({ a: crlf(BASE) }, { a: crlf(MINE) }, { a: crlf(THEIRS) });
    await applyPlan(options);
    expect(readTree(project.root)).toEqual({ a: crlf(BOTH) });
  });

  it('is merged in its exec bit apart from its content', async () => {
    const { project, options } = drifted(
      { a: BASE, b: BASE, c: { run: BASE } },
      { a: { run: BASE }, b: { run: MINE }, c: BASE },
      { a: THEIRS, b: THEIRS, c: { run: THEIRS } },
    );
    const result = await applyPlan(options);
    expect(result.conflicts).toEqual([]);
    expect(readTree(project.root)).toEqual({ a: { run: THEIRS }, b: { run: BOTH }, c: THEIRS });
    await undo(project);
    expect(readTree(project.root)).toEqual({ a: { run: BASE }, b: { run: MINE }, c: BASE });
  });

  it('keeps a change of the host when only the exec bit was changed by the guest', async () => {
    const { project, options } = drifted({ a: BASE }, { a: MINE }, { a: { run: BASE } });
    await applyPlan(options);
    expect(readTree(project.root)).toEqual({ a: { run: MINE } });
  });

  it('is done already when the host holds all of it', async () => {
    const { options } = drifted({ a: BASE }, { a: BOTH }, { a: THEIRS });
    expect(await applyPlan(options)).toMatchObject({ applied: [], unchanged: ['a'], merged: [] });
  });

  it('keeps the permissions of the host', async () => {
    const { project, options } = drifted({ a: BASE }, { a: MINE }, { a: THEIRS });
    chmodSync(join(project.root, 'a'), 0o640);
    await applyPlan(options);
    expect(statSync(join(project.root, 'a')).mode & 0o7777).toBe(0o640);
  });

  it('takes its change along when the guest renamed it', async () => {
    const { project, options } = drifted({ a: BASE }, { a: MINE }, { 'd/b': THEIRS }, { a: 'd/b' });
    const result = await applyPlan(options);
    expect(result).toMatchObject({ conflicts: [], merged: [{ path: 'd/b', from: 'a' }] });
    expect(readTree(project.root)).toEqual({ 'd/b': BOTH });
    await undo(project);
    expect(readTree(project.root)).toEqual({ a: MINE });
  });

  it('is merged at its new name when it was moved on the host already', async () => {
    const { project, options } = drifted({ a: BASE }, { b: MINE }, { b: THEIRS }, { a: 'b' });
    const result = await applyPlan(options);
    expect(result).toMatchObject({ applied: ['b'], conflicts: [] });
    expect(readTree(project.root)).toEqual({ b: BOTH });
    await undo(project);
    expect(readTree(project.root)).toEqual({ b: MINE });
  });

  it('conflicts again when it changed after the merge was shown', async () => {
    const { project, options } = drifted({ a: BASE }, { a: MINE }, { a: THEIRS });
    const { shown } = await previewPlan(options);
    const later = MINE.replace('three', 'THREE');
    writeFileSync(join(project.root, 'a'), later);
    const result = await applyPlan({ ...options, shown, choice: 'theirs' });
    expect(result).toMatchObject({ applied: [], conflicts: [{ path: 'a' }] });
    expect(readTree(project.root)).toEqual({ a: later });
  });

  it('conflicts when it only changed after the preview', async () => {
    const { project, options } = drifted({ a: BASE }, { a: BASE }, { a: THEIRS });
    const { shown } = await previewPlan(options);
    writeFileSync(join(project.root, 'a'), MINE);
    expect((await applyPlan({ ...options, shown })).conflicts).toHaveLength(1);
    expect(readTree(project.root)).toEqual({ a: MINE });
  });
});

describe('a conflict', () => {
  const clash = () => drifted({ a: BASE, b: '1' }, { a: CLASH, b: '1' }, { a: THEIRS, b: '2' });

  it('leaves its path alone and the rest is applied; both sides are told', async () => {
    const { project, options } = clash();
    const result = await applyPlan(options);
    expect(result.applied).toEqual(['b']);
    expect(result.conflicts).toMatchObject([
      {
        path: 'a',
        base: { kind: 'file', oid: oidOf(bytesOf(BASE)) },
        mine: { kind: 'file', sha256: sha256Of(bytesOf(CLASH)) },
        theirs: { kind: 'file', sha256: sha256Of(bytesOf(THEIRS)) },
        choices: ['mine', 'theirs', 'markers', 'edit'],
      },
    ]);
    expect(readTree(project.root)).toEqual({ a: CLASH, b: '2' });
  });

  it.each([
    ['mine', CLASH],
    ['theirs', THEIRS],
    ['markers', MARKED],
  ] as const)('is settled by choosing %s, and undo brings back what the host had', async (choice, text) => {
    const { project, items, options } = clash();
    utimesSync(join(project.root, 'a'), 1_000_000_000, 1_000_000_000);
    const result = await applyPlan({ ...options, plan: { items: choosing(items, choice) } });
    expect(result.conflicts).toEqual([]);
    expect(result.kept).toEqual(choice === 'mine' ? ['a'] : []);
    expect(result.marked).toEqual(choice === 'markers' ? ['a'] : []);
    expect(readTree(project.root)).toEqual({ a: text, b: '2' });
    await undo(project);
    expect(readTree(project.root)).toEqual({ a: CLASH, b: '1' });
    expect(statSync(join(project.root, 'a')).mtimeMs).toBe(1_000_000_000_000);
    await redo(project);
    expect(readTree(project.root)).toEqual({ a: text, b: '2' });
  });

  it('is settled by what a person made of it', async () => {
    const { project, items, options } = clash();
    const bytes = Buffer.from('by hand\n');
    const resolution = { mode: '100644' as const, oid: oidOf(bytes), sha256: sha256Of(bytes) };
    const edited = choosing(items, 'edit').map((item) => ({ ...item, resolution }));
    const contents = new Map([[resolution.oid, bytes]]);
    const readBlob = async (oid: string) => contents.get(oid) ?? options.readBlob(oid);
    await applyPlan({ ...options, readBlob, plan: { items: edited, contents } });
    expect(readTree(project.root)).toEqual({ a: 'by hand\n', b: '2' });
  });

  it('of a file that the host edited and the guest deleted is decided by choice only', async () => {
    const { project, items, options } = drifted({ a: BASE }, { a: MINE }, {});
    expect((await applyPlan(options)).conflicts).toMatchObject([{ choices: ['mine', 'theirs'] }]);
    expect(readTree(project.root)).toEqual({ a: MINE });
    await applyPlan({ ...options, plan: { items: choosing(items, 'theirs') } });
    expect(readTree(project.root)).toEqual({});
    await undo(project);
    expect(readTree(project.root)).toEqual({ a: MINE });
  });

  it('of a file that the host deleted and the guest edited is decided by choice only', async () => {
    const { project, items, options } = drifted({ 'd/a': BASE }, {}, { 'd/a': THEIRS });
    expect((await applyPlan(options)).conflicts).toMatchObject([{ path: 'd/a' }]);
    await applyPlan({ ...options, plan: { items: choosing(items, 'theirs') } });
    expect(readTree(project.root)).toEqual({ 'd/a': THEIRS });
    await undo(project);
    expect(readTree(project.root)).toEqual({});
  });

  it('is none when both sides deleted or added the same', async () => {
    const { project, options } = drifted({ a: BASE }, { n: 'new\n' }, { n: 'new\n' });
    expect(await applyPlan(options)).toMatchObject({ applied: [], conflicts: [] });
    expect(readTree(project.root)).toEqual({ n: 'new\n' });
  });

  it('of two new files can be written with markers around what differs', async () => {
    const { project, items, options } = drifted({}, { n: 'same\nmine\n' }, { n: 'same\ntheirs\n' });
    expect((await applyPlan(options)).conflicts).toHaveLength(1);
    await applyPlan({ ...options, plan: { items: choosing(items, 'markers') } });
    expect(readTree(project.root)).toEqual({
      n: "same\n<<<<<<< mine (the project)\nmine\n=======\ntheirs\n>>>>>>> theirs (the agent's)\n",
    });
  });

  it('of binary files and of symlinks has no markers', async () => {
    const { options } = drifted(
      { bin: '\0base', link: { link: 'a' } },
      { bin: '\0mine', link: { link: 'b' } },
      { bin: '\0theirs', link: { link: 'c' } },
    );
    const { conflicts } = await applyPlan({ ...options, choice: 'markers' });
    expect(conflicts.map(({ path, choices }) => [path, choices])).toEqual([
      ['bin', ['mine', 'theirs', 'edit']],
      ['link', ['mine', 'theirs']],
    ]);
  });

  it('keeps both halves of a rename together, whatever is chosen', async () => {
    const conflict = () => drifted({ a: BASE }, { a: CLASH }, { b: THEIRS }, { a: 'b' });
    const left = conflict();
    expect((await applyPlan(left.options)).applied).toEqual([]);
    expect(readTree(left.project.root)).toEqual({ a: CLASH });
    for (const [choice, after] of [
      ['mine', { a: CLASH }],
      ['theirs', { b: THEIRS }],
      ['markers', { b: MARKED }],
    ] as const) {
      const { project, items, options } = conflict();
      await applyPlan({ ...options, plan: { items: choosing(items, choice) } });
      expect(readTree(project.root)).toEqual(after);
    }
  });

  it('never replaces a file with hard links or a symlinked folder, whatever is chosen', async () => {
    const { project, options } = drifted({ 'd/a': BASE }, { 'e/a': MINE }, { 'd/a': THEIRS });
    symlinkSync('e', join(project.root, 'd'));
    const { conflicts } = await applyPlan({ ...options, choice: 'theirs' });
    expect(conflicts).toMatchObject([{ path: 'd/a', choices: [] }]);
    expect(readTree(project.root)).toEqual({ d: { link: 'e' }, 'e/a': MINE });
  });
});

describe('undo after the file was edited', () => {
  const applied = async (base: Tree, theirs: Tree, renames: Record<string, string> = {}) => {
    const made = drifted(base, base, theirs, renames);
    await applyPlan(made.options);
    return made;
  };

  it('takes back what was applied and keeps an edit that is apart from it', async () => {
    const { project, options } = await applied({ a: BASE }, { a: THEIRS });
    writeFileSync(join(project.root, 'a'), BOTH);
    const undoing = { ...project, readBlob: options.readBlob };
    expect((await previewUndo(undoing)).merged).toMatchObject([{ path: 'a' }]);
    await undo(undoing);
    expect(readTree(project.root)).toEqual({ a: MINE });
    await redo(undoing);
    expect(readTree(project.root)).toEqual({ a: BOTH });
  });

  it('leaves an edit of the same lines alone, and can be made to choose', async () => {
    const { project, options } = await applied({ a: BASE }, { a: THEIRS });
    writeFileSync(join(project.root, 'a'), CLASH);
    const undoing = { ...project, readBlob: options.readBlob };
    expect((await undo(undoing)).conflicts).toMatchObject([{ path: 'a' }]);
    expect(readTree(project.root)).toEqual({ a: CLASH });
    await undo({ ...undoing, choice: 'theirs' });
    expect(readTree(project.root)).toEqual({ a: BASE });
  });

  it('takes an edit back to the old name of a renamed file', async () => {
    const { project, options } = await applied({ a: BASE }, { b: THEIRS }, { a: 'b' });
    writeFileSync(join(project.root, 'b'), BOTH);
    await undo({ ...project, readBlob: options.readBlob });
    expect(readTree(project.root)).toEqual({ a: MINE });
  });

  it('needs no ledger to merge what was itself merged', async () => {
    const { project, options } = drifted({ a: BASE }, { a: MINE }, { a: THEIRS });
    await applyPlan(options);
    writeFileSync(join(project.root, 'a'), BOTH.replace('three', 'THREE'));
    await undo(withoutLedger(project));
    expect(readTree(project.root)).toEqual({ a: MINE.replace('three', 'THREE') });
  });

  it('names what can not be told from edits, without the ledger', async () => {
    const { project } = await applied({ a: BASE }, { a: THEIRS });
    writeFileSync(join(project.root, 'a'), BOTH);
    const result = await undo(withoutLedger(project));
    expect(result.conflicts.map(({ path }) => path as RelPath)).toEqual(['a']);
    rmSync(join(project.root, 'a'));
    expect((await undo(withoutLedger(project))).conflicts).toMatchObject([
      { path: 'a', reason: 'it is gone from the host' },
    ]);
  });
});
