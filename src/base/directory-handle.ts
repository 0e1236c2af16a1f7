/**
 * A directory held open, and names looked up relative to it, so that nobody can swap a parent for a symlink between
 * a check and its use. Node has no openat(2): `/proc/self/fd/N/name` is its equivalent on Linux.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import { encodePath } from './path-bytes.ts';

const OPEN_DIRECTORY =
  constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

export class DirectoryHandle implements Disposable {
  readonly fd: number;
  readonly dev: bigint;
  readonly ino: bigint;
  /** When it was opened. */
  readonly mode: bigint;
  #isOpen = true;

  private constructor(fd: number) {
    this.fd = fd;
    const stat = fstatSync(fd, { bigint: true });
    this.dev = stat.dev;
    this.ino = stat.ino;
    this.mode = stat.mode;
  }

  /** Opens a directory by path. The last component must not be a symlink; those before it are followed. */
  static open(path: string): DirectoryHandle {
    return new DirectoryHandle(openSync(encodePath(path), OPEN_DIRECTORY));
  }

  /** Opens a directory in this one. Throws ENOTDIR or ELOOP for a symlink, ENOENT when there is none. */
  openDirectory(name: string): DirectoryHandle {
    return new DirectoryHandle(openSync(this.entry(name), OPEN_DIRECTORY));
  }

  /** A path for Node's file functions that names `name` in this very directory. `name` is a single component. */
  entry(name: string): Buffer {
    if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')) {
      throw new Error(`not a file name: ${JSON.stringify(name)}`);
    }
    return Buffer.concat([Buffer.from(`/proc/self/fd/${this.fd}/`), encodePath(name)]);
  }

  /** This directory itself, as a path for Node's file functions. */
  get self(): string {
    return `/proc/self/fd/${this.fd}`;
  }

  [Symbol.dispose](): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeSync(this.fd);
  }
}
