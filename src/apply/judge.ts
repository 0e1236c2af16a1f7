/** Whether an intent can go ahead on the host as it is now. Reads only. */
import { type RelPath, showPath } from '../base/path-bytes.ts';
import type { Conflict, MergedPath } from './conflict.ts';
import { filesBelow, foldersAbove } from './folders.ts';
import type { HostRoot } from './host-root.ts';
import type { HostEntry, HostState, ObjectFormat } from './host-state.ts';
import { holds, type Intent } from './intent.ts';

/** Who this process is. */
export interface Identity {
  uid: number;
  groups: readonly number[];
}

export interface Verdict {
  /** As it would be carried out: a merge or a choice puts another target in place. */
  intent: Intent;
  state: HostState;
  /** `mine`: the person chose to keep what the host has. */
  outcome: 'ready' | 'unchanged' | 'conflict' | 'refused' | 'mine';
  /** Why not; empty when it is ready or done. */
  reason: string;
  /** The host holds another file or symlink, or none, where one is expected: it can be merged, or chosen. */
  isDrift?: boolean;
  /** What can be chosen, of a conflict. */
  choices?: Conflict['choices'];
  merged?: MergedPath;
  /** Both sides are written, between markers. */
  isMarked?: boolean;
}

/** Paths that can only go ahead together. */
export type Ties = [RelPath, RelPath][];

export interface JudgeOptions {
  format: ObjectFormat;
  identity: Identity;
  mounts: ReadonlySet<RelPath>;
}

/** Looks at one path. Adds to `ties` what it can't go ahead without. */
export function judge(
  root: HostRoot,
  intent: Intent,
  removals: ReadonlySet<RelPath>,
  ties: Ties,
  options: JudgeOptions,
): Verdict {
  const state = root.read(intent.path, options.format);
  const verdict = (outcome: Verdict['outcome'], reason = ''): Verdict => ({ intent, state, outcome, reason });
  if (intent.target === undefined ? isGone(state) : holds(state, intent.target)) return verdict('unchanged');
  if (options.mounts.has(intent.path)) return verdict('conflict', 'something is mounted there');
  if (foldersAbove(intent.path).some((folder) => options.mounts.has(folder)))
    return verdict('conflict', describeChange({ kind: 'blocked', depth: 0, what: 'mount' }));
  const isEntry = state.kind === 'file' || state.kind === 'symlink';
  if (intent.expected === undefined) {
    const reason = makeRoom(root, intent.path, state, removals, ties);
    if (reason === undefined) return verdict('ready');
    return { ...verdict('conflict', reason), isDrift: isEntry };
  }
  if (!holds(state, intent.expected)) {
    return {
      ...verdict('conflict', describeChange(state)),
      isDrift: isEntry || (state.kind === 'absent' && intent.target !== undefined),
    };
  }
  const reason = entryFault(state as HostEntry, options.identity);
  return reason === undefined ? verdict('ready') : verdict('conflict', reason);
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
  ties: Ties,
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

/** What makes a host file unfit to be replaced or removed, whatever it holds. */
export function entryFault(entry: HostEntry, { uid, groups }: Identity): string | undefined {
  if (entry.links > 1 && entry.kind === 'file') return `it has ${entry.links} hard links on the host`;
  if (entry.kind === 'file' && (entry.mode & 0o7000) !== 0)
    return 'it has setuid, setgid or sticky permissions on the host';
  if (uid !== 0 && entry.uid !== uid) return 'it belongs to another user';
  if (uid !== 0 && !groups.includes(entry.gid)) return 'it belongs to a group that you are not in';
  if (entry.kind === 'file' && (entry.mode & 0o200) === 0)
    return 'it is read-only on the host (chmod u+w makes it writable)';
  return undefined;
}
