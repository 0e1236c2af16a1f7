import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { applyPlan } from '../../../src/apply/apply.ts';
import { recover } from '../../../src/apply/recover.ts';
import { undo } from '../../../src/apply/undo.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { blobsOf, makeProject, planItems, readTree, type Tree } from './fixture.ts';

const isRoot = process.geteuid?.() === 0;
const canMount =
  isRoot &&
  spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'x', '/mnt'], { stdio: 'ignore' }).status === 0;

/** Mounts a small tmpfs at `at` until the test is over. */
function mountSmall(at: string, size: string): void {
  mkdirSync(at, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', at], {
    stdio: 'ignore',
  });
  if (status !== 0) throw new Error(`can't mount at ${at}`);
  onTestFinished(() => void spawnSync('umount', ['-l', at]));
}

describe.skipIf(!canMount)('apply on a full disk (needs root and mount)', () => {
  const before: Tree = { small: 'old\n', gone: 'x'.repeat(50_000) };
  const after: Tree = { small: 'new\n', big: 'y'.repeat(900_000), bigger: 'z'.repeat(900_000) };

  it('leaves the project as it was when the project is full', async () => {
    const project = makeProject({}, before, after);
    mountSmall(project.root, '1m');
    for (const [name, text] of Object.entries(before)) writeFileSync(join(project.root, name), String(text));
    const plan = { items: planItems(before, after) };
    await expect(applyPlan({ ...project, plan })).rejects.toMatchObject({ code: 'environment/disk-full' });
    expect(readTree(project.root)).toEqual(before);
    expect(await recover({ stateDir: project.stateDir })).toEqual([]);
  });

  it('leaves the project as it was when the state folder is full', async () => {
    const project = makeProject(before, after);
    mountSmall(project.stateDir, '64k');
    writeFileSync(join(project.stateDir, 'ballast'), 'b'.repeat(30_000));
    const plan = { items: planItems(before, after) };
    await expect(applyPlan({ ...project, plan })).rejects.toMatchObject({ code: 'environment/disk-full' });
    expect(readTree(project.root)).toEqual(before);
  });

  it('does not call undone what was done, when only the record of it has no room', async () => {
    const [before, after]: [Tree, Tree] = [
      { a: 'old', gone: 'x' },
      { a: 'new', b: 'b' },
    ];
    const project = makeProject(before, after);
    mountSmall(project.stateDir, '1m');
    const beforeStep = (_: number, name: string) => {
      if (name === 'record') fillUp(project.stateDir);
    };
    const plan = { items: planItems(before, after) };
    const result = await applyPlan({ ...project, plan, beforeStep });
    expect(result.warnings).toEqual([expect.stringContaining('next start')]);
    expect(readTree(project.root)).toMatchObject(after);
    for (const name of readdirSync(project.stateDir)) {
      if (name.startsWith('.fill')) rmSync(join(project.stateDir, name));
    }
    expect(await recover({ stateDir: project.stateDir })).toMatchObject([{ outcome: 'finished' }]);
    expect(readTree(project.root)).toEqual(after);
    await undo(project);
    expect(readTree(project.root)).toEqual(before);
  });

  it('goes back without needing any space', async () => {
    const tree: Tree = { a: 'one'.repeat(9000), b: 'two'.repeat(9000) };
    const project = makeProject({}, { a: 'new' });
    mountSmall(project.root, '1m');
    for (const [name, text] of Object.entries(tree)) writeFileSync(join(project.root, name), String(text));
    const beforeStep = (_: number, name: string) => {
      if (name !== 'commit') return;
      fillUp(project.root);
      writeFileSync(join(project.root, '.fill-last'), Buffer.alloc(1 << 20));
    };
    const applying = applyPlan({ ...project, plan: { items: planItems(tree, { a: 'new' }) }, beforeStep });
    await expect(applying).rejects.toMatchObject({ code: 'environment/disk-full' });
    const found = Object.entries(readTree(project.root)).filter(([name]) => !name.startsWith('.fill'));
    expect(Object.fromEntries(found)).toEqual(tree);
    expect(await recover({ stateDir: project.stateDir })).toEqual([]);
  });

  it('refuses to go onto another file system inside of the project (S32)', async () => {
    const project = makeProject({ own: '1' }, { 'mounted/x': 'new', own: '2' });
    mountSmall(join(project.root, 'mounted'), '64k');
    const plan = { items: planItems({ own: '1' }, { own: '2', 'mounted/x': 'new' }) };
    const result = await applyPlan({ ...project, plan });
    expect(result.applied).toEqual(['own']);
    expect(result.conflicts).toMatchObject([
      { path: 'mounted/x', reason: expect.stringContaining('file system'), choices: [] },
    ]);
    expect(readdirSync(join(project.root, 'mounted'))).toEqual([]);
  });

  it('undoes on a full disk what fitted before', async () => {
    const project = makeProject({}, { a: 'one', b: 'two' });
    mountSmall(project.root, '1m');
    writeFileSync(join(project.root, 'a'), 'one');
    const plan = { items: planItems({ a: 'one' }, { b: 'two' }) };
    await applyPlan({ ...project, plan });
    fillUp(project.root);
    const undoing = undo(project);
    await expect(undoing).rejects.toMatchObject({ code: 'environment/disk-full' });
    expect(readFileSync(join(project.root, 'b'), 'utf8')).toBe('two');
    expect(existsSync(join(project.root, 'a'))).toBe(false);
  });
});

