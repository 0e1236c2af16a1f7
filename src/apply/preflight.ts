/**
 * Looks before anything is touched: which intents can go ahead, which meet a host that changed, which are refused whatever
 * the host holds. Reads only.
 */
import { decodePath, type RelPath, showPath } from '../base/path-bytes.ts';
import { collisionKey, findCollisions, pathFault, symlinkFault } from '../policy/apply-path.ts';
import type { HostRoot } from './host-root.ts';
import type { HostEntry, HostState, ObjectFormat } from './host-state.ts';
import { holds, type Intent, type Refusal } from './intent.ts';
import type { Folder, Side, Step } from './journal.ts';
import type { Owner } from './stage.ts';

export interface ReadyStep extends Step {
  intent: Intent;
}

/** What will be done, before it is done. */
export interface Preflight {
  ready: ReadyStep[];
  /** The host holds the result already. */
  unchanged: RelPath[];
  conflicts: Refusal[];
  refused: Refusal[];
  createdFolders: Folder[];
  removedFolders: Folder[];
  warnings: string[];
}

export interface PreflightOptions {
  format: ObjectFormat;
  /** Putting back what the user had: their own symlinks and their own names that collide are none of our business. */
  isRestoring: boolean;
  /** Only these folders may be removed when they become empty; all when undefined. */
  removable?: ReadonlySet<RelPath>;
  /** Modes that folders had before they were removed. */
  folderModes?: ReadonlyMap<RelPath, Folder>;
  /** Who this process is. */
  identity: { uid: number; groups: readonly number[] };
}

interface Verdict {
  intent: Intent;
  state: HostState;
  outcome: 'ready' | 'unchanged' | 'conflict' | 'refused';
  reason: string;
}

export async function preflightIntents(
  root: HostRoot,
  intents: readonly Intent[],
  options: PreflightOptions,
): Promise<Preflight> {
  const verdicts = new Map<RelPath, Verdict>();
  const removals = new Set(intents.filter((i) => i.target === undefined).map((i) => i.path));
  const refusals = await refuse(root, intents, removals, options);
  const ties: [RelPath, RelPath][] = [];
  for (const intent of intents) {
    const refusal = refusals.get(intent.path);
    verdicts.set(
      intent.path,
      refusal === undefined
        ? judge(root, intent, removals, ties, options)
        : { intent, state: { kind: 'absent' }, outcome: 'refused', reason: refusal },
    );
  }
  tieGroups(intents, ties);
  spreadFailures(verdicts, ties);
  return summarise(root, [...verdicts.values()], options);
}

/** What can't be accepted whatever the host holds: names, symlinks that lead out, names that collide. */
async function refuse(
  root: HostRoot,
  intents: readonly Intent[],
  removals: ReadonlySet<RelPath>,
  options: PreflightOptions,
): Promise<Map<RelPath, string>> {
  const refusals = new Map<RelPath, string>();
  const seen = new Set<RelPath>();
  for (const { path, target } of intents) {
    const fault = pathFault(path) ?? (seen.has(path) ? 'the plan names it twice' : undefined);
    seen.add(path);
    if (fault !== undefined) refusals.set(path, fault);
    else if (!options.isRestoring && target?.kind === 'symlink') {
      const linkFault = symlinkFault(path, decodePath(await target.load()));
      if (linkFault !== undefined) refusals.set(path, linkFault);
    }
  }
  const puts = intents.filter((i) => i.target !== undefined).map((i) => i.path);
  const all = new Set(puts);
  for (const path of puts) {
    const above = foldersAbove(path).find((folder) => all.has(folder));
    if (above === undefined) continue;
    if (!refusals.has(path)) refusals.set(path, `${showPath(above)} would be a file, not a folder`);
    if (!refusals.has(above)) refusals.set(above, `${showPath(path)} would be below it`);
  }
  if (options.isRestoring) return refusals;
  for (const [path, other] of findCollisions(puts)) {
    if (!refusals.has(path as RelPath))
      refusals.set(path as RelPath, `its name collides with ${showPath(other)}`);
  }
  const added = intents.filter((i) => i.target !== undefined && i.expected === undefined);
  for (const { path } of added) {
    const sibling = refusals.has(path) ? undefined : siblingLike(root, path, removals);
    if (sibling !== undefined) refusals.set(path, `its name collides with ${showPath(sibling)}`);
  }
  return refusals;
}

/** A name beside the path, or beside a folder above it, that a file system which folds case would take for the same. */
function siblingLike(root: HostRoot, path: RelPath, removals: ReadonlySet<RelPath>): string | undefined {
  const parts = path.split('/');
  for (const [depth, part] of parts.entries()) {
    const folder = parts.slice(0, depth).join('/') as RelPath | '';
    const names = root.names(folder);
    if (names.includes(part)) continue;
    const key = collisionKey(part);
    const rival = names.find((name) => collisionKey(name) === key);
    if (rival === undefined) return undefined;
    const rivalPath = (folder === '' ? rival : `${folder}/${rival}`) as RelPath;
    if (removals.has(rivalPath) || isEmptiedBy(root, rivalPath, removals)) return undefined;
    return rivalPath;
  }
  return undefined;
}

