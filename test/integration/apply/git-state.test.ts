import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readGitState } from '../../../src/apply/git-state.ts';
import { HostRoot } from '../../../src/apply/host-root.ts';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { temporaryFolder } from '../../support/temp.ts';

function git(folder: string, ...args: string[]): void {
  execFileSync('git', ['-C', folder, '-c', 'user.name=t', '-c', 'user.email=t@t', ...args], {
    env: GIT_ENVIRONMENT,
    stdio: 'ignore',
  });
}

/** A repository whose branch and main both changed `sub/a.txt`. */
function diverged(): string {
  const top = join(temporaryFolder(), 'repository');
  const file = join(top, 'sub/a.txt');
  mkdirSync(join(top, 'sub'), { recursive: true });
  git(top, 'init', '-q', '-b', 'main');
  for (const [text, ...branch] of [['base\n'], ['theirs\n', '-b', 'other'], ['ours\n', 'main']]) {
    if (branch.length > 0) git(top, 'checkout', '-q', ...branch);
    writeFileSync(file, text ?? '');
    git(top, 'add', '-A');
    git(top, 'commit', '-q', '-m', text ?? '');
  }
  return top;
}

/** Leaves a merge of `other` unfinished. */
function merge(folder: string): void {
  expect(() => git(folder, 'merge', 'other')).toThrow();
}

function stateOf(folder: string, path: string) {
  using root = HostRoot.open(folder as HostPath, undefined);
  const { unmerged, warnings } = readGitState(root, [path as RelPath]);
  return { unmerged: [...unmerged], warnings };
}

const MERGE = [expect.stringContaining('A merge is unfinished')];

describe('what git is in the middle of', () => {
  it('is seen at the top of a repository, and in a folder of it', () => {
    const top = diverged();
    expect(stateOf(join(top, 'sub'), 'a.txt')).toEqual({ unmerged: [], warnings: [] });
    merge(top);
    expect(stateOf(top, 'sub/a.txt')).toEqual({ unmerged: ['sub/a.txt'], warnings: MERGE });
    expect(stateOf(join(top, 'sub'), 'a.txt')).toEqual({ unmerged: ['a.txt'], warnings: MERGE });
  });

  it('is seen in a worktree and in a folder of it, and not in the others', () => {
    const top = diverged();
    const tree = join(top, '../tree');
    git(top, 'worktree', 'add', '-q', tree, '-b', 'third');
    merge(tree);
    expect(stateOf(tree, 'sub/a.txt')).toEqual({ unmerged: ['sub/a.txt'], warnings: MERGE });
    expect(stateOf(join(tree, 'sub'), 'a.txt')).toEqual({ unmerged: ['a.txt'], warnings: MERGE });
    expect(stateOf(top, 'sub/a.txt')).toEqual({ unmerged: [], warnings: [] });
  });

  it('is not asked of a repository that a project only points to', () => {
    const top = diverged();
    merge(top);
    const stranger = join(top, '../stranger');
    mkdirSync(stranger);
    writeFileSync(join(stranger, '.git'), `gitdir: ${top}/.git\n`);
    expect(stateOf(stranger, 'sub/a.txt')).toEqual({ unmerged: [], warnings: [] });
  });
});
