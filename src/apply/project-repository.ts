/** The project's own repository, looked at before anything is written into it. */
import { lstatSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { decodePath, type HostPath } from '../base/path-bytes.ts';
import { inspectGit } from '../workspace/project-git.ts';

export interface ProjectRepository {
  /** What git is told as its directory; for a worktree, the worktree's own. */
  gitDir: HostPath;
  objectFormat: 'sha1' | 'sha256';
}

/**
 * The repository that the project has, if it is plainly the project's: a `.git` directory, or a worktree's pointer that the other
 * side confirms. No symlink may stand where git would write for a branch of this name: it could lead a write anywhere.
 * Throws `usage/bad-argument` where there is none, `apply/refused`.
 */
export function openProjectRepository(project: HostPath, branch: string): ProjectRepository {
  using directory = DirectoryHandle.open(project);
  const git = inspectGit(project, directory);
  if (git.kind === 'none') {
    throw new SafeCoderError('usage/bad-argument', `${project} has no git repository of its own.`, {
      hint: 'Export a patch instead: safe-coder export --patch',
    });
  }
  const dotGit = join(project, '.git');
  const isVerified = git.kind === 'directory' || git.head !== undefined || git.branch !== undefined;
  if (!isVerified) throw refused(`${dotGit} points to a repository that does not point back`);
  const gitDir =
    git.kind === 'directory' ? dotGit : resolve(project, readLine(dotGit).slice('gitdir: '.length));
  const common = git.kind === 'directory' ? gitDir : resolve(gitDir, readLine(join(gitDir, 'commondir')));
  if (git.kind === 'directory' && exists(join(gitDir, 'commondir')))
    throw refused(`${dotGit} keeps its branches in another repository`);
  for (const path of placesWritten(branch)) {
    if (isSymlink(join(common, path))) throw refused(`${join(common, path)} is a symlink`);
  }
  return { gitDir: gitDir as HostPath, objectFormat: git.objectFormat };
}

/** Every file and folder on the way to what git writes for a new branch. */
function placesWritten(branch: string): string[] {
  const folders = ['objects', 'objects/pack', 'objects/info', 'packed-refs'];
  for (const root of ['refs', 'logs', 'logs/refs']) folders.push(root);
  for (const root of ['refs/heads', 'logs/refs/heads', 'refs/safe-coder', 'logs/refs/safe-coder']) {
    folders.push(root);
    const parts = branch.split('/');
    for (let count = 1; count <= parts.length; count++)
      folders.push(`${root}/${parts.slice(0, count).join('/')}`);
  }
  // Two letters each: where git puts objects one by one.
  for (let byte = 0; byte < 256; byte++) folders.push(`objects/${byte.toString(16).padStart(2, '0')}`);
  return folders;
}

function readLine(path: string): string {
  return decodePath(readFileSync(path)).trimEnd();
}

function exists(path: string): boolean {
  return statOf(path) !== undefined;
}

function isSymlink(path: string): boolean {
  return statOf(path)?.isSymbolicLink() ?? false;
}

function statOf(path: string) {
  try {
    return lstatSync(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}

function refused(why: string): SafeCoderError {
  return new SafeCoderError('apply/refused', `No branch is written: ${why}.`, {
    hint: 'Export a bundle instead, and fetch from it: safe-coder export --bundle',
  });
}
