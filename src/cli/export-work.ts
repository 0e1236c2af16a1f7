/** What of a session's work an export takes: all of it, or what was accepted in the review. */
import { SafeCoderError } from '../base/errors.ts';
import type { Entry } from '../ledger/ledger.ts';
import { planSource } from '../review/apply-plan.ts';
import { planFromDecisions } from '../review/plan.ts';
import { baseTreeOf } from '../session/base-tree.ts';
import { listChanges } from '../session/changes.ts';
import {
  type Exported,
  type ExportStep,
  exportChanges,
  exportPlan,
  exportSteps,
} from '../session/export-changes.ts';
import { loadDecisions } from '../session/review-store.ts';
import { readTimeline } from '../session/timeline.ts';
import type { OpenedStoredSession } from './stored-session.ts';

export interface ExportWork {
  /** Tree that `whole` begins from: what was applied is the project's own. */
  base: string;
  /** Where `steps` begin. */
  initial: Entry;
  final: Entry;
  isAccepted: boolean;
  whole: Exported;
  read: (oid: string) => Promise<Buffer>;
  /** One for each entry that changed something. */
  steps(): Promise<ExportStep[]>;
  /** All of `whole` as one. */
  asOneStep(): ExportStep;
}

/** Throws `usage/bad-argument` when only what was accepted is wanted and nothing was decided about this state. */
export async function collectWork(
  stored: OpenedStoredSession,
  options: { accepted: boolean },
): Promise<ExportWork> {
  const { ledger, session } = stored;
  const entries = await ledger.entries();
  const [initial, final] = [entries[0], entries.at(-1)];
  if (initial === undefined || final === undefined)
    throw new SafeCoderError('session/damaged', `Session ${session.record.id} has no entry in its ledger.`);
  const base = await baseTreeOf(session.record, ledger);
  const { whole, read } = options.accepted
    ? await acceptedWork(stored, base, final)
    : {
        whole: await exportChanges(ledger, base, final.tree),
        read: (oid: string) => ledger.readBlob(oid),
      };
  return {
    base,
    initial,
    final,
    isAccepted: options.accepted,
    whole,
    read,
    steps: async () =>
      exportSteps(ledger, session.record.id, entries, await readTimeline(session.folder, entries)),
    asOneStep: () => ({
      ...whole,
      subject: `Safe Coder: ${[...(session.record.title.split('\n')[0] ?? '')].slice(0, 60).join('')}`.trim(),
      text: session.record.title.includes('\n') ? session.record.title : '',
      trailers: [
        `Safe-Coder-Session: ${session.record.id}`,
        `Safe-Coder-Entry: ${final.trailers.seq} ${final.id}`,
      ],
      at: final.at,
    }),
  };
}

async function acceptedWork({ ledger, session }: OpenedStoredSession, base: string, final: Entry) {
  const { file } = loadDecisions(session.folder);
  if (file === undefined || (file.tree !== undefined && file.tree !== final.tree)) {
    throw new SafeCoderError(
      'usage/bad-argument',
      'There is no review of the newest state of this session.',
      {
        hint: `Decide first: safe-coder review ${session.record.id.slice(0, 8)}`,
      },
    );
  }
  const items = await listChanges(ledger, base, final.tree);
  const plan = await planFromDecisions(items, file.decisions, (oid) => ledger.readBlob(oid));
  return { whole: await exportPlan(ledger, plan), read: planSource(plan, (oid) => ledger.readBlob(oid)) };
}
