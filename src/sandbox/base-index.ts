/** The base manifest with what capture asks of it: what lies below a directory. */
import type { RelPath } from '../base/path-bytes.ts';
import type { BaseFile, BaseManifest } from './project-source.ts';

export class BaseIndex {
  readonly manifest: BaseManifest;
  #directories: Set<string> | undefined;
  #sorted: RelPath[] | undefined;
  readonly #ignoredDirectories = new Map<RelPath, boolean>();

  constructor(manifest: BaseManifest) {
    this.manifest = manifest;
  }

  get(path: RelPath): BaseFile | undefined {
    return this.manifest.files.get(path);
  }

  /** True when the base has a file somewhere below this path. */
  isDirectory(path: string): boolean {
    this.#directories ??= directoriesOf(this.manifest.files.keys());
    return this.#directories.has(path);
  }

  /** The base's files below a directory, at any depth. */
  *filesBelow(directory: string): Generator<RelPath> {
    if (!this.isDirectory(directory)) return;
    this.#sorted ??= [...this.manifest.files.keys()].sort();
    const prefix = `${directory}/`;
    for (let at = firstAtLeast(this.#sorted, prefix); at < this.#sorted.length; at++) {
      const path = this.#sorted[at];
      if (!path?.startsWith(prefix)) return;
      yield path;
    }
  }

  /** The base's ignore rules, remembered for directories: a walk asks for each of them every time. */
  isIgnored(path: RelPath, isDirectory: boolean): boolean {
    if (!isDirectory) return this.manifest.isIgnored(path, false);
    let answer = this.#ignoredDirectories.get(path);
    if (answer === undefined) {
      answer = this.manifest.isIgnored(path, true);
      // A guest that makes and removes directories forever must not fill our memory.
      if (this.#ignoredDirectories.size > 500_000) this.#ignoredDirectories.clear();
      this.#ignoredDirectories.set(path, answer);
    }
    return answer;
  }
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '' : path.slice(0, slash);
}

function directoriesOf(paths: Iterable<string>): Set<string> {
  const found = new Set<string>();
  for (const path of paths) {
    for (let parent = parentOf(path); parent !== '' && !found.has(parent); parent = parentOf(parent)) {
      found.add(parent);
    }
  }
  return found;
}

/** Index of the first item that isn't less than `value`, in a sorted list. */
function firstAtLeast(sorted: readonly string[], value: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? '') < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
