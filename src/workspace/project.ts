/** The host's project: checked, and held open by its root directory so that it can't be swapped for another. */
import { realpathSync, statSync } from 'node:fs';
import { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { decodePath, encodePath, type HostPath, showPath } from '../base/path-bytes.ts';
import { type RootsToAvoid, unsafeRootReason } from '../policy/roots.ts';
import { inspectGit, type ProjectGit } from './project-git.ts';

/** An open project. Whoever opened it disposes of it. */
export interface Project extends Disposable {
  /** Absolute, links resolved. */
  readonly root: HostPath;
  readonly directory: DirectoryHandle;
  readonly git: ProjectGit;
}

/**
 * Opens a folder as a project. `path` is absolute. Throws `usage/no-such-path`, `usage/not-a-directory`,
 * `workspace/unreadable` or `workspace/unsafe-root`.
 */
export function openProject(path: HostPath, avoid: RootsToAvoid): Project {
  const root = resolveRoot(path);
  const reason = unsafeRootReason(root, avoid);
  if (reason !== undefined) {
    throw new SafeCoderError('workspace/unsafe-root', `${showPath(root)} ${reason}; it can't be a project.`, {
      hint: 'Start in the folder of one project, or name it with --path DIR.',
    });
  }
  const directory = openRoot(root);
  return {
    root,
    directory,
    git: inspectGit(root, directory),
    [Symbol.dispose]: () => directory[Symbol.dispose](),
  };
}

function resolveRoot(path: HostPath): HostPath {
  let root: HostPath;
  try {
    root = decodePath(realpathSync(encodePath(path), { encoding: 'buffer' })) as HostPath;
    if (statSync(encodePath(root)).isDirectory()) return root;
  } catch (error) {
    throw openFailure(path, error);
  }
  throw new SafeCoderError('usage/not-a-directory', `${showPath(root)} is not a directory.`, {
    hint: 'Name the folder of a project with --path DIR.',
  });
}

function openRoot(root: HostPath): DirectoryHandle {
  try {
    return DirectoryHandle.open(root);
  } catch (error) {
    throw openFailure(root, error);
  }
}

function openFailure(path: HostPath, cause: unknown): SafeCoderError {
  const errno = errnoOf(cause);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') {
    return new SafeCoderError('usage/no-such-path', `There is no folder ${showPath(path)}.`, {
      cause,
      hint: 'Name the folder of a project with --path DIR.',
    });
  }
  return new SafeCoderError(
    'workspace/unreadable',
    `The folder ${showPath(path)} can't be read (${errno}).`,
    {
      cause,
      hint: 'Check its permissions, or start as the user who owns it.',
    },
  );
}
