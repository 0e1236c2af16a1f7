/** Deciding a part of a file: a hunk, some of its lines, its mode, its new name. Pure. */
import { SafeCoderError } from '../base/errors.ts';
import type { Change } from '../diff/change-set.ts';
import { type Decision, type HunkDecision, type PartialDecision, toJsonBytes } from './decision.ts';
import type { FileHunks, ReviewHunk } from './file-hunks.ts';

export type Part = { hunk: string } | 'mode' | 'rename';

/** `lines` are indexes into the hunk's `lines`; `edit` is what stands in the place of its old side; an empty comment is none. */
export type PartChoice =
  | 'accept'
  | 'reject'
  | 'undecided'
  | { lines: readonly number[] }
  | { edit: Buffer }
  | { comment: string };

/** What can be decided inside of a file. */
export interface DecidedParts {
  /** Ids, in the file's order, with the indexes of the hunk's lines of change. */
  hunks: ReadonlyMap<string, readonly number[]>;
  hasMode: boolean;
  hasRename: boolean;
}

export function partsOf({ before, after, from }: Change, hunks: FileHunks): DecidedParts {
  const isSymlink = hunks.kind === 'symlink';
  const old = before?.mode ?? '100644';
  return {
    hunks: new Map(hunkIds(hunks)),
    hasMode: !isSymlink && after !== undefined && old !== after.mode,
    hasRename: from !== undefined,
  };
}

function hunkIds(hunks: FileHunks): [string, readonly number[]][] {
  if (hunks.kind === 'text') return hunks.hunks.map((hunk) => [hunk.id, changedLines(hunk)]);
  return 'content' in hunks ? [[hunks.content, []]] : [];
}

function changedLines(hunk: ReviewHunk): number[] {
  return [...hunk.lines.keys()].filter((at) => /^[+-]/.test(hunk.lines[at] ?? ''));
}

/** The decision about a file after one about a part of it; undefined when nothing is left decided. Throws `bug` for no such part. */
export function decidePart(
  path: string,
  old: Decision | undefined,
  parts: DecidedParts,
  part: Part,
  choice: PartChoice,
): Decision | undefined {
  const decision = expand(path, old, parts);
  if (typeof part === 'string') {
    const isThere = part === 'mode' ? parts.hasMode : parts.hasRename;
    if (!isThere || typeof choice !== 'string') throw noSuchPart();
    delete decision[part];
    if (choice !== 'undecided') decision[part] = choice;
    return collapse(decision, parts);
  }
  const lines = parts.hunks.get(part.hunk);
  if (lines === undefined) throw noSuchPart();
  const before = decision.hunks.find(({ hunk }) => hunk === part.hunk);
  const next = decideHunk(part.hunk, before, lines, choice);
  const byId = new Map(decision.hunks.map((each) => [each.hunk, each]));
  byId.set(part.hunk, next);
  decision.hunks = [...parts.hunks.keys()].flatMap((id) => byId.get(id) ?? []).filter(saysSomething);
  if (choice === 'accept' || choice === 'reject') followHunks(decision, parts, choice);
  return collapse(decision, parts);
}

/** With the last hunk of a file the mode and the new name go the same way: nobody leaves a file half renamed by saying yes to all of it. */
function followHunks(decision: PartialDecision, parts: DecidedParts, choice: 'accept' | 'reject'): void {
  const decided = new Map(decision.hunks.map((each) => [each.hunk, each.decision]));
  if (![...parts.hunks.keys()].every((id) => decided.get(id) === choice)) return;
  if (parts.hasMode) decision.mode ??= choice;
  if (parts.hasRename) decision.rename ??= choice;
}

export type ReviewStatus = 'undecided' | 'accepted' | 'rejected' | 'partial';

