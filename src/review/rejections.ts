/** What was rejected, as text for the agent: files, hunks and comments. */
import { showPath } from '../base/path-bytes.ts';
import type { Decision, HunkDecision } from './decision.ts';
import type { HunkSource } from './hunk-source.ts';
import type { ReviewItem } from './review-item.ts';

const MAX_LINES_OF_HUNK = 40;
const MAX_CHARS = 20_000;

/**
 * The text, at most about 20,000 characters long; undefined when nothing was rejected and nothing was said. Undecided changes
 * are not mentioned. Throws what reading blobs throws.
 */
export async function describeRejections(
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
  source: Pick<HunkSource, 'hunksOf'>,
): Promise<string | undefined> {
  const byPath = new Map(items.map((item) => [item.change.path as string, item]));
  const parts: string[] = [];
  for (const decision of decisions) {
    const item = byPath.get(decision.path);
    if (item === undefined) continue;
    const text = await describeFile(item, decision, source);
    if (text !== undefined) parts.push(text);
  }
  if (parts.length === 0) return undefined;
  return bound(`The user reviewed your changes.\n\n${parts.join('\n\n')}`);
}

async function describeFile(
  item: ReviewItem,
  decision: Decision,
  source: Pick<HunkSource, 'hunksOf'>,
): Promise<string | undefined> {
  const name = showPath(decision.path);
  const said = decision.comment === undefined ? [] : [`Comment: ${decision.comment}`];
  if (decision.decision === 'accept')
    return said.length === 0 ? undefined : [`${name}: accepted.`, ...said].join('\n');
  if (decision.decision === 'reject') return [`${name}: rejected (${item.change.kind}).`, ...said].join('\n');
  const hunks = await source.hunksOf(item);
  const lines = [`${name}: accepted in part.`, ...said];
  if (decision.mode === 'reject') lines.push('The change of its mode was rejected.');
  if (decision.rename === 'reject') lines.push('Its new name was rejected.');
  const byId = new Map(hunks.kind === 'text' ? hunks.hunks.map((hunk) => [hunk.id, hunk.lines]) : []);
  for (const hunk of decision.hunks) lines.push(...describeHunk(hunk, byId.get(hunk.hunk) ?? []));
  return lines.length === 1 ? undefined : lines.join('\n');
}

function describeHunk(decision: HunkDecision, lines: readonly string[]): string[] {
  if (decision.decision === 'accept' && decision.comment === undefined) return [];
  const said = decision.comment === undefined ? [] : [`Comment: ${decision.comment}`];
  const words = {
    accept: 'Accepted:',
    reject: 'Rejected:',
    lines: 'Accepted in part:',
    edit: 'Changed by the user:',
    undecided: 'Not decided yet:',
  };
  const shown = lines.slice(0, MAX_LINES_OF_HUNK).map((line) => Buffer.from(line, 'latin1').toString('utf8'));
  const more = lines.length > shown.length ? [`(${lines.length - shown.length} more lines)`] : [];
  return [words[decision.decision], ...shown, ...more, ...said];
}

function bound(text: string): string {
  return text.length <= MAX_CHARS ? text : `${text.slice(0, MAX_CHARS)}\n(cut off here)`;
}