function fillUp(folder: string): void {
  try {
    for (let size = 65_536; size >= 4096; size /= 2) {
      for (let n = 0; n < 100; n++) writeFileSync(join(folder, `.fill-${size}-${n}`), Buffer.alloc(size));
    }
  } catch {
    // Full, as wanted.
  }
}

describe.skipIf(!isRoot)('apply as root (needs root)', () => {
  it("keeps the owners of a user's files, and gives new ones to the owner of their folder", async () => {
    const before: Tree = { kept: '1', 'sub/gone': '1' };
    const after: Tree = { kept: '2', new: 'n', 'deep/er/new': 'n', link: { link: 'kept' } };
    const project = makeProject(before, after);
    chownSync(project.root, 1234, 1235);
    for (const path of ['kept', 'sub', 'sub/gone']) chownSync(join(project.root, path), 1236, 1237);
    await applyPlan({ ...project, plan: { items: planItems(before, after) } });
    const owner = (path: string) => {
      const stat = lstatSync(join(project.root, path));
      return `${stat.uid}:${stat.gid}`;
    };
    expect(owner('kept')).toBe('1236:1237');
    for (const path of ['new', 'deep', 'deep/er', 'deep/er/new', 'link'])
      expect(owner(path), path).toBe('1234:1235');
    await undo(project);
    for (const path of ['kept', 'sub', 'sub/gone']) expect(owner(path), path).toBe('1236:1237');
  });
});

describe('apply without privileges', () => {
  it.skipIf(!isRoot)("leaves another user's file alone (needs root to set up)", async () => {
    const before: Tree = { own: '1', theirs: '1' };
    const project = makeProject(before, { own: '2', theirs: '2' });
    mkdirSync(project.stateDir);
    for (const path of ['.', 'own']) chownSync(join(project.root, path), 1234, 1234);
    for (const path of [project.stateDir, project.folder]) chownSync(path, 1234, 1234);
    lchownSync(join(project.root, 'theirs'), 1299, 1299);
    const plan = { items: planItems(before, { own: '2', theirs: '2' }) };
    process.setegid?.(1234);
    process.seteuid?.(1234);
    try {
      const result = await applyPlan({ ...project, plan });
      expect(result.applied).toEqual(['own']);
      expect(result.conflicts).toMatchObject([
        { path: 'theirs', reason: 'it belongs to another user', choices: [] },
      ]);
    } finally {
      process.seteuid?.(0);
      process.setegid?.(0);
    }
  });
});

