/** A look ahead as lists for a person. */
import type { RelPath } from '../base/path-bytes.ts';
import type { Conflict, MergedPath } from './conflict.ts';
import type { ReadyStep, Refusal } from './intent.ts';
import type { Preflight } from './preflight.ts';
import type { Problem } from './problems.ts';

/** What a preview and a result have in common. */
export interface Reports {
  /** The host held the result already. */
  unchanged: RelPath[];
  /** Of what is written: where the host's change and the agent's were put together. */
  merged: MergedPath[];
  /** Of what is written: where both sides stand between markers, by choice; the caller exits with 6. */
  marked: RelPath[];
  /** Left as the host has them, by choice. */
  kept: RelPath[];
  /** Left alone because the host changed meanwhile; the caller exits with 6. */
  conflicts: Conflict[];
  /** Never written, whatever the person accepted. */
  refused: Refusal[];
  warnings: string[];
}

/** `mode`: only the exec bit changes. `rename` and `merge` may name the path that the file comes from. */
export interface PreviewAction {
  path: RelPath;
  action: 'add' | 'replace' | 'delete' | 'rename' | 'mode' | 'merge' | 'markers';
  from?: RelPath;
  /** How many will be written. */
  bytes: number;
}

/** What would be done; nothing is changed. */
export interface ApplyPreview extends Reports {
  actions: PreviewAction[];
  /** All that would be written. */
  bytes: number;
  createdFolders: RelPath[];
  removedFolders: RelPath[];
  /** Nothing can be written until these are mended. */
  problems: Problem[];
  /** What the host held where it changed; given to apply, it binds what was shown. */
  shown: ReadonlyMap<RelPath, string>;
}

export function toPreview(found: Preflight): ApplyPreview {
  const actions = toActions(found);
  return {
    ...pickReports(found),
    actions,
    bytes: actions.reduce((sum, { bytes }) => sum + bytes, 0),
    createdFolders: found.createdFolders.map(({ path }) => path),
    removedFolders: found.removedFolders.map(({ path }) => path),
    problems: found.problems,
    shown: found.shown,
  };
}

export function pickReports(found: Preflight): Reports {
  const { unchanged, merged, marked, kept, conflicts, refused, warnings } = found;
  return { unchanged, merged, marked, kept, conflicts, refused, warnings };
}

/** The two halves of a rename are one action. */
function toActions({ ready, merged, marked }: Preflight): PreviewAction[] {
  const sources = new Map(
    ready.flatMap(({ path, group, new: next }) => (group !== undefined && !next ? [[group, path]] : [])),
  );
  const targets = new Set(
    ready.flatMap(({ group, new: next }) => (group !== undefined && next ? [group] : [])),
  );
  const isMerged = new Set<string>(merged.map(({ path }) => path));
  const isMarked = new Set(marked);
  return ready.flatMap((step): PreviewAction[] => {
    const { path, group, intent } = step;
    if (step.new === undefined && group !== undefined && targets.has(group)) return [];
    const from = step.new && group !== undefined ? sources.get(group) : undefined;
    const plain = from === undefined ? plainAction(step) : 'rename';
    const action = isMarked.has(path) ? 'markers' : isMerged.has(path) ? 'merge' : plain;
    return [{ path, action, ...(from !== undefined && { from }), bytes: intent.target?.size ?? 0 }];
  });
}

function plainAction({ old, new: next }: ReadyStep): PreviewAction['action'] {
  if (next === undefined) return 'delete';
  if (old === undefined) return 'add';
  return old.sha256 === next.sha256 && old.kind === next.kind ? 'mode' : 'replace';
}
