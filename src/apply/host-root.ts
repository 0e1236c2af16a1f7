/**
 * The project's root, opened once. Every access walks from this handle one component at a time and never through a
 * symlink or onto another file system, so that no swap of a parent can lead out of the project. Folders stay open for the
 * next access, which takes one only where its name still leads to it.
 */
import { type BigIntStats, lstatSync, readdirSync, realpathSync } from 'node:fs';
import { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { decodePath, type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import { type HostState, type ObjectFormat, readEntry } from './host-state.ts';
import { OpenFolders } from './open-folders.ts';

/** Identity of a directory, as text because it is kept in JSON. */
export interface RootId {
  dev: string;
  ino: string;
}

/** A parent of a path that can't be gone through. */
export class BlockedError extends Error {
  readonly depth: number;
  readonly what: 'absent' | 'file' | 'symlink' | 'mount' | 'special';

  constructor(depth: number, what: BlockedError['what']) {
    super(`component ${depth} is ${what}`);
    this.depth = depth;
    this.what = what;
  }
}

export class HostRoot implements Disposable {
  readonly path: HostPath;
  readonly handle: DirectoryHandle;
  readonly #folders = new OpenFolders();
  #uses = 0;

  /** {@link open} is the way to one. */
  constructor(path: HostPath, handle: DirectoryHandle) {
    this.path = path;
    this.handle = handle;
  }

  /**
   * Opens the project's root; the caller owns it. With `expected`, throws `apply/refused` unless it is still that very
   * directory; `session/project-gone` when there is none that can be opened. Refuses `/`.
   */
  static open(path: HostPath, expected?: RootId): HostRoot {
    const root = openRootAt(path);
    if (root.path === '/') {
      root[Symbol.dispose]();
      throw new SafeCoderError('apply/refused', 'The root of the file system is no project.');
    }
    if (expected && (root.id.dev !== expected.dev || root.id.ino !== expected.ino)) {
      root[Symbol.dispose]();
      throw new SafeCoderError(
        'apply/refused',
        `${showPath(path)} is not the folder that the session began in.`,
        {
          hint: 'It was moved or replaced. Put it back, or start a new session in the new one.',
        },
      );
    }
    return root;
  }

  get id(): RootId {
    return { dev: String(this.handle.dev), ino: String(this.handle.ino) };
  }

  /** Runs `use` with the opened directory that holds `path` and the path's last name. Throws {@link BlockedError}. */
  within<T>(path: RelPath, use: (directory: DirectoryHandle, name: string) => T): T {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    return this.#descend(parts, (directory) => use(directory, name));
  }

  /** Runs `use` with the directory at `path` opened; the root itself for ''. Throws {@link BlockedError}. */
  inside<T>(path: RelPath | '', use: (directory: DirectoryHandle) => T): T {
    return this.#descend(path === '' ? [] : path.split('/'), use);
  }

  #descend<T>(parts: string[], use: (directory: DirectoryHandle) => T): T {
    this.#uses += 1;
    try {
      let current = this.handle;
      let path = '';
      for (const [depth, part] of parts.entries()) {
        path += `/${part}`;
        const next = this.#folders.find(path, current, part) ?? this.#step(current, part, depth);
        this.#folders.keep(path, next);
        current = next;
      }
      return use(current);
    } finally {
      this.#uses -= 1;
      // Further out somebody may be at work in any of them.
      if (this.#uses === 0) this.#folders.trim();
    }
  }

  #step(directory: DirectoryHandle, name: string, depth: number): DirectoryHandle {
    let next: DirectoryHandle;
    try {
      next = directory.openDirectory(name);
    } catch (error) {
      const code = errnoOf(error);
      if (code === 'ENOENT') throw new BlockedError(depth, 'absent');
      if (code === 'ENOTDIR' || code === 'ELOOP') throw new BlockedError(depth, kindOf(directory, name));
      if (code === 'EACCES') throw new BlockedError(depth, 'special');
      throw error;
    }
    if (next.dev === this.handle.dev) return next;
    next[Symbol.dispose]();
    throw new BlockedError(depth, 'mount');
  }

  /** What is at `path` now. */
  read(path: RelPath, format: ObjectFormat = 'sha1'): HostState {
    try {
      return this.within(path, (directory, name) => readEntry(directory, name, format));
    } catch (error) {
      if (!(error instanceof BlockedError)) throw error;
      return error.what === 'absent'
        ? { kind: 'absent' }
        : { kind: 'blocked', depth: error.depth, what: error.what };
    }
  }

  /** Facts of the directory at `path`; undefined when there is none (or something else is there). */
  directory(path: RelPath | ''): BigIntStats | undefined {
    if (path === '') return lstatSync(`${this.handle.self}/.`, { bigint: true });
    try {
      return this.within(path, (parent, name) => {
        const stat = lstatSync(parent.entry(name), { bigint: true });
        return stat.isDirectory() ? stat : undefined;
      });
    } catch (error) {
      if (error instanceof BlockedError || errnoOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Names in the directory at `path`; none when there is no such directory. */
  names(path: RelPath | ''): string[] {
    try {
      return this.inside(path, (directory) =>
        readdirSync(directory.self, { encoding: 'buffer' }).map(decodePath),
      );
    } catch (error) {
      if (error instanceof BlockedError) return [];
      throw error;
    }
  }

  [Symbol.dispose](): void {
    this.#folders[Symbol.dispose]();
    this.handle[Symbol.dispose]();
  }
}

/** Identity of a project's root, for the session to remember and to pass to apply. */
export function identifyRoot(path: HostPath): RootId {
  using root = HostRoot.open(path);
  return root.id;
}

function kindOf(directory: DirectoryHandle, name: string): 'symlink' | 'file' | 'special' {
  try {
    const stat = lstatSync(directory.entry(name));
    return stat.isSymbolicLink() ? 'symlink' : stat.isFile() ? 'file' : 'special';
  } catch {
    // It changed again between the two calls; "special" blocks as well as any other answer.
    return 'special';
  }
}

function openRootAt(path: HostPath): HostRoot {
  try {
    const real = realpathSync(path) as HostPath;
    return new HostRoot(real, DirectoryHandle.open(real));
  } catch (cause) {
    const errno = errnoOf(cause);
    if (errno === undefined) throw cause;
    const why = errno === 'ENOENT' ? 'is gone' : `can't be opened (${errno})`;
    throw new SafeCoderError('session/project-gone', `The project ${showPath(path)} ${why}.`, {
      cause,
      hint: 'Put it back where it was. What the session did is still there: "safe-coder export --patch" writes it down.',
    });
  }
}
