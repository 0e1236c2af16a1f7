import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type BranchCommit, exportBranch } from '../../../src/apply/export-branch.ts';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import type { FileMode, FileState } from '../../../src/diff/change-set.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { hashObject, type ObjectFormat } from '../../../src/git/object-id.ts';
import { makeProject, pictureOf } from '../../support/project.ts';
import { temporaryFolder } from '../../support/temp.ts';

const path = (name: string) => name as RelPath;

/** A repository with one commit of `files`, the bytes that exports read, and git itself as the judge. */
function setUp(
  files: Record<string, string> = { 'a.txt': 'a\n', 'b.txt': 'b\n' },
  format: ObjectFormat = 'sha1',
) {
  const home = temporaryFolder();
  const project = makeProject(home, files);
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', project, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
      env: { ...GIT_ENVIRONMENT, HOME: home },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  git('init', '-q', '-b', 'main', `--object-format=${format}`);
  git('add', '-A');
  git('commit', '-q', '-m', 'first');
  const blobs = new Map<string, Buffer>();
  const state = (text: string, mode: FileMode = '100644'): FileState => {
    const bytes = Buffer.from(text);
    const oid = hashObject(format, 'blob', bytes);
    blobs.set(oid, bytes);
    return { mode, oid };
  };
  const side = (name: string, text: string, mode?: FileMode) => ({ path: path(name), ...state(text, mode) });
  const base = new Map<RelPath, FileState>(
    Object.entries(files).map(([name, text]) => [path(name), state(text)]),
  );
  const read = async (oid: string) => {
    const bytes = blobs.get(oid);
    if (!bytes) throw new Error(`no blob ${oid}`);
    return bytes;
  };
  const run = (commits: readonly BranchCommit[], more: Partial<Parameters<typeof exportBranch>[0]> = {}) =>
    exportBranch({ project, branch: 'agent', force: false, start: undefined, base, commits, read, ...more });
  return { home, project, git, side, state, base, run };
}

const commit = (message: string, changes: BranchCommit['changes']): BranchCommit => ({
  message: `${message}\n`,
  at: new Date('2026-01-02T03:04:05Z'),
  changes,
});

