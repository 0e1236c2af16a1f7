/**
 * Random decisions about a change set, and the same selection as a patch for git, made from the hunks by other code than the
 * program's: git then says what the selection means.
 */
import { encodePath, type RelPath } from '../../src/base/path-bytes.ts';
import type { FileMode } from '../../src/diff/change-set.ts';
import { formatHunks, formatPatch, type PatchSide, quoteName } from '../../src/diff/patch.ts';
import { type Hunk, NO_NEWLINE } from '../../src/diff/text-diff.ts';
import type { Decision, HunkDecision } from '../../src/review/decision.ts';
import { type FileHunks, findHunks, type ReviewHunk } from '../../src/review/file-hunks.ts';
import type { ReviewItem } from '../../src/review/review-item.ts';
import { blobId } from './memory-sink.ts';

/** A whole number from 0 up to, not including, `below`. */
export type Dice = (below: number) => number;

export interface Selection {
  decisions: Decision[];
  /** For `git apply`; empty when nothing is taken. */
  patch: Buffer;
}

type ReadBlob = (oid: string) => Promise<Buffer>;

/** Dice that fall the same way for the same seed. */
export function diceOf(seed: number): Dice {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

/** Decides every item: whole, not at all, or hunk by hunk; of lines only where `byLine`. What apply refuses is rejected. */
export async function selectAtRandom(
  items: readonly ReviewItem[],
  readBlob: ReadBlob,
  dice: Dice,
  { byLine }: { byLine: boolean } = { byLine: true },
): Promise<Selection> {
  const decisions: Decision[] = [];
  const patches: Buffer[] = [];
  for (const item of items) {
    const sides = await readSides(item, readBlob);
    const chosen = decide(item, sides, dice, byLine);
    decisions.push(chosen.decision);
    patches.push(chosen.patch);
  }
  return { decisions, patch: Buffer.concat(patches) };
}

/** A decision hunk by hunk that takes all there is: it must mean the same as taking the file. */
export async function takeEveryPart(items: readonly ReviewItem[], readBlob: ReadBlob): Promise<Decision[]> {
  const decisions: Decision[] = [];
  for (const item of items) {
    const { change } = item;
    const { path } = change;
    const { before, after } = await readSides(item, readBlob);
    if (item.refused !== undefined) decisions.push({ path, decision: 'reject' });
    else if (isIndivisible(item, before, after)) decisions.push({ path, decision: 'accept' });
    else {
      const ids = idsOf(hunksOf(item, before, after));
      decisions.push({
        path,
        decision: 'partial',
        hunks: ids.map((hunk) => ({ hunk, decision: 'accept' })),
        ...(hasMode(before, after) && { mode: 'accept' }),
        ...(change.from !== undefined && { rename: 'accept' }),
      });
    }
  }
  return decisions;
}

interface Sides {
  before?: PatchSide;
  after?: PatchSide;
}

async function readSides({ change }: ReviewItem, readBlob: ReadBlob): Promise<Sides> {
  const { path, from, before, after } = change;
  return {
    ...(before && { before: { ...before, path: from ?? path, bytes: await readBlob(before.oid) } }),
    ...(after && { after: { ...after, path, bytes: await readBlob(after.oid) } }),
  };
}

function decide(
  item: ReviewItem,
  { before, after }: Sides,
  dice: Dice,
  byLine: boolean,
): { decision: Decision; patch: Buffer } {
  const { path } = item.change;
  const roll = dice(4);
  if (item.refused !== undefined || roll === 0)
    return { decision: { path, decision: 'reject' }, patch: NOTHING };
  if (roll === 1 || isIndivisible(item, before, after)) {
    return { decision: { path, decision: 'accept' }, patch: formatPatch([sidesOf(before, after)]) };
  }
  const takesMode = hasMode(before, after) ? dice(2) === 0 : undefined;
  const takesName = item.change.from === undefined ? undefined : dice(2) === 0;
  const hunks = hunksOf(item, before, after);
  const decided = idsOf(hunks).map((id) => decideHunk(hunks, id, dice, byLine));
  const decision: Decision = {
    path,
    decision: 'partial',
    hunks: decided,
    ...(takesMode !== undefined && { mode: takesMode ? 'accept' : 'reject' }),
    ...(takesName !== undefined && { rename: takesName ? 'accept' : 'reject' }),
  };
  const name = takesName === false ? (before?.path ?? path) : path;
  const mode = takesMode === true && after ? after.mode : (before?.mode ?? '100644');
  return { decision, patch: patchOf(hunks, decided, { before, after, name, mode }) };
}

function decideHunk(hunks: FileHunks, id: string, dice: Dice, byLine: boolean): HunkDecision {
  const hunk = hunks.kind === 'text' ? hunks.hunks.find((each) => each.id === id) : undefined;
  const roll = dice(3);
  if (roll === 2 && byLine && hunk !== undefined) {
    const changed = [...hunk.lines.keys()].filter((at) => /^[+-]/.test(hunk.lines[at] ?? ''));
    return { hunk: id, decision: 'lines', lines: changed.filter(() => dice(2) === 0) };
  }
  return { hunk: id, decision: roll === 0 ? 'reject' : 'accept' };
}

interface Target {
  before: PatchSide | undefined;
  after: PatchSide | undefined;
  name: string;
  mode: FileMode;
}

function patchOf(hunks: FileHunks, decided: readonly HunkDecision[], target: Target): Buffer {
  const { before, after, name, mode } = target;
  if (hunks.kind !== 'text') {
    const isTaken = decided.some(({ decision }) => decision === 'accept');
    const content = isTaken ? after : before;
    if (content === undefined) return isTaken && before ? formatPatch([{ before }]) : NOTHING;
    return formatPatch([sidesOf(before, { ...content, mode, path: name as RelPath })]);
  }
  const taken = shift(
    hunks.hunks.map((hunk) => narrow(hunk, takenLines(hunk, decided))).filter((hunk) => hunk !== undefined),
  );
  const isAll = hunks.hunks.every((hunk) => takenLines(hunk, decided).size === changedCount(hunk));
  if (before === undefined) {
    if (taken.length > 0) return textPatch(taken, { ...target, isDeleted: false });
    return NOTHING;
  }
  const isDeleted = after === undefined && isAll && hunks.hunks.length > 0;
  return textPatch(taken, { ...target, isDeleted });
}

/** The patch of one text file, printed from hunks. */
function textPatch(
  hunks: readonly Hunk[],
  { before, name, mode, isDeleted }: Target & { isDeleted: boolean },
): Buffer {
  const oldName = before?.path ?? name;
  const lines = [`diff --git ${quoteName(`a/${oldName}`)} ${quoteName(`b/${name}`)}`];
  if (before === undefined) lines.push(`new file mode ${mode}`);
  else if (isDeleted) lines.push(`deleted file mode ${before.mode}`);
  else if (before.mode !== mode) lines.push(`old mode ${before.mode}`, `new mode ${mode}`);
  if (oldName !== name) lines.push(`rename from ${quoteName(oldName)}`, `rename to ${quoteName(name)}`);
  if (lines.length === 1 && hunks.length === 0) return NOTHING;
  let body = '';
  if (hunks.length > 0) {
    body += `--- ${before === undefined ? '/dev/null' : fileName(`a/${oldName}`)}\n`;
    body += `+++ ${isDeleted ? '/dev/null' : fileName(`b/${name}`)}\n${formatHunks(hunks)}`;
  }
  return Buffer.from(`${lines.join('\n')}\n${body}`, 'latin1');
}

function fileName(path: string): string {
  const quoted = quoteName(path);
  return quoted.startsWith('"') || !encodePath(path).includes(0x20) ? quoted : `${quoted}\t`;
}

function takenLines(hunk: ReviewHunk, decided: readonly HunkDecision[]): Set<number> {
  const decision = decided.find((each) => each.hunk === hunk.id);
  const changed = [...hunk.lines.keys()].filter((at) => /^[+-]/.test(hunk.lines[at] ?? ''));
  if (decision?.decision === 'accept') return new Set(changed);
  return new Set(decision?.decision === 'lines' ? decision.lines : []);
}

const changedCount = (hunk: Hunk) => hunk.lines.filter((line) => /^[+-]/.test(line)).length;

/** The hunk with these lines of change alone, as a patch can say it; undefined when nothing of it is left. */
function narrow(hunk: Hunk, taken: ReadonlySet<number>): Hunk | undefined {
  if (taken.size === 0) return undefined;
  const kept: { sign: string; text: string; isOpen: boolean }[] = [];
  for (const [at, line] of hunk.lines.entries()) {
    if (line === NO_NEWLINE) continue;
    const isOpen = hunk.lines[at + 1] === NO_NEWLINE;
    if (line.startsWith('+') && !taken.has(at)) continue;
    const sign = line.startsWith('-') && !taken.has(at) ? ' ' : line.charAt(0);
    kept.push({ sign, text: line.slice(1), isOpen });
  }
  const lastNew = kept.findLastIndex(({ sign }) => sign !== '-');
  const lines: string[] = [];
  const push = (sign: string, text: string, isOpen: boolean) =>
    lines.push(sign + text, ...(isOpen ? [NO_NEWLINE] : []));
  for (const [at, { sign, text, isOpen }] of kept.entries()) {
    if (!isOpen || sign === '-' || at === lastNew) push(sign, text, isOpen);
    else {
      // It is the last line no more, so it gets a line end.
      if (sign === ' ') push('-', text, true);
      push('+', text, false);
    }
  }
  const newLines = lines.filter((line) => /^[ +]/.test(line)).length;
  return { ...hunk, newLines, lines };
}

/** The hunks with the places that they have when only they are applied. */
function shift(hunks: readonly Hunk[]): Hunk[] {
  let moved = 0;
  return hunks.map((hunk) => {
    const first = hunk.oldLines === 0 ? hunk.oldStart + 1 : hunk.oldStart;
    const newStart = first + moved - (hunk.newLines === 0 ? 1 : 0);
    moved += hunk.newLines - hunk.oldLines;
    return { ...hunk, newStart };
  });
}

function hunksOf(
  { change }: ReviewItem,
  before: PatchSide | undefined,
  after: PatchSide | undefined,
): FileHunks {
  return findHunks(change, { ...(before && { before: before.bytes }), ...(after && { after: after.bytes }) });
}

function idsOf(hunks: FileHunks): string[] {
  if (hunks.kind === 'text') return hunks.hunks.map(({ id }) => id);
  return 'content' in hunks ? [hunks.content] : [];
}

function hasMode(before: PatchSide | undefined, after: PatchSide | undefined): boolean {
  return after !== undefined && (before?.mode ?? '100644') !== after.mode;
}

/** A symlink, or a file without a line that comes or goes: there is nothing in it to decide. */
function isIndivisible(
  item: ReviewItem,
  before: PatchSide | undefined,
  after: PatchSide | undefined,
): boolean {
  if (isLink(before) || isLink(after)) return true;
  const isWhole = before === undefined || after === undefined;
  return isWhole && idsOf(hunksOf(item, before, after)).length === 0;
}

function isLink(side: PatchSide | undefined): boolean {
  return side?.mode === '120000';
}

function sidesOf(before: PatchSide | undefined, after: PatchSide | undefined): Sides {
  return { ...(before && { before }), ...(after && { after: { ...after, oid: blobId(after.bytes) } }) };
}

const NOTHING = Buffer.alloc(0);
