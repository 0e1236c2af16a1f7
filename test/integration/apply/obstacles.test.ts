import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, type TestContext } from 'vitest';
import { applyPlan, previewPlan } from '../../../src/apply/apply.ts';
import { parseMounts } from '../../../src/apply/mounts.ts';
import { undo } from '../../../src/apply/undo.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../support/temp.ts';
import { makeProject, planItems, readTree, type Tree, writeTree } from './fixture.ts';

const BEFORE: Tree = { 'a/x': '1', 'b/y': '1', c: '1' };
const AFTER: Tree = { 'a/x': '2', 'b/y': '2', c: '2' };
const plan = { items: planItems(BEFORE, AFTER) };

function mount(context: Pick<TestContext, 'skip'>, at: string, ...args: string[]): void {
  if (process.getuid?.() !== 0) context.skip('mounting needs root');
  execFileSync('mount', [...args, at]);
  onTestFinished(() => {
    execFileSync('umount', ['-l', at]);
  });
}

/** Protects a path from changes; skips where the file system can't. */
function protect(context: Pick<TestContext, 'skip'>, path: string): void {
  if (spawnSync('chattr', ['+i', path]).status !== 0)
    context.skip('chattr +i needs root and a file system that has it');
  onTestFinished(() => {
    execFileSync('chattr', ['-i', path]);
  });
}

describe('what stands in the way', () => {
  it('is named all at once, with the mend, and nothing is written', async (context) => {
    const project = makeProject(BEFORE, AFTER);
    protect(context, join(project.root, 'a'));
    protect(context, join(project.root, 'c'));
    const { problems, actions } = await previewPlan({ ...project, plan });
    expect(actions).toHaveLength(3);
    expect(problems.map(({ path, mend }) => [path, mend])).toEqual([
      ['a', 'Take the protection away: chattr -i "a".'],
      ['c', 'Take the protection away: chattr -i "c".'],
    ]);
    await expect(applyPlan({ ...project, plan })).rejects.toMatchObject({
      code: 'apply/blocked',
      message: expect.stringMatching(/a is protected.*c is protected/),
    });
    expect(readTree(project.root)).toEqual(BEFORE);
    expect(readdirSync(join(project.stateDir, 'apply'))).toEqual([]);
  });

  it('is a file system that is mounted read-only', async (context) => {
    const project = makeProject(BEFORE, AFTER);
    mount(context, project.root, '--bind', project.root);
    execFileSync('mount', ['-o', 'remount,bind,ro', project.root]);
    await expect(applyPlan({ ...project, plan })).rejects.toMatchObject({
      code: 'apply/blocked',
      message: expect.stringContaining('read-only'),
    });
  });

  it('is a lack of space, or of inodes, found before the first byte', async (context) => {
    const project = makeProject({}, AFTER);
    mount(context, project.root, '-t', 'tmpfs', '-o', 'size=64k,nr_inodes=6', 'tmpfs');
    const big: Tree = { ...AFTER, big: 'x'.repeat(200_000) };
    const { readBlob } = makeProject({}, big);
    const steps: string[] = [];
    const failing = applyPlan({
      ...project,
      readBlob,
      plan: { items: planItems({}, big) },
      beforeStep: (_, name) => steps.push(name),
    });
    await expect(failing).rejects.toMatchObject({
      code: 'environment/disk-full',
      message: expect.stringMatching(/bytes free.*more files/),
    });
    expect(steps).toEqual([]);
    expect(readdirSync(project.root)).toEqual([]);
  });

  it('is a file that is read-only: it is kept, and the rest lands', async () => {
    const project = makeProject(BEFORE, AFTER);
    chmodSync(join(project.root, 'c'), 0o444);
    const result = await applyPlan({ ...project, plan, choice: 'theirs' });
    expect(result.applied).toEqual(['a/x', 'b/y']);
    expect(result.conflicts).toMatchObject([{ path: 'c', reason: expect.stringContaining('chmod u+w') }]);
    expect(statSync(join(project.root, 'c')).mode & 0o777).toBe(0o444);
  });

  it('is something mounted on a path, and on a folder of the same file system', async (context) => {
    const project = makeProject(BEFORE, AFTER);
    const other = temporaryFolder();
    writeTree(other, { file: '1', 'folder/y': '1' });
    mount(context, join(project.root, 'c'), '--bind', join(other, 'file'));
    mount(context, join(project.root, 'b'), '--bind', join(other, 'folder'));
    const result = await applyPlan({ ...project, plan, choice: 'theirs' });
    expect(result.applied).toEqual(['a/x']);
    expect(result.conflicts.map(({ path }) => path)).toEqual(['b/y', 'c']);
    expect(readTree(other)).toEqual({ file: '1', 'folder/y': '1' });
  });

  it('is a path that would be longer than paths can be', async () => {
    const folder = temporaryFolder();
    const project = makeProject({});
    const deep = Array.from({ length: 16 }, () => 'd'.repeat(200)).join('/');
    const root = join(folder, deep) as HostPath;
    mkdirSync(root, { recursive: true });
    const long = `${Array.from({ length: 6 }, () => 'e'.repeat(150)).join('/')}/f`;
    const { readBlob } = makeProject({}, { [long]: '2', near: '2' });
    const result = await applyPlan({
      ...project,
      root,
      readBlob,
      plan: { items: planItems({}, { [long]: '2', near: '2' }) },
    });
    expect(result.applied).toEqual(['near']);
    expect(result.refused).toMatchObject([{ reason: expect.stringContaining('4095 bytes') }]);
  });
});

