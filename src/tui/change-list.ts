/** The change summary for people: one line a file, counts, risks, nothing truncated silently. */
import type { ChangeKind, ChangeSummary } from '../base/events.ts';
import { showPath } from '../base/path-bytes.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import type { Style } from './style.ts';

const LETTER: Record<ChangeKind, string> = {
  added: 'A',
  modified: 'M',
  deleted: 'D',
  renamed: 'R',
  mode: 'P',
  symlink: 'L',
};

/** `Changes in this session (3 files, +42 -7)` and a line for each. */
export function formatChanges(
  changes: readonly ChangeSummary[],
  style: Style,
  title = 'Changes in this session',
): string {
  if (changes.length === 0) return `No ${title.charAt(0).toLowerCase()}${title.slice(1)}.\n`;
  const added = changes.reduce((sum, change) => sum + (change.added ?? 0), 0);
  const removed = changes.reduce((sum, change) => sum + (change.removed ?? 0), 0);
  const files = changes.length === 1 ? '1 file' : `${changes.length.toLocaleString('en-US')} files`;
  const names = changes.map((change) =>
    change.from ? `${showPath(change.from)} → ${showPath(change.path)}` : showPath(change.path),
  );
  const width = Math.min(60, Math.max(...names.map((name) => name.length)));
  const lines = changes.map((change, index) => formatChange(change, names[index] ?? '', width, style));
  return `${title} (${files}, +${added} -${removed})\n${lines.join('')}`;
}

function formatChange(change: ChangeSummary, name: string, width: number, style: Style): string {
  const counts: string[] = [];
  if (change.binary) counts.push('binary');
  if (change.added) counts.push(style.green(`+${change.added}`));
  if (change.removed) counts.push(style.red(`-${change.removed}`));
  if (change.ignored) counts.push(style.dim('ignored by the project'));
  const line = `  ${LETTER[change.change]} ${name.padEnd(width)}  ${counts.join(' ')}`.trimEnd();
  const risks = change.risk.map((reason) => `      ${style.red('!')} ${reason}\n`);
  return `${line}\n${risks.join('')}`;
}

const DECIDED = { accepted: '✓', rejected: '✗', partial: '◐', undecided: '·' } as const;

/** The changes with what was decided about each, and how many there are of each kind. */
export function formatDecided(
  rows: readonly { change: ChangeSummary; status: keyof typeof DECIDED }[],
  style: Style,
): string {
  if (rows.length === 0) return 'No changes in this session.\n';
  const mark = { accepted: style.green, rejected: style.red, partial: style.cyan, undecided: style.dim };
  const lines = rows.map(({ change, status }) => {
    const risks = change.risk
      .map((reason) => `      ${style.red('!')} ${escapeForTerminal(reason)}\n`)
      .join('');
    return `${mark[status](`${DECIDED[status]} ${status.padEnd(9)}`)} ${LETTER[change.change]} ${showPath(change.path)}\n${risks}`;
  });
  const count = (status: keyof typeof DECIDED) => rows.filter((row) => row.status === status).length;
  const counts = `${count('accepted')} accepted, ${count('partial')} in part, ${count('rejected')} rejected, ${count('undecided')} not decided.`;
  return `${lines.join('')}${counts}\n`;
}

/** Lines shown of each kind before the rest is only counted. */
const MOST_LEFT_OUT = 10;

/** What the guest holds and the ledger doesn't: nothing is dropped silently. Empty when there is nothing. */
export function formatLeftOut(
  left: {
    skipped: readonly { path: string; reason: string }[];
    ignored: { count: number; examples: readonly string[] };
    gitChanged: boolean;
  },
  style: Style,
): string {
  const lines: string[] = [];
  if (left.skipped.length > 0) {
    lines.push(`Not in the ledger (${left.skipped.length}):`);
    for (const { path, reason } of left.skipped.slice(0, MOST_LEFT_OUT))
      lines.push(`  ${showPath(path)}: ${reason}`);
    const more = left.skipped.length - MOST_LEFT_OUT;
    if (more > 0) lines.push(`  and ${more} more (safe-coder log --json names them all)`);
  }
  const { count, examples } = left.ignored;
  if (count > 0) {
    const names = examples.map(showPath).join(', ');
    lines.push(
      `Changed but ignored by the project's own rules (${count}): ${names}${count > examples.length ? ' ...' : ''}`,
    );
  }
  if (left.gitChanged) lines.push("The guest's .git changed; it is never applied.");
  return lines.map((line) => `${style.dim(line)}\n`).join('');
}
