/** The `/` commands of a chat. */
import { EXIT, type ExitCode, SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import type { Decision } from '../review/decision.ts';
import { rebaseDecisions } from '../review/rebase.ts';
import type { ReviewItem } from '../review/review-item.ts';
import type { Session } from '../session/session.ts';
import { forkStored } from '../session/stored-rewind.ts';
import type { LineEditor } from '../tui/line-editor.ts';
import { askAndApply } from './ask-and-apply.ts';
import { scopeOf } from './commands/rollback.ts';
import type { CommonFlags, Context } from './context.ts';
import { findSession } from './continue-session.ts';
import { describeRollback } from './describe-rollback.ts';
import { applyDecisions, attempt, showChanges } from './finish-session.ts';
import { storedWriting } from './ledger-signing.ts';
import { canReview, keepDecisions, openReview, reviewChanges } from './review-changes.ts';
import type { Face } from './start-session.ts';

export interface Chat {
  context: Context;
  face: Face;
  session: Session;
  editor: LineEditor;
  /** Aborted by SIGTERM and SIGHUP: the chat ends as with /quit, without a question. */
  terminated: AbortSignal;
  /** A review whose verdict the agent has not been told. */
  reviewed: Reviewed | undefined;
}

interface Reviewed {
  items: readonly ReviewItem[];
  decisions: readonly Decision[];
  tree: string;
}

const HELP = `/changes         what changed so far        /log           what happened, step by step
/diff [A..B]     the changes as a patch     /review        decide file by file, hunk by hunk
/apply           write what is accepted     /undo          take back what was applied
/snapshot LABEL  name this state            /rollback N    go back to entry N (--files, --conversation)
/fork N          a new session from entry N /quit          end the session, review, apply (or Ctrl-D)
/help            this list                  !CMD           run a command in the sandbox
Ctrl-C stops the turn; twice at the prompt, it leaves.
`;

type Act = (chat: Chat, words: string[], signal: AbortSignal) => Promise<void>;

const ACTS: Record<string, Act> = {
  help: async ({ context }) => context.out.write(HELP),
  changes: async ({ context, face, session }) => {
    await showChanges(context, face, session);
  },
  log: async ({ context, session }) =>
    (await import('./commands/log.ts')).log(session.id, readingFlags(context)),
  diff: async ({ context, session }, words) =>
    (await import('./commands/diff.ts')).diff(session.id, words[0], [], readingFlags(context)),
  snapshot: takeSnapshot,
  rollback: goBack,
  fork: forkHere,
  review,
  apply,
  undo,
};

/** Runs a line that begins with `/`. What goes wrong is told as an event of the session. */
export async function runChatCommand(chat: Chat, line: string): Promise<void> {
  const { context, session, editor, terminated } = chat;
  const [name = '', ...words] = line.slice(1).split(/\s+/);
  const act = Object.hasOwn(ACTS, name) ? ACTS[name] : undefined;
  if (act === undefined) {
    context.out.write(`There is no command /${name}.\n${HELP}`);
    return;
  }
  const stop = new AbortController();
  editor.onInterrupt = () => stop.abort(new SafeCoderError('cancelled', 'Stopped by Ctrl-C.'));
  const before = session.ending;
  // What goes wrong now is told, also when the same was told before.
  session.conclude(before);
  await attempt(session, EXIT.done, async (): Promise<ExitCode> => {
    await act(chat, words, AbortSignal.any([stop.signal, terminated]));
    return EXIT.done;
  });
  // A mistyped entry is no way for a session to end.
  session.conclude(before);
  editor.onInterrupt = () => undefined;
}

/** Before a turn: what a review rejected leaves the workspace, and the agent is told. False when that failed. */
export async function settleReview(chat: Chat): Promise<boolean> {
  const { session, reviewed } = chat;
  if (reviewed === undefined) return true;
  chat.reviewed = undefined;
  const code = await attempt(session, EXIT.done, async () => {
    await settle(chat, reviewed);
    return EXIT.done;
  });
  return code === EXIT.done;
}

async function settle({ context, session }: Chat, { items, decisions, tree }: Reviewed): Promise<void> {
  if ((await session.ledger.head()).tree !== tree) {
    context.out.write(
      'The session went on since the review: what was decided then is not told to the agent.\n',
    );
    return;
  }
  const recorded = await session.acceptReview(items, decisions);
  if (recorded === undefined) return;
  const { entry, changed } = recorded;
  // What was accepted, whole or in part, and is the same change as before stays decided; the rest is done or new.
  const [before, now] = [items, await session.recordedChanges()].map((all) =>
    all.map(({ change }) => change),
  );
  const kept = rebaseDecisions(decisions, before ?? [], now ?? []).kept.filter(
    ({ decision }) => decision !== 'reject',
  );
  keepDecisions(session.folder, { version: 1, tree: entry.tree, decisions: kept });
  context.out.write(
    context.out.style.dim(
      `#${entry.trailers.seq}: what was rejected is taken out of the sandbox (${changed.length} changed).\n`,
    ),
  );
}

async function takeSnapshot({ context, session }: Chat, words: string[]): Promise<void> {
  const entry = await session.snapshot(words.join(' '));
  context.out.write(`#${entry.trailers.seq} ${entry.title}\n`);
}

async function goBack(chat: Chat, words: string[]): Promise<void> {
  const { context, session } = chat;
  const names = words.filter((word) => !word.startsWith('--'));
  const other = words.find((word) => word.startsWith('--') && !['--files', '--conversation'].includes(word));
  if (names.length === 0 || other !== undefined) {
    throw new SafeCoderError('usage/bad-argument', 'Which entry is meant?', {
      hint: '/rollback N, with --files or --conversation for one of both. /log shows the numbers.',
    });
  }
  const scope = scopeOf({ files: words.includes('--files'), conversation: words.includes('--conversation') });
  const done = await session.rollback(names.join(' '), scope);
  chat.reviewed = undefined;
  context.out.write(`${context.out.style.green('✓')} ${describeRollback(done, scope)}\n`);
}

async function forkHere({ context, session }: Chat, words: string[]): Promise<void> {
  const stored = findSession(context, session.id);
  const fork = { name: words.join(' ') || 'HEAD', at: new Date() };
  const { session: made, from } = await forkStored(
    context.directories.state,
    stored,
    fork,
    await storedWriting(context),
  );
  context.out.write(
    `${context.out.style.green('✓')} Session ${made.record.id.slice(0, 8)} begins at #${from.trailers.seq}. To go on there: safe-coder resume ${made.record.id.slice(0, 8)}\n`,
  );
}

async function review(chat: Chat, _: string[], signal: AbortSignal): Promise<void> {
  const { context, session, editor } = chat;
  const items = await session.changes();
  if (items.length === 0) {
    context.out.write('There is nothing to review.\n');
    return;
  }
  if (!canReview(context)) {
    throw new SafeCoderError('usage/bad-argument', 'A review needs a terminal.', {
      hint: 'Without one, /apply asks in a line.',
    });
  }
  const { tree } = await session.ledger.head();
  editor.suspend();
  const request = { id: session.id, folder: session.folder, ledger: session.ledger, items, tree, signal };
  const { outcome, state } = await reviewChanges(context, request);
  if (outcome === 'discard') {
    chat.reviewed = undefined;
    return;
  }
  chat.reviewed = { items, decisions: state.decisions, tree };
  if (outcome === 'apply') await applyReviewed(chat, chat.reviewed, signal);
  else
    context.out.write(
      'The decisions are kept. /apply writes what is accepted; the agent is told at its next turn.\n',
    );
}

async function apply(chat: Chat, _: string[], signal: AbortSignal): Promise<void> {
  const { context, session, editor } = chat;
  const items = await session.changes();
  if (items.length === 0) {
    context.out.write('There is nothing to apply.\n');
    return;
  }
  const { tree } = await session.ledger.head();
  const { decisions } = await openReview(context, {
    id: session.id,
    folder: session.folder,
    ledger: session.ledger,
    items,
    tree,
    signal,
  });
  if (decisions.length > 0) return applyReviewed(chat, { items, decisions, tree }, signal);
  await showChanges(context, chat.face, session);
  await askAndApply(context, session, items, editor, signal);
}

/** Applies, and leaves what was rejected to be told at the next turn. */
async function applyReviewed(chat: Chat, reviewed: Reviewed, signal: AbortSignal): Promise<void> {
  const { context, session, editor } = chat;
  await applyDecisions(context, session, reviewed.items, reviewed.decisions, signal, editor);
  chat.reviewed = undefined;
  await settle(chat, reviewed);
}

async function undo({ context, session }: Chat, _: string[], signal: AbortSignal): Promise<void> {
  const { applied, conflicts } = await session.undo(signal);
  const { style } = context.out;
  for (const path of applied) context.out.write(`  ${showPath(path)}\n`);
  if (applied.length > 0) context.out.write(`${style.green('✓')} The project is as it was there.\n`);
  for (const { path, reason } of conflicts) {
    context.out.write(`${style.red('✗')} ${showPath(path)} was left alone: ${reason}\n`);
  }
}

function readingFlags(context: Context): CommonFlags {
  return { path: context.project, plain: context.plain };
}
