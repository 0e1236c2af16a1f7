/**
 * The order that a list of changes must keep: each path once, below a directory that was reported and descended into. With it
 * the list is a tree, whatever the guest means by it.
 */
import type { RelPath } from '../base/path-bytes.ts';
import { badFrame } from '../protocol/bad-frame.ts';
import type { ChangedEntry } from '../protocol/entry-decoder.ts';

export class ChangeOrder {
  readonly #prune: ReadonlySet<RelPath>;
  readonly #seen = new Set<RelPath>();
  readonly #descended = new Set<string>();

  constructor(prune: readonly RelPath[]) {
    this.#prune = new Set(prune);
  }

  /**
   * True for a path that is new; false for one that came before, which a directory that changes while it is read can
   * bring about. Throws `guest/bad-frame` for a path that has no place in the tree.
   */
  admit({ path, stat }: ChangedEntry): boolean {
    const slash = path.lastIndexOf('/');
    if (slash > 0 && !this.#descended.has(path.slice(0, slash))) {
      throw badFrame('a path whose directory was not reported before it');
    }
    if (stat.isPruned && path !== '.git' && !this.#prune.has(path)) {
      throw badFrame('a directory left out that nobody asked to leave out');
    }
    if (this.#seen.has(path)) return false;
    this.#seen.add(path);
    if (stat.kind === 'directory' && !stat.isPruned && !stat.isMount) this.#descended.add(path);
    return true;
  }
}
