/** What a review rejected, changed and remarked, as text for the agent. */
import { showPath } from '../base/path-bytes.ts';
import { type Decision, fromJsonBytes, type HunkDecision, type PartialDecision } from './decision.ts';
import type { FileHunks, ReviewHunk } from './file-hunks.ts';
import type { HunkSource } from './hunk-source.ts';
import type { ReviewItem } from './review-item.ts';

const MAX_LINES_OF_HUNK = 40;
const MAX_CHARS_OF_LINE = 300;
/** Files that no longer fit are named, as far as the names do. */
const MAX_CHARS = 20_000;
const MAX_NAMES = 100;

/**
 * The text, bounded in size; undefined when nothing was rejected, changed or remarked. Undecided changes are not
 * mentioned. Lines of files begin with `+`, `-` or a space, comments with `> `, so that neither passes for the other.
 * Throws what reading blobs throws.
 */
export async function describeRejections(
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
  source: Pick<HunkSource, 'hunksOf'>,
): Promise<string | undefined> {
  const byPath = new Map(items.map((item) => [item.change.path as string, item]));
  const parts: string[] = [];
  const left: string[] = [];
  let chars = 0;
  for (const decision of decisions) {
    const item = byPath.get(decision.path);
    if (item === undefined || !saysSomething(decision)) continue;
    const text = chars < MAX_CHARS ? await describeFile(item, decision, source) : undefined;
    if (text === undefined || chars + text.length > MAX_CHARS) left.push(showPath(decision.path));
    else {
      parts.push(text);
      chars += text.length;
    }
  }
  if (left.length > 0) parts.push(describeRest(left));
  if (parts.length === 0) return undefined;
  return `The user reviewed your changes and did not take all of them.\n\n${parts.join('\n\n')}\n`;
}

function saysSomething(decision: Decision): boolean {
  if (decision.comment !== undefined || decision.decision === 'reject') return true;
  if (decision.decision === 'accept') return false;
  const { hunks, mode, rename } = decision;
  return mode === 'reject' || rename === 'reject' || hunks.some(needsWords);
}

function needsWords({ decision, comment }: HunkDecision): boolean {
  return comment !== undefined || (decision !== 'accept' && decision !== 'undecided');
}

async function describeFile(
  item: ReviewItem,
  decision: Decision,
  source: Pick<HunkSource, 'hunksOf'>,
): Promise<string> {
  const { change } = item;
  const name = showPath(decision.path);
  const said = quote(decision.comment);
  if (decision.decision === 'accept') return [`${name}: accepted, with a remark.`, ...said].join('\n');
  if (decision.decision === 'partial') {
    return [
      `${name}: not all of it was taken.`,
      ...said,
      ...describeParts(decision, await source.hunksOf(item)),
    ].join('\n');
  }
  const what = change.from === undefined ? change.kind : `renamed from ${showPath(change.from)}`;
  const lines = [`${name}: rejected as a whole (${what}, +${item.added} -${item.removed}).`, ...said];
  if (change.kind === 'modified' || change.kind === 'renamed') {
    const hunks = await source.hunksOf(item);
    const [first] = hunks.kind === 'text' ? hunks.hunks : [];
    if (first !== undefined) lines.push(...linesOf(first.lines));
  }
  return lines.join('\n');
}

function describeParts(decision: PartialDecision, hunks: FileHunks): string[] {
  const lines: string[] = [];
  if (decision.mode === 'reject') lines.push('Rejected: the change of the executable bit.');
  if (decision.rename === 'reject') lines.push('Rejected: the new name.');
  const byId = new Map(hunks.kind === 'text' ? hunks.hunks.map((hunk) => [hunk.id, hunk]) : []);
  for (const hunk of decision.hunks) {
    if (needsWords(hunk)) lines.push(...describeHunk(hunk, byId.get(hunk.hunk)));
  }
  return lines;
}

function describeHunk(decision: HunkDecision, hunk: ReviewHunk | undefined): string[] {
  const at = hunk === undefined ? 'its content' : `at line ${hunk.newStart}`;
  const said = quote(decision.comment);
  const lines = hunk?.lines ?? [];
  switch (decision.decision) {
    case 'accept':
      return [`Accepted, with a remark, ${at}:`, ...linesOf(lines), ...said];
    case 'undecided':
      return [`Not decided yet, with a remark, ${at}:`, ...linesOf(lines), ...said];
    case 'reject':
      return [`Rejected, ${at}:`, ...linesOf(lines), ...said];
    case 'lines': {
      const taken = new Set(decision.lines);
      const rest = lines.filter((line, index) => /^[+-]/.test(line) && !taken.has(index));
      return [`Rejected, of the lines ${at}:`, ...linesOf(rest), ...said];
    }
    case 'edit': {
      const written = fromJsonBytes(decision.new).toString('latin1').split('\n');
      if (written.at(-1) === '') written.pop();
      return [
        `Replaced by the user, ${at}:`,
        ...linesOf(lines),
        'with',
        ...linesOf(written.map((line) => ` ${line}`)),
        ...said,
      ];
    }
  }
}

/** Lines of a file (latin1) as text, bounded. */
function linesOf(lines: readonly string[]): string[] {
  const shown = lines.slice(0, MAX_LINES_OF_HUNK).map((line) => {
    const text = Buffer.from(line, 'latin1').toString('utf8');
    return text.length > MAX_CHARS_OF_LINE ? `${text.slice(0, MAX_CHARS_OF_LINE)}…` : text;
  });
  const more = lines.length - shown.length;
  return more > 0 ? [...shown, `(${more} more lines)`] : shown;
}

function quote(comment: string | undefined): string[] {
  return comment === undefined ? [] : comment.split('\n').map((line) => `> ${line}`);
}

function describeRest(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map((name) => name.slice(0, MAX_CHARS_OF_LINE));
  const more = names.length - shown.length;
  return `Not all was taken of ${shown.join(', ')}${more > 0 ? `, and ${more} more files` : ''}.`;
}
