/** What git is in the middle of in the project, read from its files only: nothing of it is run, nothing is written. */
import { existsSync } from 'node:fs';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import { inspectGit, toBytePath } from '../workspace/project-git.ts';
import type { HostRoot } from './host-root.ts';

export interface GitState {
  /** Of the paths asked for, those that git has more than one version of, or that someone left so. */
  unmerged: ReadonlySet<RelPath>;
  /** In words for a person. */
  warnings: string[];
}

/** Files in `.git` that are there while something is unfinished. */
const UNFINISHED = [
  ['MERGE_HEAD', 'A merge'],
  ['rebase-merge', 'A rebase'],
  ['rebase-apply', 'A rebase'],
  ['CHERRY_PICK_HEAD', 'A cherry-pick'],
  ['REVERT_HEAD', 'A revert'],
  ['BISECT_LOG', 'A bisection'],
] as const;

/** Never throws for what the repository holds; a project whose `.git` is no folder of its own says nothing. */
export function readGitState(root: HostRoot, paths: Iterable<RelPath>): GitState {
  const { kind, index } = inspectGit(root.path, root.handle);
  if (kind !== 'directory') return { unmerged: new Set(), warnings: [] };
  const unmerged = new Set<RelPath>();
  for (const path of paths) {
    const entry = index?.get(toBytePath(path));
    if (entry !== undefined && entry.stage !== 0) unmerged.add(path);
  }
  const has = (name: string) => existsSync(`${root.handle.self}/.git/${name}`);
  const found = new Set(UNFINISHED.filter(([name]) => has(name)).map(([, what]) => what));
  const warnings = [...found].map(
    (what) => `${what} is unfinished in ${showPath(root.path)}; what is applied will be among its changes.`,
  );
  if (has('index.lock'))
    warnings.push(`Git seems to be at work in ${showPath(root.path)} (.git/index.lock is there).`);
  return { unmerged, warnings };
}
