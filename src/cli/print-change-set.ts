/** A change set as a patch on the screen, coloured, with nothing in it that a terminal acts on. */

import { isBinary } from '../base/is-binary.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import type { Change, ChangeSet } from '../diff/change-set.ts';
import { formatPatch, type PatchChange } from '../diff/patch.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import type { UserRules } from '../policy/risk/user-rules.ts';
import { reviewItems, toSummary } from '../review/review-item.ts';
import { formatChanges } from '../tui/change-list.ts';
import type { Screen } from '../tui/style.ts';

export async function printChangeSet(
  changeSet: ChangeSet,
  ledger: LedgerReader,
  out: Screen,
  options: { stat: boolean; title?: string; userRules?: UserRules },
): Promise<void> {
  if (options.stat) {
    const items = await reviewItems(changeSet, ledger, options);
    out.write(formatChanges(items.map(toSummary), out.style, options.title));
    return;
  }
  for (const change of changeSet.changes) {
    const patch = await toPatchChange(change, ledger);
    const binary = [patch.before, patch.after].some((side) => side && isBinary(side.bytes));
    // A terminal has no use for the bytes of a binary patch; piped into a file, the patch is whole.
    const text = binary && out.isTerminal ? binaryLine(change) : formatPatch([patch]);
    if (out.isTerminal) printPatch(text.toString('utf8'), out);
    else process.stdout.write(text);
  }
}

async function toPatchChange(change: Change, ledger: LedgerReader): Promise<PatchChange> {
  const { before, after, path } = change;
  return {
    ...(before && {
      before: { path: change.from ?? path, ...before, bytes: await ledger.readBlob(before.oid) },
    }),
    ...(after && { after: { path, ...after, bytes: await ledger.readBlob(after.oid) } }),
  };
}

function binaryLine(change: Change): string {
  return `diff ${change.path}\nBinary file, ${change.kind}\n`;
}

function printPatch(text: string, out: Screen): void {
  const { style } = out;
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  for (const line of lines) {
    const safe = escapeForTerminal(line);
    if (/^(diff|index|---|\+\+\+|new|deleted|old|rename|copy|similarity)/.test(line))
      out.write(`${style.bold(safe)}\n`);
    else if (line.startsWith('@@')) out.write(`${style.cyan(safe)}\n`);
    else if (line.startsWith('+')) out.write(`${style.green(safe)}\n`);
    else if (line.startsWith('-')) out.write(`${style.red(safe)}\n`);
    else out.write(`${safe}\n`);
  }
}
