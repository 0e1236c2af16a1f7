/**
 * Walks a directory tree through open directory handles: no symlink is ever followed, no other file system entered, and a
 * directory that is swapped for something else meanwhile is not entered either. Names and paths hold one byte per
 * character (latin1): strings that any file name survives in, and that sort as bytes do.
 */
import { type Dirent, fstatSync, readdirSync } from 'node:fs';
import { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { decodePath } from '../base/path-bytes.ts';
import { MAX_DEPTH, MAX_PATH_BYTES } from './limits.ts';

export type SkipReason =
  | 'special'
  | 'unreadable'
  | 'too-deep'
  | 'mount'
  | 'vanished'
  | 'unstable'
  | 'too-large'
  | 'git';

export interface DirectoryMeta {
  mode: number;
  mtimeNs: bigint;
}

/** A directory that the walk is in. Only valid until it is left. */
export interface WalkedDirectory {
  readonly handle: DirectoryHandle;
  /** Path for Node's file functions of what is in it: this plus a name. */
  readonly prefix: string;
  /** '' for the root. */
  readonly path: string;
  readonly name: string;
  readonly meta: DirectoryMeta;
}

export interface DirectoryStep {
  kind: 'enter' | 'leave';
  directory: WalkedDirectory;
}

export interface NodeStep {
  kind: 'file' | 'symlink';
  directory: WalkedDirectory;
  name: string;
  path: string;
}

export interface SkipStep {
  kind: 'skip';
  path: string;
  reason: SkipReason;
  detail?: string;
}

export type WalkStep = DirectoryStep | NodeStep | SkipStep;

export interface WalkOptions {
  /** Asked before a directory is opened; false leaves it out. */
  admits(path: string): boolean;
}

interface Frame {
  directory: WalkedDirectory;
  /** Directories still to enter, last first. */
  pending: string[];
}

/** Files and links of a directory come before its directories. Handles are closed however the walk ends. */
export function* walk(root: DirectoryHandle, options: WalkOptions): Generator<WalkStep> {
  const frames: Frame[] = [];
  try {
    yield* enter(root, '', '', frames, options);
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const name = frame.pending.pop();
      if (name === undefined) {
        yield { kind: 'leave', directory: frame.directory };
        frames.pop();
        if (frames.length > 0) frame.directory.handle[Symbol.dispose]();
        continue;
      }
      const path = join(frame.directory.path, name);
      if (frames.length >= MAX_DEPTH || path.length > MAX_PATH_BYTES) {
        yield { kind: 'skip', path, reason: 'too-deep' };
        continue;
      }
      const opened = openDirectory(frame.directory.handle, name, root.dev);
      if (opened instanceof DirectoryHandle) yield* enter(opened, name, path, frames, options);
      else yield { kind: 'skip', path, ...opened };
    }
  } finally {
    for (const frame of frames.slice(1)) frame.directory.handle[Symbol.dispose]();
  }
}

function* enter(
  handle: DirectoryHandle,
  name: string,
  path: string,
  frames: Frame[],
  options: WalkOptions,
): Generator<WalkStep> {
  const stat = fstatSync(handle.fd, { bigint: true });
  const meta = { mode: Number(stat.mode & 0o777n), mtimeNs: stat.mtimeNs };
  const directory = { handle, prefix: `${handle.self}/`, path, name, meta };
  const frame: Frame = { directory, pending: [] };
  frames.push(frame);
  let entries: Dirent[];
  try {
    entries = readdirSync(handle.self, { encoding: 'latin1', withFileTypes: true });
  } catch (error) {
    if (path === '') throw unreadableRoot(error);
    yield { kind: 'enter', directory };
    yield { kind: 'skip', path, reason: 'unreadable', detail: errnoOf(error) ?? 'unknown error' };
    return;
  }
  yield { kind: 'enter', directory };
  // Ignore rules must be known before what they are about.
  const rules = entries.findIndex((entry) => entry.name === '.gitignore');
  if (rules > 0) entries.unshift(...entries.splice(rules, 1));
  for (const entry of entries) {
    const { name } = entry;
    const below = join(path, name);
    if (entry.isFile()) yield { kind: 'file', directory, name, path: below };
    else if (entry.isSymbolicLink()) yield { kind: 'symlink', directory, name, path: below };
    else if (!entry.isDirectory())
      yield { kind: 'skip', path: below, reason: 'special', detail: nameKind(entry) };
    else if (options.admits(below)) frame.pending.push(name);
  }
  frame.pending.reverse();
}

function unreadableRoot(cause: unknown): SafeCoderError {
  return new SafeCoderError(
    'workspace/unreadable',
    `The project's folder can't be listed (${errnoOf(cause)}).`,
    {
      cause,
      hint: 'Check its permissions, or start as the user who owns it.',
    },
  );
}

function openDirectory(
  parent: DirectoryHandle,
  name: string,
  device: bigint,
): DirectoryHandle | { reason: SkipReason; detail?: string } {
  let handle: DirectoryHandle;
  try {
    handle = parent.openDirectory(decodePath(Buffer.from(name, 'latin1')));
  } catch (error) {
    return skipFor(error);
  }
  if (handle.dev === device) return handle;
  handle[Symbol.dispose]();
  return { reason: 'mount', detail: 'another file system' };
}

/** Why something that was listed a moment ago could not be opened. */
export function skipFor(error: unknown): { reason: SkipReason; detail: string } {
  const detail = errnoOf(error);
  switch (detail) {
    case 'ENOENT':
      return { reason: 'vanished', detail: 'removed while it was copied' };
    case 'ENOTDIR':
    case 'ELOOP':
    case 'ENXIO':
      return { reason: 'vanished', detail: 'replaced while it was copied' };
    case 'EACCES':
    case 'EPERM':
    case 'EIO':
    case 'ENODEV':
    case 'EBUSY':
    case 'ESTALE':
    case 'ETXTBSY':
    case 'ENAMETOOLONG':
    case 'EOVERFLOW':
      return { reason: 'unreadable', detail };
    default:
      throw error;
  }
}

function nameKind(entry: Dirent): string {
  if (entry.isFIFO()) return 'FIFO';
  if (entry.isSocket()) return 'socket';
  if (entry.isBlockDevice() || entry.isCharacterDevice()) return 'device';
  return 'unknown kind';
}

function join(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** A path of this walk for Node's file functions. */
export function openable(prefix: string, name: string): string | Buffer {
  // Strings become UTF-8 on their way to the kernel, which is right for ASCII alone.
  return /[\x80-\xff]/.test(name) ? Buffer.from(prefix + name, 'latin1') : prefix + name;
}