function isEmptiedBy(root: HostRoot, folder: RelPath, removals: ReadonlySet<RelPath>): boolean {
  if (root.directory(folder) === undefined) return false;
  const files = filesBelow(root, folder);
  return files.length > 0 && files.every((file) => removals.has(file));
}

function judge(
  root: HostRoot,
  intent: Intent,
  removals: ReadonlySet<RelPath>,
  ties: [RelPath, RelPath][],
  options: PreflightOptions,
): Verdict {
  const state = root.read(intent.path, options.format);
  const conflict = (reason: string): Verdict => ({ intent, state, outcome: 'conflict', reason });
  if (intent.target === undefined ? isGone(state) : holds(state, intent.target)) {
    return { intent, state, outcome: 'unchanged', reason: '' };
  }
  if (intent.expected === undefined) {
    const reason = makeRoom(root, intent.path, state, removals, ties);
    return reason === undefined ? { intent, state, outcome: 'ready', reason: '' } : conflict(reason);
  }
  if (!holds(state, intent.expected)) return conflict(describeChange(state));
  const reason = entryFault(state as HostEntry, options.identity);
  return reason === undefined ? { intent, state, outcome: 'ready', reason: '' } : conflict(reason);
}

/** A file to delete is gone when nothing or a folder is there, or when nothing can be there because a parent is a file. */
function isGone(state: HostState): boolean {
  return (
    state.kind === 'absent' ||
    state.kind === 'directory' ||
    (state.kind === 'blocked' && state.what === 'file')
  );
}

/** Why a file can't be put where none was, or undefined; ties it to the removals that make room for it. */
function makeRoom(
  root: HostRoot,
  path: RelPath,
  state: HostState,
  removals: ReadonlySet<RelPath>,
  ties: [RelPath, RelPath][],
): string | undefined {
  if (state.kind === 'absent') {
    const above = foldersAbove(path).find((folder) => removals.has(folder));
    if (above !== undefined) ties.push([path, above]);
    return undefined;
  }
  if (state.kind === 'blocked') {
    const above = path
      .split('/')
      .slice(0, state.depth + 1)
      .join('/') as RelPath;
    if (state.what !== 'mount' && state.what !== 'special' && removals.has(above)) {
      ties.push([path, above]);
      return undefined;
    }
    return describeChange(state);
  }
  if (state.kind !== 'directory') return 'the host has something there that the session did not know';
  const below = filesBelow(root, path);
  for (const file of below) ties.push([path, file]);
  const stranger = below.find((file) => !removals.has(file));
  if (below.length > 0 && stranger === undefined) return undefined;
  return `a folder is there${stranger === undefined ? '' : `, and ${showPath(stranger)} in it is not part of the plan`}`;
}

function describeChange(state: HostState): string {
  if (state.kind === 'absent') return 'it is gone from the host';
  if (state.kind === 'directory') return 'the host has a folder there now';
  if (state.kind === 'special') return `the host has ${state.what} there`;
  if (state.kind === 'blocked') {
    if (state.what === 'symlink') return 'a folder above it is a symlink on the host';
    if (state.what === 'mount') return 'a folder above it is another file system';
    return 'a folder above it is no folder on the host';
  }
  return 'it was changed on the host meanwhile';
}

/** What makes an unchanged host file unfit to be replaced. */
function entryFault(entry: HostEntry, { uid, groups }: PreflightOptions['identity']): string | undefined {
  if (entry.links > 1 && entry.kind === 'file') return `it has ${entry.links} hard links on the host`;
  if (entry.kind === 'file' && (entry.mode & 0o7000) !== 0)
    return 'it has setuid, setgid or sticky permissions on the host';
  if (uid !== 0 && entry.uid !== uid) return 'it belongs to another user';
  if (uid !== 0 && !groups.includes(entry.gid)) return 'it belongs to a group that you are not in';
  return undefined;
}

function tieGroups(intents: readonly Intent[], ties: [RelPath, RelPath][]): void {
  const first = new Map<string, RelPath>();
  for (const { path, group } of intents) {
    if (group === undefined) continue;
    const other = first.get(group);
    if (other === undefined) first.set(group, path);
    else ties.push([other, path]);
  }
}

