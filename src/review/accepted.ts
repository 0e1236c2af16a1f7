/** What a decision makes of one change: the file as it is to be, to the byte. */
import { createHash } from 'node:crypto';
import { SafeCoderError } from '../base/errors.ts';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import type { Change, FileMode } from '../diff/change-set.ts';
import { compose, type HunkChoice } from '../diff/compose.ts';
import { hashObject } from '../git/object-id.ts';
import type { PlannedState } from './apply-plan.ts';
import { fromJsonBytes, type HunkDecision, type PartialDecision } from './decision.ts';
import { type ChangeBytes, type FileHunks, findHunks, type ReviewHunk } from './file-hunks.ts';

/** A file as it was accepted; `state` is missing when there is to be none. */
export interface Accepted {
  path: RelPath;
  state?: PlannedState;
  /** The bytes of `state` when they are neither side's. */
  bytes?: Buffer;
}

/** The file as it was before anything: what a rejection leaves. */
export function rejectedResult({ path, from, before }: Change, bytes: ChangeBytes): Accepted {
  return {
    path: from ?? path,
    ...(before && bytes.before && { state: { ...before, sha256: sha256(bytes.before) } }),
  };
}

/**
 * The file with a part of its change. An added file of which nothing is taken does not come to be; a deleted file goes only
 * when all of it is taken. Throws `usage/bad-argument` for a decision that does not fit the change.
 */
export function partialResult(change: Change, bytes: ChangeBytes, decision: PartialDecision): Accepted {
  checkParts(change, decision);
  const content = decideContent(change, bytes, decision);
  const path = decision.rename === 'accept' || change.from === undefined ? change.path : change.from;
  if (content === undefined) return { path };
  const mode = modeOf(change, decision);
  const own = [change.before, change.after].find((side) => side?.oid === content.oid);
  return {
    path,
    state: { mode, oid: content.oid, sha256: sha256(content.bytes) },
    ...(own === undefined && { bytes: content.bytes }),
  };
}

/** True when nothing of the change is taken: the result is what was there before. */
export function isUntouched({ path, from, before }: Change, result: Accepted): boolean {
  return (
    result.path === (from ?? path) && result.state?.oid === before?.oid && result.state?.mode === before?.mode
  );
}

function decideContent(
  change: Change,
  bytes: ChangeBytes,
  { hunks: decided, path }: PartialDecision,
): { oid: string; bytes: Buffer } | undefined {
  const hunks = findHunks(change, bytes);
  if (hunks.kind !== 'text') return takeWhole(change, bytes, hunks, decided, path);
  const choices = chooseHunks(hunks.hunks, decided, path);
  const isNothing = choices.every((choice) => choice.take === 'lines' && choice.lines.size === 0);
  if (isNothing) return sideOf(change.before, bytes.before);
  if (change.after === undefined && isAll(hunks.hunks, choices)) return undefined;
  const composed = compose(bytes.before ?? NOTHING, choices);
  return { oid: hashObject(formatOf(change), 'blob', composed), bytes: composed };
}

/** A content without hunks is taken or left as a whole, by its id. */
function takeWhole(
  change: Change,
  bytes: ChangeBytes,
  hunks: Exclude<FileHunks, { kind: 'text' }>,
  decided: readonly HunkDecision[],
  path: string,
): { oid: string; bytes: Buffer } | undefined {
  const id = 'content' in hunks ? hunks.content : undefined;
  for (const { hunk, decision } of decided) {
    if (hunk !== id) throw badHunk(path, hunk, 'is not one of its hunks');
    if (decision === 'lines' || decision === 'edit') throw badHunk(path, hunk, 'has no lines');
  }
  const isTaken = decided.some(({ decision }) => decision === 'accept');
  return isTaken ? sideOf(change.after, bytes.after) : sideOf(change.before, bytes.before);
}

function chooseHunks(
  hunks: readonly ReviewHunk[],
  decided: readonly HunkDecision[],
  path: string,
): HunkChoice[] {
  const byId = new Map(decided.map((each) => [each.hunk, each]));
  const choices: HunkChoice[] = [];
  for (const hunk of hunks) {
    const decision = byId.get(hunk.id);
    byId.delete(hunk.id);
    if (decision !== undefined) choices.push(choose(hunk, decision, path));
  }
  for (const [id] of byId) throw badHunk(path, id, 'is not one of its hunks');
  return choices;
}

function choose(hunk: ReviewHunk, decision: HunkDecision, path: string): HunkChoice {
  if (decision.decision === 'accept') return { hunk, take: 'all' };
  if (decision.decision === 'edit') return { hunk, take: 'replacement', bytes: fromJsonBytes(decision.new) };
  const lines = new Set(decision.decision === 'lines' ? decision.lines : []);
  for (const line of lines) {
    if (!/^[+-]/.test(hunk.lines[line] ?? '')) throw badHunk(path, hunk.id, `has no changed line ${line}`);
  }
  return { hunk, take: 'lines', lines };
}

/** Every hunk is there and taken whole, be it line by line. */
function isAll(hunks: readonly ReviewHunk[], choices: readonly HunkChoice[]): boolean {
  return (
    choices.length === hunks.length &&
    choices.every((choice) => {
      if (choice.take !== 'lines') return choice.take === 'all';
      return choice.hunk.lines.every((line, at) => !/^[+-]/.test(line) || choice.lines.has(at));
    })
  );
}

function checkParts({ before, after, from }: Change, { path, mode, rename }: PartialDecision): void {
  const hasMode = before !== undefined && after !== undefined && before.mode !== after.mode;
  const isSymlink = before?.mode === '120000' || after?.mode === '120000';
  const isNewExecutable = before === undefined && after?.mode === '100755';
  if (mode !== undefined && (isSymlink || !(hasMode || isNewExecutable))) {
    throw badDecision(path, 'decides a mode that did not change');
  }
  if (rename !== undefined && from === undefined)
    throw badDecision(path, 'decides a rename of what kept its name');
}

function modeOf({ before, after }: Change, { mode }: PartialDecision): FileMode {
  const plain = before?.mode ?? (after?.mode === '100755' ? '100644' : after?.mode) ?? '100644';
  return mode === 'accept' && after !== undefined ? after.mode : plain;
}

function sideOf(
  side: { oid: string } | undefined,
  bytes: Buffer | undefined,
): { oid: string; bytes: Buffer } | undefined {
  return side && bytes && { oid: side.oid, bytes };
}

/** The object format of the ledger that the change is from. */
export function formatOf({ before, after }: Change): 'sha1' | 'sha256' {
  return (before ?? after)?.oid.length === 64 ? 'sha256' : 'sha1';
}

export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const NOTHING = Buffer.alloc(0);

function badHunk(path: string, hunk: string, what: string): SafeCoderError {
  return badDecision(path, `names hunk ${hunk}, which ${what}`);
}

export function badDecision(path: string, what: string): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', `A decision about ${showPath(path)} ${what}.`, {
    hint: 'See the changes with "safe-coder diff".',
  });
}
