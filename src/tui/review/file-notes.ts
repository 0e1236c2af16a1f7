/** What is to be said of a file besides its lines. */
import { showPath } from '../../base/path-bytes.ts';
import { showSize } from '../../config/quantities.ts';
import type { FileHunks, OpaqueSide } from '../../review/file-hunks.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import type { DiffRow } from './diff-rows.ts';

type Note = Extract<DiffRow, { kind: 'note' }>;

/** Risks first: they are why a person looks. */
export function fileNotes(
  { change, risk, refused, isIgnored }: ReviewItem,
  hunks: FileHunks | undefined,
): Note[] {
  const notes: Note[] = [];
  const say = (text: string, tone: Note['tone'] = 'plain') => notes.push({ kind: 'note', text, tone });
  if (refused !== undefined) say(`Can't be applied: ${refused}.`, 'risk');
  for (const reason of risk) say(`! ${reason}`, 'risk');
  if (change.from !== undefined) say(`Renamed from ${showPath(change.from)}`);
  const [before, after] = [change.before?.mode, change.after?.mode];
  if (before !== undefined && after !== undefined && before !== after) say(`Mode ${before} → ${after}`);
  else if (before === undefined && after === '100755') say('A new executable (mode 100755)');
  if (isIgnored) say("Ignored by the project's own rules", 'muted');
  if (hunks === undefined) say('Reading ...', 'muted');
  else sayContent(hunks, say);
  return notes;
}

function sayContent(hunks: FileHunks, say: (text: string, tone?: Note['tone']) => void): void {
  if (hunks.kind === 'binary') say(`Binary: ${sides(hunks)}. It is taken or left as a whole.`);
  else if (hunks.kind === 'too-large') {
    say(
      `Too different to show line by line: ${lines(hunks.oldLines)} → ${lines(hunks.newLines)}, ${sides(hunks)}.`,
    );
    say('It is taken or left as a whole.');
  } else if (hunks.kind === 'symlink') {
    if (hunks.before !== undefined) say(`Symlink before: → ${showPath(hunks.before)}`);
    if (hunks.after !== undefined) say(`Symlink now: → ${showPath(hunks.after)}`);
  } else if (hunks.kind === 'mode') say('The content is the same.', 'muted');
  else if (hunks.hunks.length === 0) say('An empty file.', 'muted');
}

function sides({ before, after }: { before?: OpaqueSide; after?: OpaqueSide }): string {
  const show = (side: OpaqueSide | undefined) => (side ? `${side.type}, ${showSize(side.bytes)}` : 'nothing');
  return `${show(before)} → ${show(after)}`;
}

function lines(count: number): string {
  return count === 1 ? '1 line' : `${count.toLocaleString('en-US')} lines`;
}
