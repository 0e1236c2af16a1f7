/** `apply`: write a stored session's changes to the project. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ApplyResult } from '../../apply/apply.ts';
import type { ApplyPreview } from '../../apply/preview.ts';
import { EXIT, type ExitCode, errnoOf, SafeCoderError } from '../../base/errors.ts';
import type { EventBody } from '../../base/events.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import type { Entry } from '../../ledger/ledger.ts';
import { type Decision, parseDecisions } from '../../review/decision.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import { decideAll, decideByPatterns } from '../../review/select.ts';
import {
  type ApplyRequest,
  applyChanges,
  previewChanges,
  settleInterrupted,
} from '../../session/apply-changes.ts';
import { baseTreeOf } from '../../session/base-tree.ts';
import { listChanges, summarizeChanges } from '../../session/changes.ts';
import { landStored } from '../../session/land-stored.ts';
import { formatChanges, formatLeftOut } from '../../tui/change-list.ts';
import { afterWriting } from '../after-writing.ts';
import { deletesMany, deletions, formatPlan } from '../apply-plan.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, type Context, createContext, userRulesOf, withSignals } from '../context.ts';
import { tellApplied } from '../finish-session.ts';
import { storedWriting } from '../ledger-signing.ts';
import { openReview } from '../review-changes.ts';
import { canSettle, decideSafe, isSettleable, settleRequest, showPlan } from '../settle-request.ts';
import { createFace } from '../start-session.ts';
import { type OpenedStoredSession, openStored } from '../stored-session.ts';

export interface ApplyFlags extends CommonFlags {
  yes?: boolean;
  accept?: string[];
  reject?: string[];
  decisions?: string;
  safe?: boolean;
  dryRun?: boolean;
  onConflict?: 'mine' | 'theirs' | 'markers';
  allowMassDelete?: boolean;
}

export async function apply(id: string | undefined, flags: ApplyFlags): Promise<void> {
  const context = createContext(flags);
  const face = createFace(context);
  await using stored = await openStored(context, id);
  const { record } = stored.session;
  const emit = (event: EventBody) =>
    face.show({ ...event, at: new Date().toISOString(), session: record.id });
  await settleInterrupted(context.directories.state, emit);
  const entries = await stored.ledger.entries();
  const [base, final] = [entries[0], entries.at(-1)];
  if (base === undefined || final === undefined) {
    throw new SafeCoderError('session/damaged', `Session ${record.id} has no entry in its ledger.`);
  }
  const from = await baseTreeOf(record, stored.ledger);
  const items = await listChanges(stored.ledger, from, final.tree, undefined, userRulesOf(context));
  process.exitCode = await withSignals(async (signal) => {
    const open: ApplyRequest = {
      project: record.project as HostPath,
      rootId: record.root,
      session: record.id,
      reader: stored.ledger,
      items,
      decisions: [],
      state: context.directories.state,
      emit,
      signal,
      ...(flags.onConflict && { choice: flags.onConflict }),
    };
    const decisions =
      (await decideByFlags(open, final.tree, flags)) ?? (await asReviewed(context, stored, open, final.tree));
    const request = { ...open, decisions };
    const accepted = items.filter((item) => isAccepted(request.decisions, item));
    if (!context.json) context.err.write(formatChanges(summarizeChanges(accepted), context.err.style));
    if (!context.json) context.err.write(formatLeftOut(leftOutOf(entries), context.err.style));
    if (accepted.length === 0) {
      if (!context.json) context.err.write('There is nothing to apply.\n');
      return EXIT.done;
    }
    if (flags.dryRun) return showDryRun(context, request);
    const settled = await agree(context, request, flags);
    if (settled === undefined) return EXIT.done;
    const done = await applyChanges(settled);
    await afterWriting(context, record.id, async () =>
      landStored(context.directories.state, stored.session, settled, done, await storedWriting(context)),
    );
    return tell(context, record.project, record.id, done);
  });
}

/** Shows the plan, lets conflicts be settled, and asks; undefined when the answer is no. */
async function agree(
  context: Context,
  request: ApplyRequest,
  flags: ApplyFlags,
): Promise<ApplyRequest | undefined> {
  const canAsk = !flags.yes && canSettle(context);
  const first = { request, plan: await previewChanges(request) };
  showPlan(context, first.plan);
  const { request: agreed, plan } = canAsk
    ? await settleRequest(context, first)
    : { ...first, request: { ...request, shown: first.plan.shown } };
  // What stands in the way is told by apply itself, all of it.
  if (plan.problems.length === 0) {
    if (deletesMany(plan) && !flags.allowMassDelete) await askAboutDeletions(context, plan, canAsk);
    const count = plan.actions.length;
    const what = count === 1 ? 'this change' : `these ${count} changes`;
    const question = `Write ${what} to ${showPath(request.project)}?`;
    if (count > 0 && !(await confirm(context, question, flags.yes === true))) return undefined;
  }
  return agreed;
}

