/**
 * Reads the guest's list of changes: what is to be captured, what hides parts of the base, what can't be captured and why.
 * It fetches nothing and decides nothing about content.
 */
import type { RelPath } from '../base/path-bytes.ts';
import type { GuestChange, GuestStat } from '../guest/guest.ts';
import { nameOfErrno } from '../guest/wire-stream.ts';
import { type BaseIndex, parentOf } from './base-index.ts';
import { isGitName } from './dot-git.ts';
import type { Known } from './known.ts';
import type { SkippedPath } from './sandbox.ts';

const MAX_EXAMPLES = 5;
const SETID_BITS = 0o6000;

export class Survey {
  /** Files and symlinks to capture. */
  readonly files = new Map<RelPath, GuestChange>();
  /** Base files at these paths are gone, unless they are in `files`. */
  readonly hidden = new Set<RelPath>();
  /** Base files below these paths are gone, unless they are in `files`. */
  readonly hiddenBelow = new Set<RelPath>();
  /** These paths keep the state they had. */
  readonly kept = new Set<string>();
  /** Everything at and below these paths keeps the state it had. */
  readonly keptTrees = new Set<string>();
  readonly skipped: SkippedPath[] = [];
  readonly ignored = { count: 0, examples: [] as string[] };
  /** See {@link Known.ignoredDirectories}. */
  readonly ignoredDirectories = new Map<RelPath, number>();
  readonly emptyDirectories = new Set<RelPath>();
  git: GuestStat | undefined;
  /** The newest change time in the list: what a slow clock in the guest says "now" is. */
  newestNs = 0n;
  readonly #base: BaseIndex;
  readonly #known: Known;
  readonly #maxFileBytes: number;
  readonly #forced: ReadonlySet<RelPath>;
  /** Directories in an ignored one, with the topmost that may be pruned, or undefined when none may. */
  readonly #insideIgnored = new Map<string, RelPath | undefined>();
  readonly #nestedGit = new Map<string, RelPath>();
  readonly #nestedGitFiles = new Map<RelPath, number>();

  constructor(
    base: BaseIndex,
    known: Known,
    options: { maxFileBytes: number; forced: ReadonlySet<RelPath> },
  ) {
    this.#base = base;
    this.#known = known;
    this.#maxFileBytes = options.maxFileBytes;
    this.#forced = options.forced;
  }

