/** One file in a tree, found by its path: only the folders on the way are read, each of them once. */
import type { RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import { findTreeEntry, type TreeEntry } from '../git/tree.ts';
import type { TreeReader } from './compare-trees.ts';
import { encodeComponents } from './name-code.ts';

/** Steps remembered before all are forgotten: a walk through history asks for the same folders over and over. */
const MOST_REMEMBERED = 50_000;

/** Remembers what it found, so that trees which share folders cost nothing more. */
export class FileFinder {
  readonly #trees: TreeReader;
  readonly #known = new Map<string, TreeEntry | undefined>();

  constructor(trees: TreeReader) {
    this.#trees = trees;
  }

  /** The file at `path`; undefined where there is none or a folder. Throws `ledger/damaged`. */
  async find(tree: string, path: RelPath): Promise<FileState | undefined> {
    const names = encodeComponents(path);
    const last = names.pop() ?? '';
    let folder = tree;
    for (const name of names) {
      const entry = await this.#step(folder, name);
      if (entry?.mode !== '40000') return undefined;
      folder = entry.oid;
    }
    const entry = await this.#step(folder, last);
    return entry === undefined || entry.mode === '40000' ? undefined : { mode: entry.mode, oid: entry.oid };
  }

  async #step(tree: string, name: string): Promise<TreeEntry | undefined> {
    const key = `${tree} ${name}`;
    if (this.#known.has(key)) return this.#known.get(key);
    const entry = findTreeEntry(this.#trees.format, await this.#trees.read(tree), name);
    if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
    this.#known.set(key, entry);
    return entry;
  }
}
