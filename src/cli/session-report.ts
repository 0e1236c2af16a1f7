/** A stored session as its report wants it. */
import { SafeCoderError } from '../base/errors.ts';
import { isBinary } from '../base/is-binary.ts';
import { decodePath, showPath } from '../base/path-bytes.ts';
import { formatPatch } from '../diff/patch.ts';
import type { Report, StepReport } from '../headless/report.ts';
import type { Entry, LedgerReader } from '../ledger/ledger.ts';
import { reviewItems, toSummary } from '../review/review-item.ts';
import { begunWith } from '../session/base-tree.ts';
import { listChanges, summarizeChanges } from '../session/changes.ts';
import { readChange, toExportChange } from '../session/export-changes.ts';
import { readTimeline } from '../session/timeline.ts';
import { type Context, userRulesOf } from './context.ts';
import type { OpenedStoredSession } from './stored-session.ts';

/** Files of one entry whose differences are shown, and the bytes that they may have together. */
const MOST_FILES = 50;
const MOST_BYTES = 1 << 20;

/** Reads what the whole report needs; entries are read as they are asked for. Throws `ledger/damaged`. */
export async function reportOf(context: Context, { ledger, session }: OpenedStoredSession): Promise<Report> {
  const entries = await ledger.entries();
  const final = entries.at(-1);
  if (final === undefined)
    throw new SafeCoderError('session/damaged', `Session ${session.record.id} has no entry in its ledger.`);
  const userRules = userRulesOf(context);
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  return {
    record: session.record,
    at: new Date(),
    items: (await readTimeline(session.folder, entries)).items,
    changes: summarizeChanges(
      await listChanges(ledger, await begunWith(session.record, ledger), final.tree, undefined, userRules),
    ),
    verdict: await ledger.verify(),
    stepReport: ({ entry }) => stepReport(ledger, byId.get(entry.parent ?? ''), entry),
  };
}

async function stepReport(
  ledger: LedgerReader,
  parent: Entry | undefined,
  entry: Entry,
): Promise<StepReport> {
  if (parent === undefined || parent.tree === entry.tree) return { changes: [], patch: '' };
  const changeSet = await ledger.changes(parent.tree, entry.tree, { renames: true });
  const changes = (await reviewItems(changeSet, ledger)).map(toSummary);
  let left = MOST_BYTES;
  let shown = 0;
  const patches: string[] = [];
  for (const change of changeSet.changes.slice(0, MOST_FILES).map(toExportChange)) {
    const patch = await readChange(change, (oid) => ledger.readBlob(oid));
    left -= (patch.before?.bytes.length ?? 0) + (patch.after?.bytes.length ?? 0);
    if (left < 0) break;
    shown += 1;
    const isPicture = [patch.before, patch.after].some((side) => side && isBinary(side.bytes));
    patches.push(
      isPicture
        ? `Binary file ${showPath((change.after ?? change.before)?.path ?? '')}\n`
        : decodePath(formatPatch([patch])),
    );
  }
  const more = changeSet.changes.length - shown;
  if (more > 0) patches.push(`… ${more} more ${more === 1 ? 'file is' : 'files are'} not shown here\n`);
  return { changes, patch: patches.join('') };
}