  /** Takes one change; parents come before children. */
  add(change: GuestChange): void {
    const { path, stat } = change;
    if (path === '.git') {
      this.git = stat;
      return;
    }
    const parent = parentOf(path);
    if (parent === '.git' || path.startsWith('.git/')) return;
    if (this.#isNestedGit(path, parent, stat)) return;
    if (stat.ctimeNs > this.newestNs) this.newestNs = stat.ctimeNs;
    if (stat.kind === 'deleted') {
      this.hidden.add(path);
      this.hiddenBelow.add(path);
      return;
    }
    this.emptyDirectories.delete(parent as RelPath);
    if (stat.kind === 'directory') this.#addDirectory(path, parent, stat);
    else this.#addOther(change, parent);
  }

  /** Closes the survey: sums that are known only at the end. */
  finish(): void {
    for (const [path, count] of this.#nestedGitFiles) {
      this.#skip(path, 'nested-git', count === 0 ? undefined : `${count} files`);
    }
    for (const path of this.emptyDirectories) {
      if (!this.#known.emptyDirectories.has(path)) this.#skip(path, 'empty-directory');
    }
  }

  /** True for a path whose earlier state stays, itself or with a directory above it. */
  isKept(path: RelPath): boolean {
    if (this.kept.has(path)) return true;
    if (this.keptTrees.size === 0) return false;
    for (let at: string = path; at !== ''; at = parentOf(at)) {
      if (this.keptTrees.has(at)) return true;
    }
    return false;
  }

  /** True when the list says that something else is at this path now, or that nothing can be. */
  isReplaced(path: RelPath): boolean {
    if (this.hidden.has(path)) return true;
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      if (this.hiddenBelow.has(at as RelPath)) return true;
    }
    return false;
  }

  #isNestedGit(path: RelPath, parent: string, stat: GuestStat): boolean {
    const outer = this.#nestedGit.get(parent);
    if (outer !== undefined) {
      this.#nestedGit.set(path, outer);
      if (stat.kind !== 'directory') {
        this.#nestedGitFiles.set(outer, (this.#nestedGitFiles.get(outer) ?? 0) + 1);
      }
      return true;
    }
    if (!isGitName(path.slice(parent === '' ? 0 : parent.length + 1))) return false;
    if (stat.kind === 'deleted') return false;
    if (this.#insideIgnored.has(parent)) return false;
    this.#nestedGit.set(path, path);
    this.#nestedGitFiles.set(path, 0);
    this.keptTrees.add(path);
    this.emptyDirectories.delete(parent as RelPath);
    return true;
  }

  #addDirectory(path: RelPath, parent: string, stat: GuestStat): void {
    this.hidden.add(path);
    if (stat.isOpaque) this.hiddenBelow.add(path);
    const isInside = this.#insideIgnored.has(parent);
    const isIgnored = isInside || this.#base.isIgnored(path, true);
    if (isIgnored) {
      const canPrune = !this.#base.isDirectory(path);
      const top = this.#insideIgnored.get(parent) ?? (canPrune ? path : undefined);
      this.#insideIgnored.set(path, top);
      if (top === path) this.ignoredDirectories.set(path, 0);
      if (stat.isPruned) this.#countPruned(path);
    } else if (!stat.isPruned && !stat.isMount && (stat.isOpaque || !this.#base.isDirectory(path))) {
      this.emptyDirectories.add(path);
    }
    if (stat.isPruned) this.keptTrees.add(path);
    if (stat.isMount) {
      this.keptTrees.add(path);
      if (!isIgnored) this.#skip(path, 'mount');
    }
  }

  #countPruned(path: RelPath): void {
    const count = this.#known.ignoredDirectories.get(path) ?? 1;
    this.ignoredDirectories.set(path, count);
    this.#countIgnored(`${path}/`, count);
  }

  #countIgnored(example: string, count: number): void {
    this.ignored.count += count;
    if (this.ignored.examples.length < MAX_EXAMPLES) this.ignored.examples.push(example);
  }

  #addOther(change: GuestChange, parent: string): void {
    const { path, stat } = change;
    this.hidden.add(path);
    if (stat.kind === 'unreadable' || stat.kind === 'too-deep') this.keptTrees.add(path);
    else this.hiddenBelow.add(path);
    if (this.#isIgnoredFile(path, parent)) {
      const top = this.#insideIgnored.get(parent);
      if (top !== undefined) this.ignoredDirectories.set(top, (this.ignoredDirectories.get(top) ?? 0) + 1);
      this.#countIgnored(path, 1);
      return;
    }
    switch (stat.kind) {
      case 'special':
        this.#skip(path, 'special');
        return;
      case 'unreadable':
        this.#skip(path, 'unreadable', nameOfErrno(stat.mode));
        return;
      case 'too-deep':
        this.#skip(path, 'too-deep');
        return;
      case 'file':
        if (stat.size > this.#maxFileBytes) {
          this.kept.add(path);
          this.#skip(path, 'too-large', `${stat.size} bytes`);
          return;
        }
        if ((stat.mode & SETID_BITS) !== 0) this.#skip(path, 'setuid', `mode ${stat.mode.toString(8)}`);
        this.files.set(path, change);
        return;
      default:
        this.files.set(path, change);
    }
  }

  /** What the base tracks, or a file tool wrote, is captured even when a rule covers it. */
  #isIgnoredFile(path: RelPath, parent: string): boolean {
    if (this.#base.get(path) !== undefined || this.#forced.has(path)) return false;
    return this.#insideIgnored.has(parent) || this.#base.isIgnored(path, false);
  }

  #skip(path: RelPath, reason: SkippedPath['reason'], detail?: string): void {
    this.skipped.push({ path, reason, ...(detail === undefined ? {} : { detail }) });
  }
}