describe('a branch of a session', () => {
  it.each(['sha1', 'sha256'] as const)(
    'has a commit for each step on top of what was checked out (%s)',
    async (format) => {
      const { git, side, run } = setUp(undefined, format);
      const made = await run([
        commit('change', [{ before: side('a.txt', 'a\n'), after: side('a.txt', 'A\r\n') }]),
        commit('move', [{ before: side('b.txt', 'b\n'), after: side('dir/ünï "c"', 'b\n', '100755') }]),
        commit('file to folder', [
          { before: side('a.txt', 'A\r\n') },
          { after: side('a.txt/x\n y', '\0bin') },
        ]),
        commit('link', [{ after: side('link', 'dir', '120000') }]),
      ]);
      expect(made).toMatchObject({
        commits: 4,
        uncommitted: [],
        leftOut: [],
        commit: git('rev-parse', 'agent').trim(),
      });
      expect(git('log', '--reverse', '--format=%an|%s|%ct', 'main..agent').trim().split('\n')).toEqual(
        ['change', 'move', 'file to folder', 'link'].map((subject) => `Safe Coder|${subject}|1767323045`),
      );
      expect(git('merge-base', 'main', 'agent')).toBe(git('rev-parse', 'main'));
      expect(
        git('ls-tree', '-r', '-z', 'agent')
          .split('\0')
          .map((line) => line.replace(/^(\d+) \S+ \S+\t/, '$1 ')),
      ).toEqual(['100644 a.txt/x\n y', '100755 dir/ünï "c"', '120000 link', '']);
      expect(git('show', 'agent~3:a.txt')).toBe('A\r\n');
      expect(git('fsck', '--strict')).not.toContain('error');
    },
  );

  it('leaves index, HEAD, work tree and every other branch as they were', async () => {
    const { project, git, side, run } = setUp();
    writeFileSync(join(project, 'b.txt'), 'staged\n');
    git('add', 'b.txt');
    writeFileSync(join(project, 'b.txt'), 'not staged\n');
    const outside = () =>
      Object.fromEntries(
        Object.entries(pictureOf(project)).filter(
          ([name]) => !/^\.git(\/(objects|refs|logs)(\/|$)|$)/.test(name),
        ),
      );
    const before = { picture: outside(), refs: git('for-each-ref'), status: git('status', '--porcelain') };
    await run([commit('change', [{ before: side('a.txt', 'a\n'), after: side('a.txt', 'A\n') }])]);
    const picture = outside();
    git('update-ref', '-d', 'refs/heads/agent');
    const after = { picture, refs: git('for-each-ref'), status: git('status', '--porcelain') };
    expect(after).toEqual(before);
  });

  it('puts uncommitted work that the changes build on into a commit of its own, and no other', async () => {
    const { git, side, base, state, run } = setUp();
    base.set(path('a.txt'), state('a\nmine\n'));
    base.set(path('b.txt'), state('also mine\n'));
    base.set(path('private.txt'), state('mine\n'));
    const made = await run([
      commit('change', [{ before: side('a.txt', 'a\nmine\n'), after: side('a.txt', 'a\nmine\nagent\n') }]),
    ]);
    expect(made).toMatchObject({ commits: 2, uncommitted: ['a.txt'] });
    expect(git('show', '--format=', '--name-only', 'agent~1').trim()).toBe('a.txt');
    expect(git('show', 'agent~1:a.txt')).toBe('a\nmine\n');
    expect(git('ls-tree', '--name-only', 'agent').trim().split('\n')).toEqual(['a.txt', 'b.txt']);
  });

  it('begins from the commit of then, though others came', async () => {
    const { git, side, run } = setUp();
    const start = git('rev-parse', 'HEAD').trim();
    git('commit', '-q', '--allow-empty', '-m', 'later');
    const change = commit('change', [{ after: side('new', 'x\n') }]);
    await run([change], { start });
    expect(git('rev-parse', 'agent~1').trim()).toBe(start);
    await expect(run([change], { start: 'f'.repeat(40), branch: 'b' })).rejects.toMatchObject({
      code: 'usage/bad-argument',
    });
  });

  it('holds the whole base where nothing was committed yet', async () => {
    const { project, git, side, run } = setUp();
    git('update-ref', '-d', 'refs/heads/main');
    await run([commit('change', [{ after: side('new', 'x\n') }])]);
    expect(git('ls-tree', '--name-only', 'agent').trim().split('\n')).toEqual(['a.txt', 'b.txt', 'new']);
    expect(existsSync(join(project, '.git/refs/heads/main'))).toBe(false);
  });

  it('takes no name that is taken, checked out or none', async () => {
    const { git, side, run } = setUp();
    const change = commit('change', [{ after: side('new', 'x\n') }]);
    git('branch', 'taken');
    for (const branch of [
      'taken',
      'main',
      '',
      '-x',
      'a..b',
      '@{-1}',
      '../up',
      'a b',
      'HEAD',
      'x.lock',
      'taken/below',
    ])
      await expect(run([change], { branch }), branch).rejects.toMatchObject({
        code: expect.stringMatching(/^(usage|environment)\//),
      });
    await expect(run([change], { branch: 'main', force: true })).rejects.toMatchObject({
      code: 'usage/bad-argument',
    });
    await run([change], { branch: 'taken', force: true });
    expect(git('show', 'taken:new')).toBe('x\n');
    expect(git('for-each-ref', '--format=%(refname)').trim().split('\n')).toEqual([
      'refs/heads/main',
      'refs/heads/taken',
    ]);
  });

  it('refuses a branch that another worktree has checked out', async () => {
    const { home, git, side, run } = setUp();
    git('worktree', 'add', '-q', '-b', 'elsewhere', join(home, 'tree'));
    const change = commit('change', [{ after: side('new', 'x\n') }]);
    await expect(run([change], { branch: 'elsewhere', force: true })).rejects.toMatchObject({
      code: 'usage/bad-argument',
    });
    await run([change], { project: join(home, 'tree') as HostPath });
    expect(git('show', 'agent:new')).toBe('x\n');
  });

  it('leaves what is inside a submodule out, by name', async () => {
    const { git, side, run } = setUp();
    const oid = git('rev-parse', 'HEAD').trim();
    git('update-index', '--add', '--cacheinfo', `160000,${oid},sub`);
    git('commit', '-q', '-m', 'with a submodule');
    const made = await run([
      commit('change', [{ after: side('sub/x', 'x\n') }, { after: side('y', 'y\n') }]),
    ]);
    expect(made.leftOut).toEqual([{ path: 'sub/x', reason: 'inside a submodule' }]);
    expect(git('ls-tree', 'agent', 'sub')).toContain('160000 commit');
  });

  it('says so when there is nothing to export, or no repository', async () => {
    const { home, project, run } = setUp();
    await expect(run([])).rejects.toMatchObject({ code: 'usage/bad-argument' });
    mkdirSync(join(home, 'bare'));
    await expect(run([], { project: join(home, 'bare') as HostPath })).rejects.toMatchObject({
      code: 'usage/bad-argument',
    });
    expect(existsSync(join(project, '.git/refs/heads/agent'))).toBe(false);
  });
});

describe('a repository that is not what it seems', () => {
  const places = ['refs/heads', 'logs', 'logs/refs', 'objects/pack', 'refs/safe-coder', 'packed-refs'];
  it.each(places)('is not written through a symlink at .git/%s', async (place) => {
    const { home, project, git, side, run } = setUp();
    const outside = join(home, 'outside');
    mkdirSync(outside);
    const at = join(project, '.git', place);
    if (existsSync(at)) execFileSync('mv', [at, join(outside, 'kept')]);
    mkdirSync(join(at, '..'), { recursive: true });
    symlinkSync(existsSync(join(outside, 'kept')) ? join(outside, 'kept') : outside, at);
    const before = pictureOf(outside);
    await expect(run([commit('c', [{ after: side('new', 'x\n') }])])).rejects.toMatchObject({
      code: 'apply/refused',
    });
    expect(pictureOf(outside)).toEqual(before);
    expect(() => git('rev-parse', '--verify', '-q', 'agent')).toThrow();
  });

  it('is not written to where it points to another that does not point back', async () => {
    const other = setUp();
    const home = temporaryFolder();
    const project = makeProject(home, { '.git': `gitdir: ${join(other.project, '.git')}\n`, x: 'x' });
    const change = commit('c', [{ after: other.side('new', 'x\n') }]);
    await expect(other.run([change], { project })).rejects.toMatchObject({ code: 'apply/refused' });
    mkdirSync(join(home, 'two/.git/objects'), { recursive: true });
    writeFileSync(join(home, 'two/.git/HEAD'), 'ref: refs/heads/main\n');
    writeFileSync(join(home, 'two/.git/commondir'), `${join(other.project, '.git')}\n`);
    await expect(other.run([change], { project: join(home, 'two') as HostPath })).rejects.toMatchObject({
      code: 'apply/refused',
    });
    expect(() => other.git('rev-parse', '--verify', '-q', 'agent')).toThrow();
  });

  it('runs none of the programs that it names', async () => {
    const { home, project, git, side, run } = setUp({
      'a.txt': 'a\n',
      '.gitattributes': '* filter=evil diff=evil\n',
    });
    const mark = join(home, 'ran');
    const evil = join(project, 'evil.sh');
    writeFileSync(evil, `#!/bin/sh\necho "$0" >> '${mark}'\nexit 0\n`, { mode: 0o755 });
    const hooks = join(project, 'hooks');
    mkdirSync(hooks);
    for (const hook of [
      'reference-transaction',
      'post-update',
      'update',
      'pre-commit',
      'post-commit',
      'post-index-change',
    ]) {
      for (const folder of [hooks, join(project, '.git/hooks')]) {
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, hook), `#!/bin/sh\necho ${hook} >> '${mark}'\n`, { mode: 0o755 });
      }
    }
    const settings = {
      'core.hooksPath': hooks,
      'core.fsmonitor': evil,
      'core.pager': evil,
      'core.editor': evil,
      'core.sshCommand': evil,
      'core.alternateRefsCommand': evil,
      'gpg.program': evil,
      'commit.gpgSign': 'true',
      'filter.evil.clean': evil,
      'diff.external': evil,
      'credential.helper': evil,
      'alias.fast-import': `!${evil}`,
      'trace2.eventTarget': mark,
    };
    for (const [name, value] of Object.entries(settings)) git('config', name, value);
    await run([commit('c', [{ before: side('a.txt', 'a\n'), after: side('a.txt', 'b\n') }])]);
    expect(existsSync(mark)).toBe(false);
    // The same settings do run something when git is used as usual: the test can fail.
    git('-c', 'core.fsmonitor=', 'branch', 'usual');
    expect(existsSync(mark)).toBe(true);
  });
});
