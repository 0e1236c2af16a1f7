/**
 * Looks before anything is touched: which intents can go ahead, which meet a host that changed, which are refused whatever
 * the host holds. Reads only.
 */
import { type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import { type Conflict, type MergedPath, sidesOf } from './conflict.ts';
import { type DriftOptions, hostDigest, settleDrift } from './drift.ts';
import { foldersAbove, foldersToCreate, foldersToRemove } from './folders.ts';
import { type GitState, readGitState } from './git-state.ts';
import type { HostRoot } from './host-root.ts';
import type { ObjectFormat } from './host-state.ts';
import type { Intent, ReadyStep, Refusal } from './intent.ts';
import type { Folder } from './journal.ts';
import { type Identity, judge, type Ties, type Verdict } from './judge.ts';
import { mountsBelow } from './mounts.ts';
import { refuseNames } from './name-checks.ts';
import { keepPermissions, toSide } from './permissions.ts';
import { findProblems, type Problem } from './problems.ts';

/** What will be done, before it is done. */
export interface Preflight {
  ready: ReadyStep[];
  /** The host holds the result already. */
  unchanged: RelPath[];
  /** Of what is ready: where the host's change and the agent's were put together. */
  merged: MergedPath[];
  /** Of what is ready: where both sides are written, between markers, because a person chose that. */
  marked: RelPath[];
  /** Left as the host has them, because a person chose that. */
  kept: RelPath[];
  conflicts: Conflict[];
  refused: Refusal[];
  createdFolders: Folder[];
  removedFolders: Folder[];
  /** What stands in the way of all that is ready. */
  problems: Problem[];
  warnings: string[];
  /** {@link hostDigest} of each path where the host held something else than expected. */
  shown: ReadonlyMap<RelPath, string>;
}

export interface PreflightOptions extends DriftOptions {
  format: ObjectFormat;
  /** Putting back what the user had: their own symlinks and their own names that collide are none of our business. */
  isRestoring: boolean;
  /** Only these folders may be removed when they become empty; all when undefined. */
  removable?: ReadonlySet<RelPath>;
  /** Modes that folders had before they were removed. */
  folderModes?: ReadonlyMap<RelPath, Folder>;
  identity: Identity;
  /** Safe Coder's own state folder, which needs room too. */
  stateDir: HostPath;
}

export async function preflightIntents(
  root: HostRoot,
  intents: readonly Intent[],
  options: PreflightOptions,
): Promise<Preflight> {
  const verdicts = new Map<RelPath, Verdict>();
  const removals = new Set(intents.filter((i) => i.target === undefined).map((i) => i.path));
  const refusals = await refuseNames(root, intents, removals, options);
  const ties: Ties = [];
  const git = readGitState(
    root,
    intents.map(({ path }) => path),
  );
  const mounts = mountsBelow(root);
  for (const intent of intents) {
    const refusal = refusals.get(intent.path);
    verdicts.set(
      intent.path,
      refusal === undefined
        ? judge(root, intent, removals, ties, { ...options, mounts })
        : { intent, state: { kind: 'absent' }, outcome: 'refused', reason: refusal },
    );
  }
  markGoneBelowLinks(verdicts);
  const drifted = [...verdicts.values()].filter(({ isDrift }) => isDrift);
  const shown = new Map(drifted.map(({ intent, state }) => [intent.path, hostDigest(state)]));
  await settleDrift(root, verdicts, options);
  holdUnmerged(verdicts, git, options);
  tieGroups(intents, ties);
  spreadFailures(verdicts, ties);
  const found = summarise(root, [...verdicts.values()], options);
  await measure(found.ready);
  const problems = findProblems(root, found, options.stateDir);
  return { ...found, shown, problems, warnings: [...found.warnings, ...git.warnings] };
}

/** A file to delete is gone where the plan's own symlink stands in the place of its folder already. */
function markGoneBelowLinks(verdicts: Map<RelPath, Verdict>): void {
  for (const [path, verdict] of verdicts) {
    const { intent, state, outcome } = verdict;
    if (outcome !== 'conflict' || intent.target !== undefined || state.kind !== 'blocked') continue;
    const above = path
      .split('/')
      .slice(0, state.depth + 1)
      .join('/') as RelPath;
    const link = verdicts.get(above);
    if (link?.outcome !== 'unchanged' || link.intent.target?.kind !== 'symlink') continue;
    verdicts.set(path, { ...verdict, outcome: 'unchanged', reason: '', isDrift: false });
  }
}

/** A path in the middle of a merge of git's is written only when somebody said so. */
function holdUnmerged(
  verdicts: Map<RelPath, Verdict>,
  { unmerged }: GitState,
  { choice }: PreflightOptions,
): void {
  for (const path of unmerged) {
    const verdict = verdicts.get(path);
    if (verdict?.outcome !== 'ready' || (verdict.intent.choice ?? choice) !== undefined) continue;
    verdicts.set(path, {
      ...verdict,
      outcome: 'conflict',
      reason: 'git has an unfinished merge of it',
      isDrift: true,
      choices: ['mine', 'theirs'],
    });
  }
}

/** Looks how large things are; what is small is read now and not again. */
async function measure(steps: readonly ReadyStep[]): Promise<void> {
  let budget = 64 << 20;
  for (const { intent } of steps) {
    const { target } = intent;
    if (target === undefined || target.size !== undefined) continue;
    const bytes = await target.load();
    target.size = bytes.length;
    budget -= bytes.length;
    if (budget > 0) target.load = async () => bytes;
  }
}

function tieGroups(intents: readonly Intent[], ties: Ties): void {
  const first = new Map<string, RelPath>();
  for (const { path, group } of intents) {
    if (group === undefined) continue;
    const other = first.get(group);
    if (other === undefined) first.set(group, path);
    else ties.push([other, path]);
  }
}

/** What is tied to something that can't go ahead can't go ahead either. */
function spreadFailures(verdicts: Map<RelPath, Verdict>, ties: Readonly<Ties>): void {
  const neighbours = new Map<RelPath, RelPath[]>();
  for (const [a, b] of ties) {
    neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
    neighbours.set(b, [...(neighbours.get(b) ?? []), a]);
  }
  const isStuck = (verdict: Verdict) => ['conflict', 'refused', 'mine'].includes(verdict.outcome);
  const queue = [...verdicts.values()].filter(isStuck);
  for (let stuck = queue.pop(); stuck !== undefined; stuck = queue.pop()) {
    for (const path of neighbours.get(stuck.intent.path) ?? []) {
      const other = verdicts.get(path);
      if (other?.outcome !== 'ready') continue;
      other.outcome = 'conflict';
      other.reason = `it goes together with ${showPath(stuck.intent.path)}, which stays as it is`;
      queue.push(other);
    }
  }
}

function summarise(
  root: HostRoot,
  verdicts: readonly Verdict[],
  options: PreflightOptions,
): Omit<Preflight, 'shown' | 'problems'> {
  const pick = (outcome: Verdict['outcome']) => verdicts.filter((verdict) => verdict.outcome === outcome);
  const refusal = ({ intent, reason }: Verdict): Refusal => ({ path: intent.path, reason });
  const ready = pick('ready').map((verdict) => toStep(verdict));
  keepPermissions(ready);
  const staying = [
    ...ready.filter((step) => step.new).map((s) => s.path),
    ...[...pick('unchanged'), ...pick('mine')].map((v) => v.intent.path),
  ];
  const merged = new Map(verdicts.map(({ intent, merged: one }) => [intent.path, one]));
  const needed = new Set(staying.flatMap(foldersAbove));
  return {
    ready,
    unchanged: pick('unchanged').map((verdict) => verdict.intent.path),
    merged: ready.flatMap(({ path }) => merged.get(path) ?? []),
    marked: pick('ready').flatMap((verdict) => (verdict.isMarked ? verdict.intent.path : [])),
    kept: pick('mine').map((verdict) => verdict.intent.path),
    conflicts: pick('conflict').map(toConflict),
    refused: pick('refused').map(refusal),
    createdFolders: foldersToCreate(root, ready, options.folderModes),
    removedFolders: foldersToRemove(root, ready, needed, options.removable),
    warnings: rootWarnings(root),
  };
}

function toStep({ intent, state }: Verdict): ReadyStep {
  const step: ReadyStep = { path: intent.path, intent };
  if (intent.group !== undefined) step.group = intent.group;
  if (state.kind === 'file' || state.kind === 'symlink') {
    step.old = toSide(state);
    step.oldSize = state.size;
  }
  if (intent.target !== undefined) {
    const { load: _, isComposed: __, size: ___, ...side } = intent.target;
    step.new = side;
  }
  return step;
}

function toConflict({ intent, state, reason, isDrift, choices }: Verdict): Conflict {
  const { path, expected, target } = intent;
  return { path, reason, ...(isDrift && sidesOf(expected, state, target)), choices: choices ?? [] };
}

function rootWarnings(root: HostRoot): string[] {
  const stat = root.directory('');
  const mode = Number((stat?.mode ?? 0n) & 0o7777n);
  if ((mode & 0o022) === 0) return [];
  const who = (mode & 0o002) === 0 ? 'Its group' : 'Every user of this machine';
  return [`${who} can write to ${showPath(root.path)}, and could change files while they are being applied.`];
}