/** `--yes` does not speak for many deletions: it is often there by habit. */
async function askAboutDeletions(context: Context, plan: ApplyPreview, canAsk: boolean): Promise<void> {
  const count = deletions(plan);
  if (canAsk && (await confirm(context, `${count} files will be deleted. Is that meant?`, false))) return;
  throw new SafeCoderError('apply/refused', `This would delete ${count} files.`, {
    hint: 'Nothing was changed. Look at them with --dry-run; --allow-mass-delete lets it happen.',
  });
}

async function showDryRun(context: Context, request: ApplyRequest): Promise<ExitCode> {
  const plan = await previewChanges(request);
  const { shown: _, ...facts } = plan;
  if (context.json) {
    const head = { type: 'apply.preview', at: new Date().toISOString(), session: request.session };
    context.out.write(`${toInertJson({ ...head, ...facts, massDeletion: deletesMany(plan) })}\n`);
  } else context.out.write(formatPlan(plan, context.out.style));
  if (plan.problems.length > 0) return EXIT.environment;
  return plan.conflicts.length + plan.marked.length > 0 ? EXIT.conflict : EXIT.done;
}

function tell(context: Context, project: string, session: string, done: ApplyResult): ExitCode {
  const code = done.conflicts.length + done.marked.length > 0 ? EXIT.conflict : EXIT.done;
  if (context.json) {
    const { record: _, warnings: __, ...facts } = done;
    context.out.write(
      `${toInertJson({ type: 'applied', at: new Date().toISOString(), session, ...facts })}\n`,
    );
    return code;
  }
  if (done.unchanged.length > 0) context.err.write(`${done.unchanged.length} held these bytes already.\n`);
  tellApplied(context, project, session, done);
  if (isSettleable(done))
    context.err.write('To settle conflicts: safe-coder apply --on-conflict mine|theirs|markers\n');
  return code;
}

function isAccepted(decisions: readonly Decision[], item: ReviewItem): boolean {
  return decisions.some(({ path, decision }) => path === item.change.path && decision !== 'reject');
}

/** What was decided in a review of this session; everything where nothing was. */
async function asReviewed(
  context: Context,
  { session, ledger }: OpenedStoredSession,
  { items, signal }: ApplyRequest,
  tree: string,
): Promise<readonly Decision[]> {
  const { id, folder } = { id: session.record.id, folder: session.folder };
  const { decisions } = await openReview(context, { id, folder, ledger, items, tree, signal });
  if (decisions.length === 0) return decideAll(items, 'all');
  if (!context.json) context.err.write("As reviewed; everything instead: --accept '**'\n");
  return decisions;
}

/** Undefined without a flag that says what is meant. */
async function decideByFlags(
  request: ApplyRequest,
  tree: string,
  flags: ApplyFlags,
): Promise<readonly Decision[] | undefined> {
  const { items } = request;
  if (flags.decisions !== undefined) {
    const file = parseDecisions(readDecisions(flags.decisions), flags.decisions);
    if (file.tree !== undefined && file.tree !== tree) {
      throw new SafeCoderError(
        'usage/bad-argument',
        `The decisions in ${flags.decisions} are about another state of the session.`,
        {
          hint: 'Look at the changes again and decide anew.',
        },
      );
    }
    return file.decisions;
  }
  if (flags.accept || flags.reject) {
    return decideByPatterns(items, {
      ...(flags.accept ? { accept: flags.accept } : {}),
      ...(flags.reject ? { reject: flags.reject } : {}),
    });
  }
  return flags.safe ? decideSafe(request) : undefined;
}

/** What the session's entries name as not in the ledger. */
function leftOutOf(entries: readonly Entry[]): Parameters<typeof formatLeftOut>[0] {
  const skipped = new Map(entries.flatMap(({ trailers }) => trailers.skipped).map((one) => [one.path, one]));
  return {
    skipped: [...skipped.values()],
    ignored: { count: entries.at(-1)?.trailers.ignored ?? 0, examples: [] },
    gitChanged: entries.at(-1)?.trailers.gitChanged ?? false,
  };
}

function readDecisions(file: string): string {
  try {
    return readFileSync(resolve(file), 'utf8');
  } catch (error) {
    throw new SafeCoderError(
      'usage/no-such-path',
      `The decisions in ${showPath(file)} can't be read (${errnoOf(error) ?? 'no reason given'}).`,
      { cause: error },
    );
  }
}
