/** The question at the end of a chat: what to apply. */
import { EXIT, type ExitCode, isSafeCoderError } from '../base/errors.ts';
import type { Decision } from '../review/decision.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { decideAll, decideByPatterns } from '../review/select.ts';
import type { Session } from '../session/session.ts';
import type { LineEditor } from '../tui/line-editor.ts';
import type { Context } from './context.ts';
import { applyDecisions, applySafe } from './finish-session.ts';
import { canReview, reviewChanges } from './review-changes.ts';

/** Asks until there is an answer, and applies what it says. Throws `apply/*`. */
export async function askAndApply(
  context: Context,
  session: Session,
  items: readonly ReviewItem[],
  editor: LineEditor,
  signal: AbortSignal,
): Promise<ExitCode> {
  const risky = items.some((item) => item.risk.length > 0);
  const safe = risky ? ' [s]afe (without risk and conflict),' : '';
  const review = canReview(context) ? ' [r]eview,' : '';
  editor.forgetQueued();
  for (;;) {
    context.out.write(`Apply? [a]ll,${safe}${review} [f]iles..., [N]othing\n`);
    const line = await editor.read('apply> ');
    const answer = line.kind === 'line' ? line.text.trim().toLowerCase() : 'n';
    if (answer === 'a' || answer === 'all')
      return applyDecisions(context, session, items, decideAll(items, 'all'), signal, editor);
    if (answer === 's' || answer === 'safe') return applySafe(context, session, items, signal);
    if (review !== '' && (answer === 'r' || answer === 'review')) {
      const decisions = await reviewAtEnd(context, session, items, editor, signal);
      if (decisions !== undefined) return applyDecisions(context, session, items, decisions, signal, editor);
      continue;
    }
    if (answer === 'f' || answer === 'files') {
      const chosen = await editor.read('files (patterns, e.g. src/** *.md)> ');
      const accept =
        chosen.kind === 'line' ? chosen.text.split(/\s+/).filter((pattern) => pattern !== '') : [];
      if (accept.length === 0) continue;
      try {
        return await applyDecisions(
          context,
          session,
          items,
          decideByPatterns(items, { accept }),
          signal,
          editor,
        );
      } catch (error) {
        if (!isSafeCoderError(error, 'usage/bad-argument')) throw error;
        context.out.write(`${error.message}\n`);
        continue;
      }
    }
    if (answer === '' || answer.startsWith('n')) {
      context.out.write(`Nothing was applied. To apply later: safe-coder apply ${session.id.slice(0, 8)}\n`);
      return EXIT.done;
    }
  }
}

/** What was decided, when it is to be applied now. */
async function reviewAtEnd(
  context: Context,
  session: Session,
  items: readonly ReviewItem[],
  editor: LineEditor,
  signal: AbortSignal,
): Promise<readonly Decision[] | undefined> {
  const { tree } = await session.ledger.head();
  editor.suspend();
  const request = { id: session.id, folder: session.folder, ledger: session.ledger, items, tree, signal };
  const { outcome, state } = await reviewChanges(context, request);
  if (outcome === 'apply') return state.decisions;
  if (outcome === 'keep') context.out.write('The decisions are kept.\n');
  return undefined;
}
