/** `apply`: write a stored session's changes to the project. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { previewPlan } from '../../apply/apply.ts';
import { EXIT, errnoOf, SafeCoderError } from '../../base/errors.ts';
import type { EventBody } from '../../base/events.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import type { Entry } from '../../ledger/ledger.ts';
import { planSource } from '../../review/apply-plan.ts';
import { type Decision, parseDecisions } from '../../review/decision.ts';
import { planFromDecisions } from '../../review/plan.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import { decideAll, decideByPatterns } from '../../review/select.ts';
import { applyChanges, settleInterrupted } from '../../session/apply-changes.ts';
import { listChanges, summarizeChanges } from '../../session/changes.ts';
import { formatChanges, formatLeftOut } from '../../tui/change-list.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { tellApplied } from '../finish-session.ts';
import { createFace } from '../start-session.ts';
import { openStored } from '../stored-session.ts';

export interface ApplyFlags extends CommonFlags {
  yes?: boolean;
  accept?: string[];
  reject?: string[];
  decisions?: string;
  safe?: boolean;
  dryRun?: boolean;
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
  const items = await listChanges(stored.ledger, base.tree, final.tree);
  const decisions = decide(items, final.tree, flags);
  const accepted = items.filter(
    (_, index) => decisions[index]?.decision === 'accept' || isAccepted(decisions, items[index]),
  );
  if (!context.json) context.err.write(formatChanges(summarizeChanges(accepted), context.err.style));
  if (!context.json) context.err.write(formatLeftOut(leftOutOf(entries), context.err.style));
  if (accepted.length === 0) {
    if (!context.json) context.err.write('There is nothing to apply.\n');
    return;
  }
  if (flags.dryRun)
    return preview(context, stored.ledger, record.project as HostPath, record.id, items, decisions);
  if (
    !(await confirm(
      context,
      `Write ${accepted.length === 1 ? 'this change' : `these ${accepted.length} changes`} to ${showPath(record.project)}?`,
      flags.yes === true,
    ))
  )
    return;
  process.exitCode = await withSignals(async (signal) => {
    const done = await applyChanges({
      project: record.project as HostPath,
      rootId: record.root,
      session: record.id,
      reader: stored.ledger,
      items,
      decisions,
      state: context.directories.state,
      emit,
      signal,
    });
    if (context.json) {
      const { applied, conflicts, refused, unchanged } = done;
      context.out.write(
        `${toInertJson({ type: 'applied', at: new Date().toISOString(), session: record.id, applied, unchanged, conflicts, refused })}\n`,
      );
      return conflicts.length > 0 ? EXIT.conflict : EXIT.done;
    }
    if (done.unchanged.length > 0) context.err.write(`${done.unchanged.length} held these bytes already.\n`);
    return tellApplied(context, record.project, record.id, done);
  });
}

function isAccepted(decisions: readonly Decision[], item: ReviewItem | undefined): boolean {
  return decisions.some(({ path, decision }) => path === item?.change.path && decision !== 'reject');
}

function decide(items: readonly ReviewItem[], tree: string, flags: ApplyFlags): Decision[] {
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
  return decideAll(items, flags.safe ? 'safe' : 'all');
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

async function preview(
  context: Context,
  reader: Parameters<typeof applyChanges>[0]['reader'],
  root: HostPath,
  session: string,
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
): Promise<void> {
  const readBlob = (oid: string) => reader.readBlob(oid);
  const plan = await planFromDecisions(items, decisions, readBlob);
  const found = await previewPlan({
    root,
    session,
    stateDir: context.directories.state,
    plan,
    readBlob: planSource(plan, readBlob),
    objectFormat: reader.objectFormat,
  });
  if (context.json) {
    context.out.write(
      `${toInertJson({ type: 'apply.preview', at: new Date().toISOString(), session, ...found })}\n`,
    );
    return;
  }
  for (const { path, action } of found.actions) context.out.write(`${action.padEnd(8)} ${showPath(path)}\n`);
  for (const { path, reason } of found.conflicts)
    context.out.write(`conflict ${showPath(path)}: ${reason}\n`);
  for (const { path, reason } of found.refused) context.out.write(`refused  ${showPath(path)}: ${reason}\n`);
  if (found.conflicts.length > 0) process.exitCode = EXIT.conflict;
}
