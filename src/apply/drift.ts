/**
 * Where the host holds something else than expected: the changes of both sides are merged where they can be, and what a
 * person chose is done where they can't. A merge is bound to the host's bytes that went into it.
 */
import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { RelPath } from '../base/path-bytes.ts';
import { merge3 } from '../diff/merge3.ts';
import { HostChangedError } from './host-changed.ts';
import type { HostRoot } from './host-root.ts';
import { forEachChunk, type HostEntry, type HostState } from './host-state.ts';
import { type Choice, type Expectation, holds, holdsBytes, type Intent, type Target } from './intent.ts';
import { entryFault, type Identity, type Verdict } from './judge.ts';

export interface DriftOptions {
  identity: Identity;
  /** What to do about conflicts whose intent says nothing. */
  choice?: Choice;
  /**
   * What the host held when merges and conflicts were shown, as {@link hostDigest}. A path that holds something else by now, or
   * that wasn't shown, conflicts again. Undefined: nothing was shown.
   */
  shown?: ReadonlyMap<RelPath, string>;
}

/** The most bytes of a file that is read for a merge. */
const MAX_BYTES = 8 << 20;

/** What a path holds, in a word: the SHA-256 of a file or symlink, else its kind. */
export function hostDigest(state: HostState): string {
  return state.kind === 'file' || state.kind === 'symlink' ? state.sha256 : state.kind;
}

/** Replaces each verdict about drift by what comes of merging or of a choice; the rest stays. */
export async function settleDrift(
  root: HostRoot,
  verdicts: Map<RelPath, Verdict>,
  options: DriftOptions,
): Promise<void> {
  for (const [removal, put] of renames(verdicts)) {
    const { path } = removal.intent;
    const settled = await settle(
      root,
      removal,
      { ...put.intent, expected: removal.intent.expected },
      options,
    );
    if (settled.outcome === 'mine') verdicts.set(put.intent.path, { ...put, outcome: 'mine' });
    if (settled.outcome === 'ready') {
      const { merged, isMarked, intent } = settled;
      verdicts.set(put.intent.path, {
        ...put,
        intent: { ...put.intent, target: intent.target },
        ...(merged && { merged: { ...merged, from: path } }),
        ...(isMarked && { isMarked }),
      });
    }
    const { merged: _, isMarked: __, ...rest } = settled;
    verdicts.set(path, { ...rest, intent: removal.intent });
  }
  const gone = oldNamesGone(verdicts);
  for (const [path, verdict] of verdicts) {
    if (verdict.outcome !== 'conflict' || !verdict.isDrift || verdict.choices) continue;
    const expected = verdict.intent.expected ?? gone.get(verdict.intent.group);
    const intent = expected === undefined ? verdict.intent : { ...verdict.intent, expected };
    verdicts.set(path, await settle(root, verdict, intent, options));
  }
}

/** What the old file of a rename held, by group, where the host has moved it already: the new name is merged with that. */
function oldNamesGone(verdicts: ReadonlyMap<RelPath, Verdict>): Map<string | undefined, Expectation> {
  const gone = new Map<string | undefined, Expectation>();
  for (const { intent, outcome } of verdicts.values()) {
    const isOld = intent.group !== undefined && intent.target === undefined && outcome === 'unchanged';
    if (isOld && intent.expected !== undefined) gone.set(intent.group, intent.expected);
  }
  return gone;
}

/** Renames whose old file was changed on the host: what was changed there goes along to the new name. */
function renames(verdicts: ReadonlyMap<RelPath, Verdict>): [removal: Verdict, put: Verdict][] {
  const groups = Map.groupBy(verdicts.values(), ({ intent }) => intent.group);
  return [...groups].flatMap(([group, members]): [Verdict, Verdict][] => {
    const removal = members.find(({ intent }) => intent.target === undefined);
    const put = members.find(({ intent }) => intent.target !== undefined);
    if (group === undefined || members.length !== 2 || !removal || !put) return [];
    if (removal.outcome !== 'conflict' || !removal.isDrift || removal.state.kind !== 'file') return [];
    return put.outcome === 'ready' && put.intent.expected === undefined ? [[removal, put]] : [];
  });
}

