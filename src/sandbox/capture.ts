/**
 * Capture: what changed in the workspace since the capture before. The cost is that of what changed where the guest can
 * list its overlay's upper layer, and that of a walk elsewhere; bytes are read only where stamps can't vouch for them,
 * except by a sweep, which reads everything with the guest frozen.
 */
import { isSafeCoderError } from '../base/errors.ts';
import type { RelPath } from '../base/path-bytes.ts';
import type { Guest, GuestStat } from '../guest/guest.ts';
import { BaseIndex, parentOf } from './base-index.ts';
import { collect } from './collect.ts';
import { isGitName } from './dot-git.ts';
import { isSameFile, type Known, NOTHING_KNOWN, type Seen } from './known.ts';
import type { BaseFile, BaseManifest } from './project-source.ts';
import type { BlobSink, Capture, CapturedFile, SkippedPath } from './sandbox.ts';
import { Survey } from './survey.ts';

export interface CaptureLimits {
  /** A larger file is skipped as `too-large`. */
  maxFileBytes: number;
  /** What one capture may bring in; files beyond it are skipped as `budget` and tried again next time. */
  maxTotalBytes: number;
  /** Changes listed by the guest. Beyond it the capture is partial and says so. */
  maxEntries: number;
}

export const DEFAULT_LIMITS: CaptureLimits = {
  maxFileBytes: 50 << 20,
  maxTotalBytes: 1 << 30,
  maxEntries: 500_000,
};

export interface CapturerOptions {
  mode: 'overlay' | 'walk';
  limits?: Partial<CaptureLimits>;
  /** The time in nanoseconds since the epoch. */
  now?: () => bigint;
}

/** Prune lists travel in one payload. */
const MAX_PRUNED = 1000;
const MAX_PRUNED_BYTES = 200_000;
/** Stamps of files written by the set-up itself are trusted, but for those of its very last moments. */
const LEARN_RACY_NS = 20_000_000n;

