/** The end of a session on the screen: changes, what lands, what is gone. */
import { EXIT, type ExitCode, exitCodeOfCode } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import type { Decision } from '../review/decision.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { decideAll } from '../review/select.ts';
import { type Applied, type ApplyRequest, previewChanges } from '../session/apply-changes.ts';
import { summarizeChanges } from '../session/changes.ts';
import type { Session } from '../session/session.ts';
import { formatChanges, formatLeftOut } from '../tui/change-list.ts';
import { NOT_ISOLATED } from '../tui/event-printer.ts';
import type { LineEditor } from '../tui/line-editor.ts';
import type { Context } from './context.ts';
import { canSettle, decideSafe, isSettleable, settleRequest, showPlan } from './settle-request.ts';
import type { Face } from './start-session.ts';

/** Sweeps and shows the change summary. Throws `guest/*`, `ledger/*`. */
export async function showChanges(context: Context, face: Face, session: Session): Promise<ReviewItem[]> {
  const items = await session.changes();
  printChanges(context, face, session, items);
  return items;
}

/** The change summary, and what is left out of it; nothing with `--json`, where the session's end tells it. */
export function printChanges(
  context: Context,
  face: Face,
  session: Session,
  items: readonly ReviewItem[],
): void {
  face.printer.finishLine();
  if (context.json) return;
  if (!context.quiet || items.length > 0) {
    context.err.write(formatChanges(summarizeChanges(items), context.err.style));
  }
  context.err.write(formatLeftOut(session.leftOut, context.err.style));
}

/** Applies by mode and says what landed. Returns 6 when something of the host changed meanwhile. */
export async function applyByMode(
  context: Context,
  session: Session,
  items: readonly ReviewItem[],
  mode: 'none' | 'safe' | 'all',
  signal: AbortSignal,
): Promise<ExitCode> {
  if (items.length === 0) return EXIT.done;
  if (mode === 'none') {
    note(context, `Nothing was applied. To apply: safe-coder apply ${session.id.slice(0, 8)}\n`);
    return EXIT.done;
  }
  if (mode === 'all') return applyDecisions(context, session, items, decideAll(items, mode), signal);
  return applySafe(context, session, items, signal);
}

/** Applies what carries no risk and no conflict, and says how much that leaves. */
export async function applySafe(
  context: Context,
  session: Session,
  items: readonly ReviewItem[],
  signal: AbortSignal,
): Promise<ExitCode> {
  const decisions = await decideSafe(session.applyRequest(items, [], signal));
  const held = decisions.filter(({ decision }) => decision === 'reject').length;
  const all = `safe-coder apply ${session.id.slice(0, 8)}`;
  if (held > 0) {
    note(context, `${held} held back for a risk (marked "!") or a conflict with the project: ${all}\n`);
  }
  return applyDecisions(context, session, items, decisions, signal);
}

/**
 * Applies what was decided. With `editor`, the chat's, a person settles the conflicts first, as `safe-coder apply` asks about
 * them.
 */
export async function applyDecisions(
  context: Context,
  session: Session,
  items: readonly ReviewItem[],
  decisions: readonly Decision[],
  signal: AbortSignal,
  editor?: Pick<LineEditor, 'suspend'>,
): Promise<ExitCode> {
  if (decisions.every(({ decision }) => decision === 'reject')) {
    note(context, 'Nothing was accepted, nothing was applied.\n');
    return EXIT.done;
  }
  const agreed = editor && (await settle(context, session.applyRequest(items, decisions, signal), editor));
  note(context, 'Syncing to host...\n');
  const done = await session.apply(items, agreed?.decisions ?? decisions, signal, agreed?.shown);
  return tellApplied(context, session.project, session.id, done);
}

/** Undefined when there is nothing to ask, or nobody. */
async function settle(
  context: Context,
  request: ApplyRequest,
  editor: Pick<LineEditor, 'suspend'>,
): Promise<ApplyRequest | undefined> {
  if (!canSettle(context)) return undefined;
  const plan = await previewChanges(request);
  if (!isSettleable(plan)) return undefined;
  showPlan(context, plan);
  editor.suspend();
  return (await settleRequest(context, { request, plan })).request;
}

/** `✓ Changes synced to host: …`, and what was left alone. */
export function tellApplied(context: Context, project: string, id: string, done: Applied): ExitCode {
  const { style } = context.err;
  if (done.applied.length > 0) {
    const undo = `(undo: safe-coder undo ${id.slice(0, 8)})`;
    note(context, `${style.green('✓')} Changes synced to host: ${showPath(project)}   ${style.dim(undo)}\n`);
  }
  for (const { path, reason } of done.conflicts) {
    note(context, `${style.red('✗')} ${showPath(path)} was left alone: ${reason}\n`);
  }
  for (const path of done.marked) {
    note(context, `${style.red('✗')} ${showPath(path)} holds conflict markers: settle them\n`);
  }
  return done.conflicts.length + done.marked.length > 0 ? EXIT.conflict : EXIT.done;
}

/** Ends the session and says that the sandbox is gone. Returns why it did not end well, as an exit code. */
export async function endSession(context: Context, face: Face, session: Session): Promise<ExitCode> {
  const { level } = session.isolation;
  await session.end();
  face.printer.finishLine();
  const code = session.ending.ok ? EXIT.done : exitCodeOfReason(session.ending.reason);
  if (context.quiet || context.json) return code;
  const { style } = context.err;
  note(context, `${style.green('✓')} Stopped ${level === 'vm' ? 'VM' : 'sandbox'} ${session.sandbox.id}\n`);
  if (level === 'demo') note(context, `${style.red(NOT_ISOLATED)}\n`);
  return code;
}

/** Why a turn or a session ended, as an exit code: an error's own, or that of a word like `max-steps`. */
export function exitCodeOfReason(reason: string): ExitCode {
  if (reason === 'done') return EXIT.done;
  if (reason === 'conflict') return EXIT.conflict;
  return exitCodeOfCode(reason) ?? EXIT.unsuccessful;
}

/**
 * Runs an ending step; a failure is told as an event of the session, which then does not end well, and becomes the exit
 * code, unless there is a worse one already.
 */
export async function attempt(
  session: Session,
  code: ExitCode,
  step: () => Promise<ExitCode>,
): Promise<ExitCode> {
  try {
    const next = await step();
    if (next === EXIT.conflict && session.ending.ok) session.conclude({ ok: false, reason: 'conflict' });
    return code === EXIT.done ? next : code;
  } catch (error) {
    const failure = session.fail(error);
    return code === EXIT.done ? failure.exitCode : code;
  }
}

function note(context: Context, text: string): void {
  if (!context.json) context.err.write(text);
}