/** The status as far as the parts are known. */
export function statusOf(decision: Decision | undefined, parts: DecidedParts | undefined): ReviewStatus {
  if (decision === undefined) return 'undecided';
  if (decision.decision !== 'partial') return decision.decision === 'accept' ? 'accepted' : 'rejected';
  if (parts !== undefined) {
    if (isAlike(decision, parts, 'accept')) return 'accepted';
    if (isAlike(decision, parts, 'reject')) return 'rejected';
  }
  const isDecided = decision.hunks.some((hunk) => hunk.decision !== 'undecided');
  return isDecided || decision.mode !== undefined || decision.rename !== undefined ? 'partial' : 'undecided';
}

function decideHunk(
  hunk: string,
  before: HunkDecision | undefined,
  changed: readonly number[],
  choice: PartChoice,
): HunkDecision {
  if (typeof choice === 'object' && 'comment' in choice) {
    const { comment: _, ...rest } = before ?? { hunk, decision: 'undecided' as const };
    return choice.comment === '' ? rest : { ...rest, comment: choice.comment };
  }
  const comment = before?.comment === undefined ? {} : { comment: before.comment };
  if (typeof choice === 'string') return { hunk, decision: choice, ...comment };
  if ('edit' in choice) return { hunk, decision: 'edit', new: toJsonBytes(choice.edit), ...comment };
  if (!choice.lines.every((line) => isAmong(changed, line))) throw noSuchPart();
  const lines = [...new Set(choice.lines)].sort((a, b) => a - b);
  if (lines.length === 0) return { hunk, decision: 'reject', ...comment };
  if (lines.length === changed.length) return { hunk, decision: 'accept', ...comment };
  return { hunk, decision: 'lines', lines, ...comment };
}

/** By halves: a hunk may have a hundred thousand lines, and a key decides about one. */
function isAmong(sorted: readonly number[], wanted: number): boolean {
  let from = 0;
  let to = sorted.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((sorted[middle] ?? 0) < wanted) from = middle + 1;
    else to = middle;
  }
  return sorted[from] === wanted;
}

/** A decision about the whole as one about each part. */
function expand(path: string, old: Decision | undefined, parts: DecidedParts): PartialDecision {
  if (old?.decision === 'partial') return { ...old };
  const { decision: whole, ...fields } = old ?? { path, decision: undefined };
  if (whole === undefined) return { ...fields, decision: 'partial', hunks: [] };
  return {
    ...fields,
    decision: 'partial',
    hunks: [...parts.hunks.keys()].map((hunk) => ({ hunk, decision: whole })),
    ...(parts.hasMode && { mode: whole }),
    ...(parts.hasRename && { rename: whole }),
  };
}

/** One decision about the whole where all parts are decided alike and nothing is said of single ones. */
function collapse(decision: PartialDecision, parts: DecidedParts): Decision | undefined {
  const { hunks, mode, rename, ...fields } = decision;
  if (hunks.every(({ comment }) => comment === undefined)) {
    for (const whole of ['accept', 'reject'] as const) {
      if (isAlike(decision, parts, whole)) return { ...fields, decision: whole };
    }
  }
  const isEmpty = hunks.length === 0 && mode === undefined && rename === undefined;
  return isEmpty && Object.keys(fields).length === 2 ? undefined : decision;
}

function isAlike(decision: PartialDecision, parts: DecidedParts, whole: 'accept' | 'reject'): boolean {
  const decided = new Map(decision.hunks.map((hunk) => [hunk.hunk, hunk.decision]));
  const count = parts.hunks.size + Number(parts.hasMode) + Number(parts.hasRename);
  return (
    count > 0 &&
    [...parts.hunks.keys()].every((id) => decided.get(id) === whole) &&
    (!parts.hasMode || decision.mode === whole) &&
    (!parts.hasRename || decision.rename === whole)
  );
}

function saysSomething(hunk: HunkDecision): boolean {
  return hunk.decision !== 'undecided' || hunk.comment !== undefined;
}

function noSuchPart(): SafeCoderError {
  return new SafeCoderError('bug', 'A decision is about a part that the file does not have.');
}
