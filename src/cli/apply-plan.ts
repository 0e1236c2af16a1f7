/** What applying will do, path by path, before anybody is asked. */
import type { ApplyPreview, PreviewAction } from '../apply/preview.ts';
import { showPath } from '../base/path-bytes.ts';
import { showSize } from '../config/quantities.ts';
import { isMassDeletion } from '../policy/mass-deletion.ts';
import type { Style } from '../tui/style.ts';

const WORDS: Record<PreviewAction['action'], string> = {
  add: 'add',
  replace: 'write',
  delete: 'delete',
  rename: 'rename',
  mode: 'mode',
  merge: 'merge',
  markers: 'markers',
};

const NOTES: Partial<Record<PreviewAction['action'], string>> = {
  merge: "your change and the agent's, which are apart",
  markers: "your change and the agent's, between conflict markers",
};

/** One line a path, then what is left alone and why, then how much it is. */
export function formatPlan(plan: ApplyPreview, style: Style): string {
  const word = (text: string) => text.padEnd(9);
  const lines = plan.actions.map(({ path, action, from }) => {
    const paint =
      action === 'delete' ? style.red : action === 'merge' || action === 'markers' ? style.cyan : style.green;
    const name = from === undefined ? showPath(path) : `${showPath(from)} → ${showPath(path)}`;
    const note = NOTES[action];
    return `  ${paint(word(WORDS[action]))}${name}${note === undefined ? '' : style.dim(`   ${note}`)}`;
  });
  for (const path of plan.kept)
    lines.push(`  ${word('keep')}${showPath(path)}${style.dim('   as you have it')}`);
  for (const { path, reason } of plan.conflicts)
    lines.push(`  ${style.red(word('conflict'))}${showPath(path)}${style.dim(`   ${reason}`)}`);
  for (const { path, reason } of plan.refused)
    lines.push(`  ${style.red(word('refused'))}${showPath(path)}${style.dim(`   ${reason}`)}`);
  if (plan.actions.length > 0) lines.push(totals(plan));
  for (const { what, mend } of plan.problems) lines.push(`${style.red('✗')} ${what} ${mend}`);
  return lines.map((line) => `${line}\n`).join('');
}

function totals(plan: ApplyPreview): string {
  const deleted = deletions(plan);
  const files = plan.actions.length === 1 ? '1 file' : `${plan.actions.length} files`;
  const merged = plan.merged.length === 0 ? '' : `, ${plan.merged.length} merged`;
  return `${files}, ${showSize(plan.bytes)} to write${merged}${deleted === 0 ? '' : `, ${deleted} deleted`}`;
}

/** How many files go without coming back under another name. */
export function deletions({ actions }: Pick<ApplyPreview, 'actions'>): number {
  return actions.filter(({ action }) => action === 'delete').length;
}

/** True when so many files go that a person should say so once more. */
export function deletesMany(plan: Pick<ApplyPreview, 'actions'>): boolean {
  return isMassDeletion(deletions(plan), plan.actions.length);
}
