/** Folders that were read and parsed lately: neighbours in a history share nearly all of theirs. */
import type { TreeEntry } from '../git/tree.ts';

/** The entries of one folder by name. */
export type ParsedTree = ReadonlyMap<string, TreeEntry>;

/** Entries of all folders together; one takes some 200 bytes. */
const MOST_ENTRIES = 60_000;

export class ParsedTrees {
  /** By tree id; the one used last is last. */
  readonly #trees = new Map<string, ParsedTree>();
  #entries = 0;

  get(oid: string): ParsedTree | undefined {
    const tree = this.#trees.get(oid);
    if (tree === undefined) return undefined;
    this.#trees.delete(oid);
    this.#trees.set(oid, tree);
    return tree;
  }

  /** Keeps it in the place of those that have not been used for longest. */
  add(oid: string, tree: ParsedTree): void {
    if (tree.size > MOST_ENTRIES || this.#trees.has(oid)) return;
    this.#trees.set(oid, tree);
    this.#entries += tree.size;
    for (const [old, { size }] of this.#trees) {
      if (this.#entries <= MOST_ENTRIES) return;
      this.#trees.delete(old);
      this.#entries -= size;
    }
  }
}