export class Capturer {
  readonly #guest: Guest;
  readonly #base: BaseIndex;
  readonly #mode: 'overlay' | 'walk';
  readonly #limits: CaptureLimits;
  readonly #now: () => bigint;
  #known: Known = NOTHING_KNOWN;
  #git: GuestStat | undefined;
  #isFrozen = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(guest: Guest, manifest: BaseManifest, options: CapturerOptions) {
    this.#guest = guest;
    this.#base = new BaseIndex(manifest);
    this.#mode = options.mode;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#now = options.now ?? (() => BigInt(Date.now()) * 1_000_000n);
  }

  /** Learns the stamps of what was put in, before anything ran: a first capture then reads nothing. */
  async learn(): Promise<void> {
    const { survey } = await this.#list(new Set(), []);
    this.#git = survey.git;
    if (this.#mode === 'overlay') return;
    const seen = new Map<RelPath, Seen>();
    for (const [path, { stat }] of survey.files) {
      const file = this.#base.get(path);
      // Anything else than what the base says was put in is read by the first capture.
      if (
        file === undefined ||
        file.size !== stat.size ||
        (file.mode === '120000') !== (stat.kind === 'symlink')
      ) {
        continue;
      }
      const { ino, size, mtimeNs, ctimeNs, mode } = stat;
      const isRacy = survey.newestNs - ctimeNs < LEARN_RACY_NS;
      seen.set(path, { ino, size, mtimeNs, ctimeNs, mode, isRacy, file });
    }
    this.#known = {
      ...NOTHING_KNOWN,
      seen,
      // What could not be captured when the project was put in is the base's affair, not this capture's.
      skips: new Set(survey.skipped.map(skipKey)),
      emptyDirectories: survey.emptyDirectories,
      ignoredDirectories: survey.ignoredDirectories,
    };
  }

  /** One at a time, in the order asked. A capture that throws changed nothing: the next one sees it all again. */
  capture(sink: BlobSink, options: { sweep: boolean; alsoWrote: RelPath[] }): Promise<Capture> {
    const run = () => (options.sweep ? this.#sweep(sink, options) : this.#capture(sink, options, false));
    const result = this.#last.then(run, run);
    this.#last = result;
    return result;
  }

  /** See {@link Sandbox.whileFrozen}. */
  async whileFrozen<T>(work: () => Promise<T>): Promise<T> {
    if (this.#isFrozen) return work();
    this.#isFrozen = await this.#freeze();
    try {
      return await work();
    } finally {
      if (this.#isFrozen) await this.#thaw();
    }
  }

  /** A sweep freezes the guest. Where that can't be, it still reads everything, and says that it is no sweep. */
  #sweep(sink: BlobSink, options: { sweep: boolean; alsoWrote: RelPath[] }): Promise<Capture> {
    return this.whileFrozen(() => this.#capture(sink, options, this.#isFrozen));
  }

  async #freeze(): Promise<boolean> {
    try {
      await this.#guest.freeze();
      return true;
    } catch (error) {
      if (!isSafeCoderError(error, 'guest/failed')) throw error;
      return false;
    }
  }

  async #thaw(): Promise<void> {
    this.#isFrozen = false;
    await this.#guest.thaw();
  }

  async #capture(
    sink: BlobSink,
    options: { sweep: boolean; alsoWrote: RelPath[] },
    isFrozen: boolean,
  ): Promise<Capture> {
    const known = this.#known;
    // Nothing of a git directory is captured, whoever wrote it.
    const wrote = options.alsoWrote.filter((path) => !path.split('/').some(isGitName));
    const forced = new Set([...known.forced, ...wrote]);
    const nowNs = this.#now();
    const { survey, truncated } = await this.#list(forced, options.sweep ? [] : prunable(known));
    const collected = await collect(this.#guest, sink, survey.files, unlisted(forced, survey), known.seen, {
      ...this.#limits,
      isSweep: options.sweep,
      nowNs,
      newestNs: survey.newestNs,
    });
    for (const path of collected.kept) survey.kept.add(path);
    const delta = this.#delta(survey, collected.files, known, truncated);
    for (const path of collected.absent) {
      if (this.#base.get(path) === undefined) delta.delete(path);
      else delta.set(path, undefined);
    }
    const skipped = [...survey.skipped, ...collected.skipped];
    if (truncated) {
      skipped.push({ path: '.', reason: 'budget', detail: `more than ${this.#limits.maxEntries} changes` });
    }
    const { written, removed } = this.#compare(known.delta, delta);
    this.#known = {
      delta,
      seen: collected.files,
      skips: new Set(skipped.map(skipKey)),
      emptyDirectories: survey.emptyDirectories,
      ignoredDirectories: survey.ignoredDirectories,
      forced,
    };
    return {
      written,
      removed,
      skipped: skipped
        .filter((skip) => options.sweep || !known.skips.has(skipKey(skip)))
        .sort((a, b) => order(a.path, b.path)),
      ignored: survey.ignored,
      gitChanged: isOtherGit(this.#git, survey.git),
      isSweep: isFrozen && !skipped.some(({ reason }) => reason === 'budget'),
    };
  }

  async #list(
    forced: ReadonlySet<RelPath>,
    prune: RelPath[],
  ): Promise<{ survey: Survey; truncated: boolean }> {
    const { maxFileBytes, maxEntries } = this.#limits;
    const survey = new Survey(this.#base, this.#known, { maxFileBytes, forced });
    const { truncated } = await this.#guest.changes({ mode: this.#mode, max: maxEntries, prune }, (change) =>
      survey.add(change),
    );
    survey.finish();
    return { survey, truncated };
  }

  /** Where the workspace differs from the base now. */
  #delta(
    survey: Survey,
    files: ReadonlyMap<RelPath, Seen>,
    known: Known,
    truncated: boolean,
  ): Map<RelPath, BaseFile | undefined> {
    const delta = new Map<RelPath, BaseFile | undefined>();
    for (const path of this.#hiddenFiles(survey, truncated)) {
      if (!survey.isKept(path)) delta.set(path, undefined);
    }
    for (const [path, { file }] of files) {
      if (isSameFile(file, this.#base.get(path))) delta.delete(path);
      else delta.set(path, file);
    }
    for (const [path, file] of known.delta) {
      // What a list that was cut short doesn't name may still be there.
      if (files.has(path) || delta.has(path)) continue;
      if (survey.isKept(path) || (truncated && !survey.isReplaced(path))) delta.set(path, file);
    }
    return delta;
  }

  /** Base files that can't be seen any more, those in `files` among them. */
  *#hiddenFiles(survey: Survey, truncated: boolean): Generator<RelPath> {
    // A whole walk names everything there is. A part of one tells only what it says is something else now.
    if (this.#mode === 'walk' && !truncated) {
      for (const path of this.#base.manifest.files.keys()) {
        if (!survey.files.has(path)) yield path;
      }
      return;
    }
    for (const path of survey.hidden) {
      if (this.#base.get(path) !== undefined) yield path;
    }
    for (const path of survey.hiddenBelow) yield* this.#base.filesBelow(path);
  }

  #compare(
    before: ReadonlyMap<RelPath, BaseFile | undefined>,
    after: ReadonlyMap<RelPath, BaseFile | undefined>,
  ): { written: CapturedFile[]; removed: RelPath[] } {
    const written: CapturedFile[] = [];
    const removed: RelPath[] = [];
    const state = (delta: ReadonlyMap<RelPath, BaseFile | undefined>, path: RelPath) =>
      delta.has(path) ? delta.get(path) : this.#base.get(path);
    for (const path of new Set([...before.keys(), ...after.keys()])) {
      const file = state(after, path);
      if (isSameFile(state(before, path), file)) continue;
      if (file === undefined) removed.push(path);
      else written.push({ path, ...file });
    }
    written.sort((a, b) => order(a.path, b.path));
    removed.sort(order);
    return { written, removed };
  }
}

/** Forced paths that the list could not name, because a directory above them was pruned. */
function unlisted(forced: ReadonlySet<RelPath>, survey: Survey): RelPath[] {
  const isBelowPruned = (path: string): boolean => {
    for (let at = parentOf(path); at !== ''; at = parentOf(at)) {
      if (survey.keptTrees.has(at)) return true;
    }
    return false;
  };
  return [...forced].filter((path) => !survey.files.has(path) && isBelowPruned(path));
}

function prunable(known: Known): RelPath[] {
  const pruned: RelPath[] = [];
  let bytes = 0;
  for (const path of [...known.ignoredDirectories.keys()].sort(order)) {
    // A name of up to three bytes a character; a path longer than the wire takes for this list is walked.
    bytes += path.length * 3 + 2;
    if (path.length > 1300 || bytes > MAX_PRUNED_BYTES || pruned.length >= MAX_PRUNED) continue;
    pruned.push(path);
  }
  return pruned;
}

function isOtherGit(before: GuestStat | undefined, now: GuestStat | undefined): boolean {
  if (before === undefined || now === undefined) return before !== now;
  return (
    before.kind !== now.kind ||
    before.ino !== now.ino ||
    before.mtimeNs !== now.mtimeNs ||
    before.ctimeNs !== now.ctimeNs
  );
}

function skipKey(skip: SkippedPath): string {
  return `${skip.reason}\0${skip.path}\0${skip.detail ?? ''}`;
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