/** What is tied to something that can't go ahead can't go ahead either. */
function spreadFailures(verdicts: Map<RelPath, Verdict>, ties: readonly [RelPath, RelPath][]): void {
  const neighbours = new Map<RelPath, RelPath[]>();
  for (const [a, b] of ties) {
    neighbours.set(a, [...(neighbours.get(a) ?? []), b]);
    neighbours.set(b, [...(neighbours.get(b) ?? []), a]);
  }
  const isStuck = (verdict: Verdict) => verdict.outcome === 'conflict' || verdict.outcome === 'refused';
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

function summarise(root: HostRoot, verdicts: readonly Verdict[], options: PreflightOptions): Preflight {
  const pick = (outcome: Verdict['outcome']) => verdicts.filter((verdict) => verdict.outcome === outcome);
  const refusal = ({ intent, reason }: Verdict): Refusal => ({ path: intent.path, reason });
  const ready = pick('ready').map((verdict) => toStep(verdict));
  keepPermissions(ready);
  const kept = [
    ...ready.filter((step) => step.new).map((s) => s.path),
    ...pick('unchanged').map((v) => v.intent.path),
  ];
  const needed = new Set(kept.flatMap(foldersAbove));
  return {
    ready,
    unchanged: pick('unchanged').map((verdict) => verdict.intent.path),
    conflicts: pick('conflict').map(refusal),
    refused: pick('refused').map(refusal),
    createdFolders: foldersToCreate(root, ready, options),
    removedFolders: foldersToRemove(root, ready, needed, options),
    warnings: rootWarnings(root),
  };
}

function toStep({ intent, state }: Verdict): ReadyStep {
  const step: ReadyStep = { path: intent.path, intent };
  if (state.kind === 'file' || state.kind === 'symlink') step.old = toSide(state);
  if (intent.target !== undefined) {
    const { load: _, ...side } = intent.target;
    step.new = side;
  }
  return step;
}

/** A file that is replaced, or that arrives by a rename, keeps the permissions and the owner of the one it comes from. */
function keepPermissions(steps: readonly ReadyStep[]): void {
  const sources = new Map<string, Side>();
  for (const { old, intent } of steps) {
    if (old !== undefined && intent.group !== undefined) sources.set(intent.group, old);
  }
  for (const step of steps) {
    const source = step.old ?? (step.intent.group === undefined ? undefined : sources.get(step.intent.group));
    if (step.new?.kind !== 'file' || step.new.mode !== undefined || source?.kind !== 'file') continue;
    step.new = {
      ...step.new,
      mode: withExecBit(source.mode ?? 0o644, step.new.executable),
      ...ownerOf(source),
    };
  }
}

function ownerOf({ uid, gid }: Side): Partial<Owner> {
  return uid === undefined || gid === undefined ? {} : { uid, gid };
}

/** Exec bits go where read bits are, as git does it; nothing changes when the owner's exec bit is right already. */
function withExecBit(mode: number, executable: boolean): number {
  if (((mode & 0o100) !== 0) === executable) return mode;
  return executable ? mode | 0o100 | ((mode & 0o444) >> 2) : mode & ~0o111;
}

function toSide(entry: HostEntry): Side {
  const { kind, sha256, executable, uid, gid } = entry;
  return { kind, sha256, executable, uid, gid, mode: entry.mode & 0o777, mtimeNs: String(entry.mtimeNs) };
}

function foldersToCreate(root: HostRoot, steps: readonly ReadyStep[], options: PreflightOptions): Folder[] {
  const missing = new Map<RelPath, Folder>();
  for (const step of steps) {
    if (step.new === undefined) continue;
    for (const folder of foldersAbove(step.path)) {
      if (missing.has(folder) || root.directory(folder) !== undefined) continue;
      missing.set(folder, options.folderModes?.get(folder) ?? { path: folder });
    }
  }
  return [...missing.values()].sort((a, b) => depthOf(a.path) - depthOf(b.path));
}

function foldersToRemove(
  root: HostRoot,
  steps: readonly ReadyStep[],
  needed: ReadonlySet<RelPath>,
  options: PreflightOptions,
): Folder[] {
  const emptied = new Map<RelPath, Folder>();
  for (const step of steps) {
    if (step.new !== undefined) continue;
    for (const folder of foldersAbove(step.path)) {
      if (needed.has(folder) || emptied.has(folder)) continue;
      if (options.removable !== undefined && !options.removable.has(folder)) continue;
      const stat = root.directory(folder);
      if (stat === undefined) continue;
      const mode = Number(stat.mode & 0o7777n);
      emptied.set(folder, { path: folder, mode, uid: Number(stat.uid), gid: Number(stat.gid) });
    }
  }
  return [...emptied.values()].sort((a, b) => depthOf(b.path) - depthOf(a.path));
}

function rootWarnings(root: HostRoot): string[] {
  const stat = root.directory('');
  const mode = Number((stat?.mode ?? 0n) & 0o7777n);
  if ((mode & 0o022) === 0) return [];
  const who = (mode & 0o002) === 0 ? 'Its group' : 'Every user of this machine';
  return [`${who} can write to ${showPath(root.path)}, and could change files while they are being applied.`];
}

/** Every file, symlink or special file below a folder; folders themselves only when they are empty. */
function filesBelow(root: HostRoot, folder: RelPath): RelPath[] {
  return root.names(folder).flatMap((name) => {
    const path = `${folder}/${name}` as RelPath;
    if (root.directory(path) === undefined) return [path];
    const below = filesBelow(root, path);
    return below.length === 0 ? [path] : below;
  });
}

/** The folders that a path lies in, outermost first, without the root. */
export function foldersAbove(path: RelPath): RelPath[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, at) => parts.slice(0, at + 1).join('/') as RelPath);
}

function depthOf(path: string): number {
  return path.split('/').length;
}