/** `intent` is what to merge into; its path may be another than the verdict's, whose host state is merged. */
async function settle(
  root: HostRoot,
  verdict: Verdict,
  intent: Intent,
  options: DriftOptions,
): Promise<Verdict> {
  const { state } = verdict;
  const { path } = verdict.intent;
  const isEntry = state.kind === 'file' || state.kind === 'symlink';
  const fault = isEntry ? entryFault(state, options.identity) : undefined;
  if (fault !== undefined) return { ...verdict, reason: fault, choices: ['mine'] };
  const { merged, marked, executable } = await mergeVersions(root, path, state, intent);
  const isNew = options.shown !== undefined && options.shown.get(path) !== hostDigest(state);
  const choices = offered(state, intent, marked);
  if (isNew) return { ...verdict, reason: 'it changed again since it was shown', choices };
  const ready: Verdict = { intent, state, outcome: 'ready', reason: '' };
  if (merged && isEntry) {
    if (intent.path === path && holds(state, merged)) return { ...ready, outcome: 'unchanged' };
    const facts = { path: intent.path, mine: state.sha256, result: merged.sha256 };
    return { ...ready, intent: { ...intent, target: merged }, merged: facts };
  }
  const choice = intent.choice ?? options.choice;
  if (choice === undefined || !choices.includes(choice)) return { ...verdict, choices };
  if (choice === 'mine') return { ...ready, outcome: 'mine' };
  if (choice === 'theirs') return ready;
  if (choice === 'markers') return { ...ready, intent: { ...intent, target: marked }, isMarked: true };
  const resolution = intent.resolution && { ...intent.resolution, executable };
  return resolution ? { ...ready, intent: { ...intent, target: resolution } } : { ...verdict, choices };
}

function offered(state: HostState, { target }: Intent, marked: Target | undefined): Choice[] {
  const canEdit = target?.kind === 'file' && state.kind !== 'symlink';
  return ['mine', 'theirs', ...(marked ? ['markers' as const] : []), ...(canEdit ? ['edit' as const] : [])];
}

interface Versions {
  merged?: Target;
  marked?: Target;
  /** Of a result: the exec bit of the side that changed it. */
  executable: boolean;
}

async function mergeVersions(
  root: HostRoot,
  path: RelPath,
  mine: HostState,
  { expected: base, target: theirs }: Intent,
): Promise<Versions> {
  if (mine.kind !== 'file' || theirs?.kind !== 'file' || (base && base.kind !== 'file')) {
    return { executable: theirs?.executable ?? false };
  }
  const was = base?.executable ?? false;
  const executable = mine.executable === was ? theirs.executable : mine.executable;
  if ((base && holdsBytes(mine, base)) || mine.sha256 === theirs.sha256) {
    return { merged: withBit(theirs, executable), executable };
  }
  if (mine.size > MAX_BYTES) return { executable };
  if (base && isSameContent(base, theirs))
    return { merged: compose(readMine(root, path, mine), executable), executable };
  const before = base === undefined ? Buffer.alloc(0) : await base.load?.();
  if (before === undefined) return { executable };
  const merge = merge3(before, readMine(root, path, mine), await theirs.load());
  if (merge.clean) return { merged: compose(merge.bytes, executable), executable };
  return { executable, ...(merge.withMarkers && { marked: compose(merge.withMarkers, executable) }) };
}

function isSameContent(base: Expectation, theirs: Target): boolean {
  return base.sha256 !== undefined
    ? base.sha256 === theirs.sha256
    : base.oid !== undefined && base.oid === theirs.oid;
}

/** The same bytes; permissions and time are the host's. */
function withBit({ kind, sha256, oid, load, isComposed }: Target, executable: boolean): Target {
  return {
    kind,
    sha256,
    executable,
    load,
    ...(oid !== undefined && { oid }),
    ...(isComposed && { isComposed }),
  };
}

function compose(bytes: Buffer, executable: boolean): Target {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { kind: 'file', sha256, executable, load: async () => bytes, isComposed: true, size: bytes.length };
}

/** The bytes at `path`, which are those of `mine`. Throws {@link HostChangedError} when they no longer are. */
export function readMine(root: HostRoot, path: RelPath, mine: HostEntry): Buffer {
  const chunks: Buffer[] = [];
  root.within(path, (directory, name) => {
    const fd = openSync(
      directory.entry(name),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
    try {
      forEachChunk(fd, fstatSync(fd).size, (chunk) => chunks.push(Buffer.from(chunk)));
    } finally {
      closeSync(fd);
    }
  });
  const bytes = Buffer.concat(chunks);
  if (createHash('sha256').update(bytes).digest('hex') === mine.sha256) return bytes;
  throw new HostChangedError(path);
}