describe('the project folder', () => {
  const plan = { items: planItems({}, { a: '1' }) };

  it('is warned about when others can write to it', async () => {
    const project = makeProject({}, { a: '1' });
    chmodSync(project.root, 0o777);
    const { warnings } = await applyPlan({ ...project, plan });
    expect(warnings).toEqual([expect.stringContaining('can write to')]);
    chmodSync(project.root, 0o755);
    expect((await applyPlan({ ...project, plan })).warnings).toEqual([]);
  });

  it('may not hold our own state, nor lie in it', async () => {
    const project = makeProject({}, { a: '1' });
    const inside = join(project.root, 'state') as HostPath;
    await expect(applyPlan({ ...project, stateDir: inside, plan })).rejects.toMatchObject({
      code: 'apply/refused',
    });
    const around = project.folder;
    await expect(applyPlan({ ...project, stateDir: around, plan })).rejects.toMatchObject({
      code: 'apply/refused',
    });
  });

  it('keeps the group of a setgid folder', async () => {
    const project = makeProject({}, { 'shared/a': '1' });
    mkdirSync(join(project.root, 'shared'));
    const gid = isRoot ? 4321 : (process.getegid?.() ?? 0);
    chownSync(join(project.root, 'shared'), process.geteuid?.() ?? 0, gid);
    chmodSync(join(project.root, 'shared'), 0o2755);
    await applyPlan({ ...project, plan: { items: planItems({}, { 'shared/a': '1' }) } });
    expect(statSync(join(project.root, 'shared/a')).gid).toBe(gid);
  });

  it('takes many files, synced together', async () => {
    const before: Tree = {};
    const after: Tree = {};
    for (let n = 0; n < 200; n++) {
      before[`d${n % 7}/changed-${n}`] = `old ${n}`;
      after[`d${n % 7}/changed-${n}`] = `new ${n}`;
      after[`new${n % 90}/added-${n}`] = `added ${n}`;
    }
    const project = makeProject(before, after);
    const result = await applyPlan({ ...project, plan: { items: planItems(before, after) } });
    expect(result.applied).toHaveLength(400);
    expect(readTree(project.root)).toEqual(after);
    await undo(project);
    expect(readTree(project.root)).toEqual(before);
  });
});

describe('recovery', () => {
  it('waits while the project is away, and goes on when it is back', async () => {
    const project = makeProject({ a: '1' }, { a: '2', b: '2' });
    const plan = { items: planItems({ a: '1' }, { a: '2', b: '2' }) };
    await interruptAt('commit', project, plan);
    const moved = join(project.folder, 'moved');
    spawnSync('mv', [project.root, moved]);
    expect(await recover({ stateDir: project.stateDir })).toMatchObject([{ outcome: 'unreachable' }]);
    mkdirSync(project.root);
    expect(await recover({ stateDir: project.stateDir })).toMatchObject([{ outcome: 'unreachable' }]);
    spawnSync('sh', ['-c', 'rmdir "$1" && mv "$2" "$1"', 'sh', project.root, moved]);
    expect(await recover({ stateDir: project.stateDir })).toMatchObject([
      { outcome: 'undone', conflicts: [] },
    ]);
    expect(readTree(project.root)).toEqual({ a: '1' });
  });

  it('rebuilds old files from what was kept when the stage is gone', async () => {
    const before: Tree = { a: '1', 'd/x': 'gone', l: { link: 'a' } };
    const project = makeProject(before, { a: '2' });
    await interruptAt('commit', project, { items: planItems(before, { a: '2' }) });
    spawnSync('sh', ['-c', 'rm -r "$1"/.safe-coder-stage-*', 'sh', project.root]);
    expect(await recover({ stateDir: project.stateDir })).toMatchObject([
      { outcome: 'undone', conflicts: [] },
    ]);
    expect(readTree(project.root)).toEqual(before);
  });

  it('leaves alone what was edited since, and restores the rest', async () => {
    const before: Tree = { a: '1', b: '1' };
    const project = makeProject(before, { a: '2', b: '2' });
    await interruptAt('commit', project, { items: planItems(before, { a: '2', b: '2' }) });
    writeFileSync(join(project.root, 'a'), 'edited');
    const [found] = await recover({ stateDir: project.stateDir });
    expect(found).toMatchObject({ outcome: 'undone', conflicts: [{ path: 'a' }] });
    expect(readTree(project.root)).toEqual({ a: 'edited', b: '1' });
  });

  it('comes first when the next apply starts', async () => {
    const project = makeProject({ a: '1' }, { a: '2' });
    const plan = { items: planItems({ a: '1' }, { a: '2' }) };
    await interruptAt('commit', project, plan);
    const result = await applyPlan({ ...project, plan });
    expect(result.applied).toEqual(['a']);
    expect(result.warnings).toEqual([expect.stringContaining('taken back')]);
    expect(readTree(project.root)).toEqual({ a: '2' });
  });
});

/** Leaves the project as a kill before this step would: going back is made to fail too. */
async function interruptAt(
  step: string,
  project: ReturnType<typeof makeProject>,
  plan: { items: ReturnType<typeof planItems> },
): Promise<void> {
  let isDead = false;
  const beforeStep = (_: number, name: string) => {
    isDead ||= name === step;
    if (isDead) throw new Error('killed');
  };
  const readBlob = blobsOf(...[{ a: '2', b: '2' } as Tree]);
  await expect(applyPlan({ ...project, plan, readBlob, beforeStep })).rejects.toMatchObject({
    code: 'apply/failed',
  });
}
