/** A review of a session's changes, on a screen or in plain lines, with its decisions kept as they are made. */
import { type HostPath, showPath } from '../base/path-bytes.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import type { DecisionFile } from '../review/decision.ts';
import { HunkSource } from '../review/hunk-source.ts';
import { rebaseDecisions } from '../review/rebase.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { ReviewState } from '../review/review-state.ts';
import { loadDecisions, saveDecisions } from '../session/review-store.ts';
import type { ReviewOutcome } from '../tui/review/view.ts';
import type { Context } from './context.ts';
import { LineOrigins } from './line-origin.ts';

export interface ReviewRequest {
  /** The session's id. */
  id: string;
  /** Its folder: decisions are read from there and kept there. */
  folder: HostPath;
  ledger: LedgerReader;
  items: readonly ReviewItem[];
  /** The final tree that the items lead to. */
  tree: string;
  /** Without it the mouse is on, but not inside tmux and screen, where it would take their selection away. */
  mouse?: boolean;
  signal: AbortSignal;
}

/** The state of a review as it was left: decisions about another tree are only kept where the change is the same. */
export async function openReview(context: Context, request: ReviewRequest): Promise<ReviewState> {
  const { folder, items, tree } = request;
  const { file, damaged } = loadDecisions(folder);
  if (damaged !== undefined) {
    context.err.write(`The decisions of an earlier review could not be read; they are kept in ${damaged}.\n`);
  }
  if (file?.tree === undefined || file.tree === tree) {
    return new ReviewState(items, { tree, decisions: file?.decisions ?? [] });
  }
  const { kept, dropped: gone } = await carryOver(request, file.tree, file.decisions);
  // What was applied meanwhile, or taken back by the agent, is no change any more and needs no decision.
  const present = new Set<string>(items.map(({ change }) => change.path));
  const dropped = gone.filter((path) => present.has(path));
  if (dropped.length > 0) {
    const names = dropped.slice(0, MAX_NAMES).map(showPath).join(', ');
    const more = dropped.length > MAX_NAMES ? `, and ${dropped.length - MAX_NAMES} more` : '';
    context.err.write(
      `The session went on since the last review. To be decided again, having changed: ${names}${more}\n`,
    );
  }
  return new ReviewState(items, { tree, decisions: kept });
}

const MAX_NAMES = 10;

async function carryOver(
  { ledger, items }: ReviewRequest,
  tree: string,
  decisions: DecisionFile['decisions'],
) {
  const now = items.map(({ change }) => change);
  const [first] = await ledger.entries();
  const before = first && (await ledger.changes(first.tree, tree, { renames: true }));
  return rebaseDecisions(decisions, before?.changes ?? [], now);
}

export function keepDecisions(folder: HostPath, file: DecisionFile): void {
  saveDecisions(folder, file);
}

/** Is there a person at a terminal that can show and answer? */
export function canReview(context: Context): boolean {
  return !context.json && process.stdin.isTTY === true && process.stdout.isTTY === true;
}

/**
 * Lets a person decide. Nobody else may read the terminal meanwhile: close or pause a line editor before. Decisions are on the disk
 * as they are made. The caller acts on the outcome: `apply` what `state.decisions` accept, `keep` them, `discard`: they
 * are gone already. Throws `ledger/*`, the signal's reason.
 */
export async function reviewChanges(
  context: Context,
  request: ReviewRequest,
): Promise<{ outcome: ReviewOutcome; state: ReviewState }> {
  const { id, folder, ledger, items, tree, signal } = request;
  const state = await openReview(context, request);
  const readBlob = (oid: string) => ledger.readBlob(oid);
  const source = new HunkSource(readBlob);
  const common = {
    state,
    source,
    environment: context.environment,
    save: () => keepDecisions(folder, state.toFile()),
  };
  let outcome: ReviewOutcome;
  if (context.plain || context.environment.TERM === 'dumb') {
    const { reviewInPlain } = await import('../tui/review/plain-review.ts');
    outcome = await reviewInPlain({ ...common, input: process.stdin, write: context.out.write, signal });
  } else {
    const { reviewInTerminal } = await import('../tui/review/review-in-terminal.ts');
    const origins = new LineOrigins(ledger, folder, items);
    outcome = await reviewInTerminal({
      ...common,
      title: `review ${id.slice(0, 8)}`,
      readBlob,
      whoWrote: (item, line, isOld) => origins.whoWrote(item, line, isOld),
      steps: () => origins.steps(),
      input: process.stdin,
      output: process.stdout,
      mouse: request.mouse ?? !(context.environment.TMUX || context.environment.STY),
      signal,
    });
  }
  if (outcome === 'discard') keepDecisions(folder, { version: 1, tree, decisions: [] });
  return { outcome, state };
}
