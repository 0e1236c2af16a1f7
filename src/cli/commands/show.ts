/** `show`: one entry, what ran and what it changed. */
import { toInertJson } from '../../headless/json-lines.ts';
import { reviewItems, toSummary } from '../../review/review-item.ts';
import { readTimeline } from '../../session/timeline.ts';
import { formatEntryPage } from '../../tui/entry-page.ts';
import { type CommonFlags, createContext, userRulesOf } from '../context.ts';
import { entryRow } from '../entry-row.ts';
import { openNamed } from '../find-entry.ts';
import { printChangeSet } from '../print-change-set.ts';

/** `show ENTRY`, `show ID ENTRY`, or `show ID` for its newest entry. */
export async function show(
  first: string,
  second: string | undefined,
  flags: CommonFlags & { stat?: boolean },
): Promise<void> {
  const context = createContext(flags);
  const userRules = userRulesOf(context);
  const { stored, name } = await openNamed(context, first, second);
  await using opened = stored;
  const { ledger, session } = opened;
  const entry = await ledger.resolve(name ?? 'HEAD');
  const parent = entry.parent === undefined ? undefined : await ledger.resolve(entry.parent);
  const changeSet = parent && (await ledger.changes(parent.tree, entry.tree, { renames: true }));
  const { steps } = await readTimeline(session.folder, await ledger.entries());
  const step = steps.get(entry.id) ?? { entry };
  if (context.json) {
    const items = changeSet ? await reviewItems(changeSet, ledger, { userRules }) : [];
    const row = {
      ...entryRow(session.record.id, step),
      ...(step.turn && { prompt: step.turn.prompt }),
      ...(step.output !== undefined && { output: step.output }),
      changes: items.map(toSummary),
    };
    context.out.write(`${toInertJson(row)}\n`);
    return;
  }
  context.out.write(formatEntryPage(step, context.out.style));
  if (changeSet === undefined || changeSet.changes.length === 0) return;
  context.out.write('\n');
  await printChangeSet(changeSet, ledger, context.out, {
    stat: flags.stat === true,
    userRules,
    title: 'Changes in this entry',
  });
}
