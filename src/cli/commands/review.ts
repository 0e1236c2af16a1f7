/** `review`: decide about a stored session's changes, on a screen, in plain lines, or by flags. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { EXIT, type ExitCode, errnoOf, SafeCoderError } from '../../base/errors.ts';
import type { EventBody } from '../../base/events.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { type Decision, parseDecisions } from '../../review/decision.ts';
import { ReviewState } from '../../review/review-state.ts';
import { decideByPatterns } from '../../review/select.ts';
import {
  type ApplyRequest,
  applyChanges,
  previewChanges,
  settleInterrupted,
} from '../../session/apply-changes.ts';
import { baseTreeOf } from '../../session/base-tree.ts';
import { listChanges, summarizeChanges } from '../../session/changes.ts';
import { landStored } from '../../session/land-stored.ts';
import { formatDecided } from '../../tui/change-list.ts';
import { afterWriting } from '../after-writing.ts';
import { deletesMany } from '../apply-plan.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, type Context, createContext, userRulesOf, withSignals } from '../context.ts';
import { tellApplied } from '../finish-session.ts';
import { storedWriting } from '../ledger-signing.ts';
import {
  canReview,
  keepDecisions,
  openReview,
  type ReviewRequest,
  reviewChanges,
} from '../review-changes.ts';
import { withoutConflicts } from '../settle-request.ts';
import { createFace } from '../start-session.ts';
import { type OpenedStoredSession, openStored } from '../stored-session.ts';
import { apply as applyStored } from './apply.ts';

export interface ReviewFlags extends CommonFlags {
  accept?: string[];
  reject?: string[];
  decisions?: string;
  apply?: 'safe' | 'all' | 'none';
  yes?: boolean;
  mouse?: boolean;
}

/** Throws `session/*`, `ledger/*`, `usage/*`, `apply/*`. */
export async function review(id: string | undefined, flags: ReviewFlags): Promise<void> {
  const context = createContext(flags);
  await using stored = await openStored(context, id);
  process.exitCode = await withSignals(async (signal) => {
    const request = await readRequest(context, stored, flags, signal);
    const isByFlags = [flags.accept, flags.reject, flags.decisions, flags.apply].some(
      (flag) => flag !== undefined,
    );
    if (isByFlags || !canReview(context)) return decideByFlags(context, stored, request, flags);
    if (request.items.length === 0) {
      context.out.write('There is nothing to review: no change of this session is left to apply.\n');
      return EXIT.done;
    }
    const { outcome, state } = await reviewChanges(context, request);
    if (outcome === 'apply') return applyReviewed(context, stored, request, state.decisions, flags);
    const kept = state.decisions.length > 0 ? 'The decisions are kept' : 'Nothing was decided';
    const word = outcome === 'discard' ? 'The decisions are discarded' : kept;
    context.err.write(
      `${word}; nothing was applied. To go on: safe-coder review ${request.id.slice(0, 8)}\n`,
    );
    return EXIT.done;
  });
}

async function readRequest(
  context: Context,
  { ledger, session }: OpenedStoredSession,
  flags: ReviewFlags,
  signal: AbortSignal,
): Promise<ReviewRequest> {
  const entries = await ledger.entries();
  const [base, final] = [entries[0], entries.at(-1)];
  if (base === undefined || final === undefined) {
    throw new SafeCoderError('session/damaged', `Session ${session.record.id} has no entry in its ledger.`);
  }
  return {
    id: session.record.id,
    folder: session.folder,
    ledger,
    items: await listChanges(
      ledger,
      await baseTreeOf(session.record, ledger),
      final.tree,
      undefined,
      userRulesOf(context),
    ),
    tree: final.tree,
    ...(flags.mouse !== undefined && { mouse: flags.mouse }),
    signal,
  };
}

/** Decides what the flags say on top of what was decided before, keeps it, says it, and applies what `--apply` names. */
async function decideByFlags(
  context: Context,
  stored: OpenedStoredSession,
  request: ReviewRequest,
  flags: ReviewFlags,
): Promise<ExitCode> {
  const { id, items, folder } = request;
  const state =
    flags.decisions === undefined ? await openReview(context, request) : fromFile(request, flags.decisions);
  takePatterns(state, flags);
  const isAnythingNamed = [flags.accept, flags.reject, flags.decisions].some((flag) => flag !== undefined);
  if (flags.apply !== undefined && flags.apply !== 'none' && !isAnythingNamed) {
    const open = items.filter(({ change }) => state.statusOf(change.path) === 'undecided');
    const wanted = open.filter(
      ({ risk, refused }) => refused === undefined && (flags.apply === 'all' || risk.length === 0),
    );
    state.decide(
      wanted.map(({ change }) => change.path),
      'accept',
    );
  }
  keepDecisions(folder, state.toFile());
  if (context.json) {
    const row = {
      type: 'review',
      at: new Date().toISOString(),
      session: id,
      ...state.toFile(),
      counts: state.counts,
    };
    context.out.write(`${toInertJson(row)}\n`);
  } else {
    const rows = summarizeChanges(items).map((change) => ({ change, status: state.statusOf(change.path) }));
    context.out.write(formatDecided(rows, context.out.style));
  }
  if (flags.apply === undefined || flags.apply === 'none') {
    if (!context.json && items.length > 0)
      context.err.write(`Nothing was applied. To look and apply: safe-coder review ${id.slice(0, 8)}\n`);
    return EXIT.done;
  }
  const decisions =
    flags.apply === 'all'
      ? state.decisions
      : await withoutConflicts(applyRequestOf(context, stored, request, withoutRisk(state)));
  const landing = decisions.filter(({ decision }) => decision !== 'reject').length;
  if (landing === 0) {
    if (!context.json) context.err.write('Nothing is accepted, nothing was applied.\n');
    return EXIT.done;
  }
  const question = `Write ${landing === 1 ? 'this change' : `these ${landing} changes`} to ${showPath(stored.session.record.project)}?`;
  if (!(await confirm(context, question, flags.yes === true))) return EXIT.done;
  return apply(context, stored, request, decisions);
}

