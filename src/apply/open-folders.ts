/** Folders that were walked through and are kept open, so that a thousand steps do not open the same ones a thousand times. */
import { type BigIntStats, lstatSync } from 'node:fs';
import type { DirectoryHandle } from '../base/directory-handle.ts';

const MAX_OPEN = 64;

/** Owns the handles that it keeps. */
export class OpenFolders implements Disposable {
  /** By path; the one used last is last. */
  readonly #handles = new Map<string, DirectoryHandle>();
  /** Their names lead elsewhere by now; somebody may still be at work in them. */
  readonly #stale: DirectoryHandle[] = [];

  /**
   * The handle kept for a path, if `name` in its parent is that very directory at this moment, with the same permissions: not a
   * symlink, another folder or a mount in its place. An open directory's inode number can't be taken by another one.
   */
  find(path: string, parent: DirectoryHandle, name: string): DirectoryHandle | undefined {
    const kept = this.#handles.get(path);
    if (kept === undefined) return undefined;
    const now = look(parent, name);
    if (now?.ino === kept.ino && now.dev === kept.dev && now.mode === kept.mode) return kept;
    this.#handles.delete(path);
    this.#stale.push(kept);
    return undefined;
  }

  /** Takes over a handle, as the one used last. */
  keep(path: string, handle: DirectoryHandle): void {
    this.#handles.delete(path);
    this.#handles.set(path, handle);
  }

  /** Closes those that have not been used for longest, down to the limit. For when nobody is at work in any of them. */
  trim(): void {
    for (const handle of this.#stale.splice(0)) handle[Symbol.dispose]();
    for (const [path, handle] of this.#handles) {
      if (this.#handles.size <= MAX_OPEN) return;
      this.#handles.delete(path);
      handle[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    for (const handle of [...this.#handles.values(), ...this.#stale.splice(0)]) handle[Symbol.dispose]();
    this.#handles.clear();
  }
}

function look(parent: DirectoryHandle, name: string): BigIntStats | undefined {
  try {
    return lstatSync(parent.entry(name), { bigint: true, throwIfNoEntry: false });
  } catch {
    // Whatever it is, opening it anew meets the same and knows what to say.
    return undefined;
  }
}