describe('parseMounts', () => {
  it('finds what is mounted below a folder, whatever its name', () => {
    const line = (point: string) => `36 35 98:0 / ${point} rw,noatime master:1 - ext4 /dev/root rw`;
    const text = ['/', '/p', '/p/a', '/p/a\\040b/c', '/p/\\303\\251', '/p-other/x'].map(line).join('\n');
    expect([...parseMounts(text, '/p')]).toEqual(['a', 'a b/c', 'é']);
  });
});

describe('a state of git', () => {
  const git = (root: string, ...args: string[]) =>
    spawnSync('git', ['-c', 'user.name=n', '-c', 'user.email=e@x', ...args], { cwd: root });

  it('that is unfinished is warned of, and nothing of git is touched', async () => {
    const project = makeProject(BEFORE, AFTER);
    for (const args of [
      ['init', '-q'],
      ['add', '.'],
      ['commit', '-q', '-m', 'one'],
    ])
      git(project.root, ...args);
    const dotGit = join(project.root, '.git');
    mkdirSync(join(dotGit, 'rebase-merge'));
    writeFileSync(join(dotGit, 'CHERRY_PICK_HEAD'), `${'0'.repeat(40)}\n`);
    writeFileSync(join(dotGit, 'index.lock'), '');
    const before = readTree(dotGit);
    const result = await applyPlan({ ...project, plan });
    expect(result.warnings).toEqual([
      expect.stringContaining('A rebase is unfinished'),
      expect.stringContaining('A cherry-pick is unfinished'),
      expect.stringContaining('index.lock'),
    ]);
    expect(result.conflicts).toEqual([]);
    await undo(project);
    expect(readTree(dotGit)).toEqual(before);
  });

  it('with an unmerged path keeps that path, unless a person chose', async () => {
    const project = makeProject(BEFORE, AFTER);
    git(project.root, 'init', '-q');
    git(project.root, 'add', '.');
    const oid = git(project.root, 'hash-object', '-w', 'c').stdout.toString().trim();
    const entries = [1, 2, 3].map((stage) => `100644 ${oid} ${stage}\tc\n`).join('');
    const removal = `0 ${'0'.repeat(40)}\tc\n`;
    const { status } = spawnSync('git', ['update-index', '--index-info'], {
      cwd: project.root,
      input: removal + entries,
    });
    expect(status).toBe(0);
    const first = await applyPlan({ ...project, plan });
    expect(first.conflicts).toMatchObject([{ path: 'c', choices: ['mine', 'theirs'] }]);
    expect(first.applied).toEqual(['a/x', 'b/y']);
    expect((await applyPlan({ ...project, plan, choice: 'theirs' })).applied).toEqual(['c']);
  });
});
