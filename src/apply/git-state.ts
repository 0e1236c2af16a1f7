/** What git is in the middle of in the project, read from its files only: nothing of it is run, nothing is written. */
import { existsSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { DirectoryHandle } from '../base/directory-handle.ts';
import { decodePath, type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { GitIndex } from '../workspace/git-index.ts';
import { inspectGit, readPlainFile, toBytePath } from '../workspace/project-git.ts';
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

/**
 * Of the repository that the project is in: its own, that of a folder above it, or a worktree that the other side confirms.
 * Never throws for what the repository holds.
 */
export function readGitState(root: HostRoot, paths: Iterable<RelPath>): GitState {
  const found = findRepository(root);
  if (found === undefined) return { unmerged: new Set(), warnings: [] };
  const { index, prefix, gitDir } = found;
  const unmerged = new Set<RelPath>();
  for (const path of paths) {
    const entry = index?.get(toBytePath(`${prefix}${path}`));
    if (entry !== undefined && entry.stage !== 0) unmerged.add(path);
  }
  const has = (name: string) => existsSync(`${gitDir}/${name}`);
  const states = new Set(UNFINISHED.filter(([name]) => has(name)).map(([, what]) => what));
  const warnings = [...states].map(
    (what) => `${what} is unfinished in ${showPath(root.path)}; what is applied will be among its changes.`,
  );
  if (has('index.lock'))
    warnings.push(`Git seems to be at work in ${showPath(root.path)} (index.lock is there).`);
  return { unmerged, warnings };
}

interface Repository {
  index: GitIndex | undefined;
  /** The project's path in the work tree, with a slash at its end; empty for the top. */
  prefix: string;
  gitDir: string;
}

/** The nearest one, as git looks for it. */
function findRepository(root: HostRoot): Repository | undefined {
  for (
    let top: string = root.path, prefix = '';
    ;
    prefix = `${basename(top)}/${prefix}`, top = dirname(top)
  ) {
    const found = repositoryAt(top, prefix);
    if (found !== undefined || top === dirname(top)) return found === 'unknown' ? undefined : found;
  }
}

function repositoryAt(top: string, prefix: string): Repository | 'unknown' | undefined {
  try {
    using directory = DirectoryHandle.open(top);
    const { kind, index, head, branch } = inspectGit(top as HostPath, directory);
    if (kind === 'none') return undefined;
    if (kind === 'directory') return { index, prefix, gitDir: `${top}/.git` };
    if (index === undefined && head === undefined && branch === undefined) return 'unknown';
    const pointer = readPlainFile(directory, '.git', 4096);
    const target = /^gitdir: ([^\n]+)/.exec(pointer ? decodePath(pointer) : '')?.[1];
    return target === undefined ? 'unknown' : { index, prefix, gitDir: resolve(top, target) };
  } catch {
    // A folder above that this user may not open: git would not find the repository either.
    return undefined;
  }
}
