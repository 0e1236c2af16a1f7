import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applyPlan, previewPlan } from '../../../src/apply/apply.ts';
import { redo, undo } from '../../../src/apply/undo.ts';
import { makeProject, planItems, readTree, type Tree } from './fixture.ts';

const BEFORE: Tree = {
  'src/main.ts': 'one\n',
  'src/old/gone.ts': 'gone\n',
  'bin/tool': 'tool\n',
  'docs/a.md': 'text\n',
  link: { link: 'src/main.ts' },
  turns: 'a file\n',
  'tree/leaf': 'a folder\n',
  untouched: 'same\n',
};
const AFTER: Tree = {
  'src/main.ts': 'two\n',
  'bin/tool': { run: 'tool\n' },
  'docs/b.md': 'text\n',
  'new/deep/file.bin': '\0\x01binary',
  link: { link: 'bin/tool' },
  'turns/into/a-folder': 'yes\n',
  tree: 'a file now\n',
  untouched: 'same\n',
};

describe('applyPlan', () => {
  it('makes the project what the plan says, whatever kind of change it is', async () => {
    const project = makeProject(BEFORE, AFTER);
    const plan = { items: planItems(BEFORE, AFTER, { 'docs/a.md': 'docs/b.md' }) };
    const result = await applyPlan({ ...project, plan });
    expect(result).toMatchObject({ conflicts: [], refused: [], unchanged: [] });
    expect(result.applied.length).toBe(plan.items.length);
    expect(readTree(project.root)).toEqual(AFTER);
  });

  it('does nothing the second time and says that it is done', async () => {
    const project = makeProject(BEFORE, AFTER);
    const plan = { items: planItems(BEFORE, AFTER) };
    await applyPlan({ ...project, plan });
    const again = await applyPlan({ ...project, plan });
    expect(again).toMatchObject({ applied: [], conflicts: [], refused: [], record: undefined });
    expect(again.unchanged.length).toBe(plan.items.length);
    expect(readTree(project.root)).toEqual(AFTER);
  });

  it('lists everything first without changing anything', async () => {
    const project = makeProject(BEFORE, AFTER);
    const preview = await previewPlan({ ...project, plan: { items: planItems(BEFORE, AFTER) } });
    expect(preview.actions).toContainEqual({ path: 'src/old/gone.ts', action: 'delete', bytes: 0 });
    expect(preview.actions).toContainEqual({ path: 'src/main.ts', action: 'replace', bytes: 4 });
    expect(preview.actions).toContainEqual({ path: 'docs/b.md', action: 'add', bytes: 5 });
    expect(preview.removedFolders).toContain('src/old');
    expect(preview.createdFolders).toEqual(expect.arrayContaining(['new', 'new/deep']));
    expect(readTree(project.root)).toEqual(BEFORE);
  });

  it('keeps permissions of existing files but for the exec bits, and gives new ones the usual', async () => {
    const project = makeProject(
      { secret: 'x', plain: 'x' },
      { secret: 'y', plain: { run: 'x' }, fresh: { run: 'z' } },
    );
    chmodSync(join(project.root, 'secret'), 0o600);
    chmodSync(join(project.root, 'plain'), 0o640);
    const after: Tree = { secret: 'y', plain: { run: 'x' }, fresh: { run: 'z' } };
    await applyPlan({ ...project, plan: { items: planItems({ secret: 'x', plain: 'x' }, after) } });
    const modeOf = (name: string) => statSync(join(project.root, name)).mode & 0o7777;
    expect(modeOf('secret')).toBe(0o600);
    expect(modeOf('plain')).toBe(0o750);
    expect(modeOf('fresh')).toBe(0o755 & ~process.umask());
  });

  it('keeps the permissions of a file that is renamed', async () => {
    const project = makeProject({ key: 'secret' });
    chmodSync(join(project.root, 'key'), 0o600);
    const items = planItems({ key: 'secret' }, { moved: 'secret' }, { key: 'moved' });
    await applyPlan({ ...project, plan: { items } });
    expect(statSync(join(project.root, 'moved')).mode & 0o7777).toBe(0o600);
  });

  it('applies both halves of a rename or none', async () => {
    const project = makeProject({ a: 'text' });
    writeFileSync(join(project.root, 'b'), 'mine');
    const result = await applyPlan({
      ...project,
      plan: { items: planItems({ a: 'text' }, { b: 'text' }, { a: 'b' }) },
    });
    expect(result.applied).toEqual([]);
    expect(result.conflicts.map(({ path }) => path).sort()).toEqual(['a', 'b']);
    expect(readTree(project.root)).toEqual({ a: 'text', b: 'mine' });
  });

  it('leaves what the host changed alone and applies the rest', async () => {
    const project = makeProject({ a: '1', b: '1' }, { a: '2', b: '2' });
    writeFileSync(join(project.root, 'a'), 'edited by hand');
    const plan = { items: planItems({ a: '1', b: '1' }, { a: '2', b: '2' }) };
    const result = await applyPlan({ ...project, plan });
    expect(result.applied).toEqual(['b']);
    expect(result.conflicts.map(({ path }) => path)).toEqual(['a']);
    expect(readTree(project.root)).toEqual({ a: 'edited by hand', b: '2' });
  });

  it('does nothing at all on a conflict when told to stop', async () => {
    const project = makeProject({ a: '1', b: '1' }, { a: '2', b: '2' });
    writeFileSync(join(project.root, 'a'), 'edited by hand');
    const plan = { items: planItems({ a: '1', b: '1' }, { a: '2', b: '2' }) };
    await expect(applyPlan({ ...project, plan, onConflict: 'stop' })).rejects.toMatchObject({
      code: 'apply/host-changed',
    });
    expect(readTree(project.root)).toEqual({ a: 'edited by hand', b: '1' });
  });

  it('leaves no trace in the project but the changes', async () => {
    const project = makeProject({ a: '1' }, { a: '2' });
    await applyPlan({ ...project, plan: { items: planItems({ a: '1' }, { a: '2' }) } });
    expect(readdirSync(project.root)).toEqual(['a']);
    expect(readdirSync(join(project.stateDir, 'apply'))).toEqual([]);
  });

  it('changes nothing when it is cancelled', async () => {
    const project = makeProject(BEFORE, AFTER);
    const abort = new AbortController();
    const plan = { items: planItems(BEFORE, AFTER) };
    const cancelled = applyPlan({
      ...project,
      plan,
      signal: abort.signal,
      onProgress: ({ phase, done }) => phase === 'publish' && done === 3 && abort.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    expect(readTree(project.root)).toEqual(BEFORE);
  });

  it('refuses bytes that are not the ones that were reviewed', async () => {
    const project = makeProject({ a: '1' }, { a: '2' });
    const [item] = planItems({ a: '1' }, { a: '2' });
    if (item?.after === undefined) throw new Error('no item');
    item.after.sha256 = '0'.repeat(64);
    await expect(applyPlan({ ...project, plan: { items: [item] } })).rejects.toMatchObject({
      code: 'ledger/damaged',
    });
    expect(readTree(project.root)).toEqual({ a: '1' });
  });
});

describe('undo', () => {
  it('restores the tree, its permissions and its times', async () => {
    const project = makeProject(BEFORE, AFTER);
    chmodSync(join(project.root, 'src/main.ts'), 0o600);
    chmodSync(join(project.root, 'src/old'), 0o750);
    utimesSync(join(project.root, 'src/main.ts'), 1_000_000_000, 1_000_000_000);
    await applyPlan({ ...project, plan: { items: planItems(BEFORE, AFTER) } });
    const result = await undo(project);
    expect(result.conflicts).toEqual([]);
    expect(readTree(project.root)).toEqual(BEFORE);
    const stat = statSync(join(project.root, 'src/main.ts'));
    expect(stat.mode & 0o7777).toBe(0o600);
    expect(stat.mtimeMs).toBe(1_000_000_000_000);
    expect(statSync(join(project.root, 'src/old')).mode & 0o7777).toBe(0o750);
  });

  it('keeps an empty folder that was there before', async () => {
    const project = makeProject({}, { 'empty/new': 'x' });
    mkdirSync(join(project.root, 'empty'));
    await applyPlan({ ...project, plan: { items: planItems({}, { 'empty/new': 'x' }) } });
    await undo(project);
    expect(readTree(project.root)).toEqual({ 'empty/': '' });
  });

  it('can be taken back, and taken back again', async () => {
    const project = makeProject(BEFORE, AFTER);
    await applyPlan({ ...project, plan: { items: planItems(BEFORE, AFTER) } });
    await undo(project);
    await redo(project);
    expect(readTree(project.root)).toEqual(AFTER);
    await undo(project);
    expect(readTree(project.root)).toEqual(BEFORE);
    await expect(undo(project)).rejects.toMatchObject({ code: 'apply/nothing-to-undo' });
  });

  it('goes back one apply at a time', async () => {
    const trees = [{ a: '1' }, { a: '2' }, { a: '3', b: 'x' }] as Tree[];
    const [first, second, third] = trees as [Tree, Tree, Tree];
    const project = makeProject(first, second, third);
    await applyPlan({ ...project, plan: { items: planItems(first, second) } });
    await applyPlan({ ...project, plan: { items: planItems(second, third) } });
    await undo(project);
    expect(readTree(project.root)).toEqual(second);
    await undo(project);
    expect(readTree(project.root)).toEqual(first);
  });

  it('leaves a file alone that was edited since, and can finish once the edit is gone', async () => {
    const project = makeProject({ a: '1', b: '1' }, { a: '2', b: '2' });
    await applyPlan({ ...project, plan: { items: planItems({ a: '1', b: '1' }, { a: '2', b: '2' }) } });
    writeFileSync(join(project.root, 'a'), 'edited');
    const first = await undo(project);
    expect(first.applied).toEqual(['b']);
    expect(first.conflicts.map(({ path }) => path)).toEqual(['a']);
    expect(readTree(project.root)).toEqual({ a: 'edited', b: '1' });
    writeFileSync(join(project.root, 'a'), '2');
    await undo(project);
    expect(readTree(project.root)).toEqual({ a: '1', b: '1' });
  });

  it('finds nothing left to do after a folder became a symlink, but does not take another link for its own', async () => {
    const [before, after]: Tree[] = [
      { 'd/a': 'x\n', 'd/b/c': 'y\n', 'e/a': 'z\n' },
      { d: { link: 'e' }, 'e/a': 'z\n' },
    ];
    const project = makeProject(before ?? {}, after ?? {});
    const plan = { items: planItems(before ?? {}, after ?? {}) };
    expect((await applyPlan({ ...project, plan })).conflicts).toEqual([]);
    const again = await applyPlan({ ...project, plan });
    expect([again.applied, again.conflicts, [...again.unchanged].sort()]).toEqual([
      [],
      [],
      ['d', 'd/a', 'd/b/c'],
    ]);
    unlinkSync(join(project.root, 'd'));
    symlinkSync('elsewhere', join(project.root, 'd'));
    expect((await applyPlan({ ...project, plan })).conflicts.map(({ path }) => path)).toContain('d/a');
  });

  it('restores a symlink of the user that leads out of the project', async () => {
    const before: Tree = { out: { link: '/etc/hostname' } };
    const project = makeProject(before);
    await applyPlan({ ...project, plan: { items: planItems(before, {}) } });
    await undo(project);
    expect(lstatSync(join(project.root, 'out')).isSymbolicLink()).toBe(true);
    expect(readTree(project.root)).toEqual(before);
  });
});

describe('a file with several hard links', () => {
  it('is a conflict', async () => {
    const project = makeProject({ a: '1' }, { a: '2' });
    linkSync(join(project.root, 'a'), join(project.folder, 'elsewhere'));
    const result = await applyPlan({ ...project, plan: { items: planItems({ a: '1' }, { a: '2' }) } });
    expect(result.conflicts).toHaveLength(1);
    expect(readTree(project.root)).toEqual({ a: '1' });
  });
});
