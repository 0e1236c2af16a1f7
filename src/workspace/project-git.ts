/** What the project's own git repository says, read from plain files and never by running git. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import { DirectoryHandle } from '../base/directory-handle.ts';
import { decodePath, encodePath, type HostPath } from '../base/path-bytes.ts';
import { gitSetting, MAX_GIT_CONFIG_BYTES, parseGitConfig } from './git-config.ts';
import { type GitIndex, parseGitIndex } from './git-index.ts';

export interface ProjectGit {
  /** How `.git` looks: a directory; a file that points elsewhere (a worktree or submodule); or nothing. */
  readonly kind: 'directory' | 'pointer' | 'none';
  readonly objectFormat: 'sha1' | 'sha256';
  /** Where the project keeps its objects. Undefined when that is not plainly inside it. */
  readonly objectsFolder: HostPath | undefined;
  /** Commit that is checked out, for information. */
  readonly head: string | undefined;
  readonly branch: string | undefined;
  /** What git tracks; undefined when there is no index or it can't be read. */
  readonly index: GitIndex | undefined;
  /** Whether some of its objects are kept in another repository, which does not come along. */
  readonly hasAlternates: boolean;
  /** Bytes of info/exclude. */
  readonly exclude: Buffer | undefined;
}

/** A larger index is not read: no path counts as tracked then. */
const MAX_INDEX_BYTES = 256 << 20;
const MAX_REFERENCE_BYTES = 64 << 20;
const MAX_LINE_BYTES = 4096;

/** Looks at the `.git` of an open project. Never throws for what the repository holds. */
export function inspectGit(root: HostPath, directory: DirectoryHandle): ProjectGit {
  using git = tryOpen(directory, '.git');
  if (git === undefined) return inspectPointer(root, directory);
  const objectFormat = readObjectFormat(git);
  const indexBytes = readPlainFile(git, 'index', MAX_INDEX_BYTES);
  using objects = tryOpen(git, 'objects');
  using objectsInfo = objects && tryOpen(objects, 'info');
  using info = tryOpen(git, 'info');
  return {
    kind: 'directory',
    objectFormat,
    objectsFolder: objects && (`${root}/.git/objects` as HostPath),
    ...readHead(git, git),
    index: indexBytes && parseGitIndex(indexBytes, objectFormat),
    hasAlternates:
      objectsInfo !== undefined && readPlainFile(objectsInfo, 'alternates', 1 << 20) !== undefined,
    exclude: info && readPlainFile(info, 'exclude', 1 << 20),
  };
}

const NO_GIT: ProjectGit = {
  kind: 'none',
  objectFormat: 'sha1',
  objectsFolder: undefined,
  head: undefined,
  branch: undefined,
  index: undefined,
  hasAlternates: false,
  exclude: undefined,
};

/**
 * A worktree's repository is elsewhere on the host. It is believed only if it points back here, so that a project can't
 * make us read somebody else's; and then no more is taken from it than what git tracks and which branch this is.
 */
function inspectPointer(root: HostPath, directory: DirectoryHandle): ProjectGit {
  const text = readPlainFile(directory, '.git', MAX_LINE_BYTES);
  if (text === undefined) return NO_GIT;
  const unknown = { ...NO_GIT, kind: 'pointer' } as const;
  const target = /^gitdir: ([^\n]+)\n?$/.exec(decodePath(text))?.[1];
  using git = target === undefined ? undefined : tryOpenPath(resolve(root, target));
  const back = git && readPlainFile(git, 'gitdir', MAX_LINE_BYTES);
  const commonPath = git && readPlainFile(git, 'commondir', MAX_LINE_BYTES);
  if (target === undefined || git === undefined || back === undefined || commonPath === undefined)
    return unknown;
  if (decodePath(back).trimEnd() !== `${root}/.git`) return unknown;
  using common = tryOpenPath(resolve(root, target, decodePath(commonPath).trimEnd()));
  if (common === undefined) return unknown;
  const objectFormat = readObjectFormat(common);
  const indexBytes = readPlainFile(git, 'index', MAX_INDEX_BYTES);
  using info = tryOpen(common, 'info');
  return {
    ...unknown,
    objectFormat,
    ...readHead(git, common),
    index: indexBytes && parseGitIndex(indexBytes, objectFormat),
    exclude: info && readPlainFile(info, 'exclude', 1 << 20),
  };
}