/** Of what is accepted, what carries no risk. */
function withoutRisk(state: ReviewState): Decision[] {
  return state.decisions.filter(
    ({ path, decision }) => decision !== 'reject' && state.itemOf(path)?.risk.length === 0,
  );
}

function takePatterns(state: ReviewState, { accept, reject }: ReviewFlags): void {
  for (const [patterns, choice] of [
    [accept, 'accept'],
    [reject, 'reject'],
  ] as const) {
    if (patterns === undefined) continue;
    const named = decideByPatterns(state.items, { accept: patterns }).filter(
      ({ decision }) => decision === 'accept',
    );
    state.decide(
      named.map(({ path }) => path),
      choice,
    );
  }
}

/** Throws `usage/no-such-path`, `usage/bad-argument`, also for decisions about another state or other files. */
function fromFile({ items, tree }: ReviewRequest, name: string): ReviewState {
  let text: string;
  try {
    text = readFileSync(resolve(name), 'utf8');
  } catch (cause) {
    throw new SafeCoderError(
      'usage/no-such-path',
      `The decisions in ${showPath(name)} can't be read (${errnoOf(cause) ?? 'no reason given'}).`,
      { cause },
    );
  }
  const file = parseDecisions(text, name);
  if (file.tree !== undefined && file.tree !== tree) {
    throw new SafeCoderError(
      'usage/bad-argument',
      `The decisions in ${showPath(name)} are about another state of the session.`,
      {
        hint: 'Look at the changes again and decide anew: safe-coder review',
      },
    );
  }
  const state = new ReviewState(items, { tree, decisions: file.decisions });
  const [stray] = state.dropped;
  if (stray === undefined) return state;
  throw new SafeCoderError(
    'usage/bad-argument',
    `A decision names ${showPath(stray)}, which did not change.`,
    {
      hint: 'See the changes with "safe-coder diff --stat".',
    },
  );
}

/** Writes what was accepted at once where nothing is in the way; else as `apply` does: with the plan, and choices about conflicts. */
async function applyReviewed(
  context: Context,
  stored: OpenedStoredSession,
  request: ReviewRequest,
  decisions: readonly Decision[],
  flags: ReviewFlags,
): Promise<ExitCode> {
  const planned = await previewChanges(applyRequestOf(context, stored, request, decisions));
  const isClear = planned.conflicts.length === 0 && planned.problems.length === 0 && !deletesMany(planned);
  if (isClear) return apply(context, stored, request, decisions);
  const { path, config, plain, quiet } = flags;
  const file = join(request.folder, 'decisions.json');
  await applyStored(request.id, {
    ...(path !== undefined && { path }),
    ...(config !== undefined && { config }),
    ...(plain !== undefined && { plain }),
    ...(quiet !== undefined && { quiet }),
    decisions: file,
  });
  return (process.exitCode as ExitCode | undefined) ?? EXIT.done;
}

function applyRequestOf(
  context: Context,
  { session, ledger }: OpenedStoredSession,
  { items, signal }: ReviewRequest,
  decisions: readonly Decision[],
): ApplyRequest {
  const { record } = session;
  const face = createFace(context);
  return {
    project: record.project as HostPath,
    rootId: record.root,
    session: record.id,
    reader: ledger,
    items,
    decisions,
    state: context.directories.state,
    emit: (event: EventBody) => face.show({ ...event, at: new Date().toISOString(), session: record.id }),
    signal,
  };
}

async function apply(
  context: Context,
  stored: OpenedStoredSession,
  request: ReviewRequest,
  decisions: readonly Decision[],
): Promise<ExitCode> {
  const { session } = stored;
  const { record } = session;
  const { items } = request;
  const toApply = applyRequestOf(context, stored, request, decisions);
  await settleInterrupted(context.directories.state, toApply.emit);
  const done = await applyChanges(toApply);
  await afterWriting(context, session.record.id, async () =>
    landStored(context.directories.state, session, { items, decisions }, done, await storedWriting(context)),
  );
  if (context.json) {
    const { applied, conflicts, marked, refused, unchanged } = done;
    context.out.write(
      `${toInertJson({ type: 'applied', at: new Date().toISOString(), session: record.id, applied, unchanged, conflicts, marked, refused })}\n`,
    );
    return conflicts.length + marked.length > 0 ? EXIT.conflict : EXIT.done;
  }
  return tellApplied(context, record.project, record.id, done);
}