function readObjectFormat(git: DirectoryHandle): 'sha1' | 'sha256' {
  const config = readPlainFile(git, 'config', MAX_GIT_CONFIG_BYTES)?.toString('latin1') ?? '';
  const declared = gitSetting(parseGitConfig(config), 'extensions', 'objectformat');
  return declared?.toLowerCase() === 'sha256' ? 'sha256' : 'sha1';
}

/** References are in `common`, which for a worktree is another directory than the one with its HEAD. */
function readHead(
  git: DirectoryHandle,
  common: DirectoryHandle,
): { head: string | undefined; branch: string | undefined } {
  const text = readPlainFile(git, 'HEAD', MAX_LINE_BYTES)?.toString('latin1').trim() ?? '';
  if (/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)) return { head: text, branch: undefined };
  const reference = /^ref: (refs\/heads\/([^\x00-\x20\x7f~^:?*[\\]+))$/.exec(text);
  if (reference === null) return { head: undefined, branch: undefined };
  const [, name = '', branch = ''] = reference;
  return {
    head: readLooseReference(common, name) ?? readPackedReference(common, name),
    branch: decodePath(Buffer.from(branch, 'latin1')),
  };
}

function readLooseReference(git: DirectoryHandle, name: string): string | undefined {
  const parts = name.split('/');
  const last = parts.pop();
  if (last === undefined || [...parts, last].some((part) => part === '' || part === '.' || part === '..')) {
    return undefined;
  }
  return readReferenceIn(git, parts, last);
}

/** Opens one folder after another; each is closed when the next is done with. */
function readReferenceIn(
  folder: DirectoryHandle,
  parts: readonly string[],
  name: string,
): string | undefined {
  const [next, ...rest] = parts;
  if (next !== undefined) {
    using inner = tryOpen(folder, decodePath(Buffer.from(next, 'latin1')));
    return inner && readReferenceIn(inner, rest, name);
  }
  const text = readPlainFile(folder, decodePath(Buffer.from(name, 'latin1')), MAX_LINE_BYTES);
  const oid = text?.toString('latin1').trim();
  return oid !== undefined && /^[0-9a-f]{40,64}$/.test(oid) ? oid : undefined;
}

function readPackedReference(git: DirectoryHandle, name: string): string | undefined {
  const packed = readPlainFile(git, 'packed-refs', MAX_REFERENCE_BYTES);
  const at = packed?.indexOf(` ${name}\n`, 0, 'latin1') ?? -1;
  if (packed === undefined || at < 0) return undefined;
  const line = packed.toString('latin1', packed.lastIndexOf('\n', at) + 1, at);
  return /^[0-9a-f]{40,64}$/.test(line) ? line : undefined;
}

function tryOpen(parent: DirectoryHandle, name: string): DirectoryHandle | undefined {
  try {
    return parent.openDirectory(name);
  } catch {
    // Not there, not a directory or not readable: then git has nothing to say here.
    return undefined;
  }
}

function tryOpenPath(path: string): DirectoryHandle | undefined {
  try {
    return DirectoryHandle.open(path);
  } catch {
    // Not there, not a directory or not readable: the pointer leads nowhere.
    return undefined;
  }
}

/** The bytes of a regular file that is no larger than `maxBytes`; undefined for anything else. */
export function readPlainFile(parent: DirectoryHandle, name: string, maxBytes: number): Buffer | undefined {
  let fd: number;
  try {
    fd = openSync(parent.entry(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch {
    // Not there, a link or not readable.
    return undefined;
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > maxBytes) return undefined;
    const bytes = Buffer.alloc(stat.size);
    let done = 0;
    for (let got = -1; done < bytes.length && got !== 0; done += got) {
      got = readSync(fd, bytes, done, bytes.length - done, done);
    }
    return bytes.subarray(0, done);
  } catch {
    // EIO and the like: as good as unreadable.
    return undefined;
  } finally {
    closeSync(fd);
  }
}

/** A path as the walk has it: one byte per character. */
export function toBytePath(path: string): string {
  return encodePath(path).toString('latin1');
}
