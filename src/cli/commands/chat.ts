/** `chat`: prompts, replies and tool calls as they run; at the end the changes, a question, apply. */
import {
  EXIT,
  type ExitCode,
  isSafeCoderError,
  SafeCoderError,
  toSafeCoderError,
} from '../../base/errors.ts';
import { showSize } from '../../config/quantities.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import type { Session } from '../../session/session.ts';
import type { StoredSession } from '../../session/store.ts';
import { NOT_ISOLATED } from '../../tui/event-printer.ts';
import { type Line, LineEditor } from '../../tui/line-editor.ts';
import { askAndApply } from '../ask-and-apply.ts';
import { createNetworkQuestion } from '../ask-network.ts';
import { type Chat, runChatCommand, settleReview } from '../chat-commands.ts';
import { chooseModel } from '../choose-model.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';
import { attempt, endSession, printChanges, showChanges } from '../finish-session.ts';
import { createFace, type Face, startSession } from '../start-session.ts';

export type ChatFlags = CommonFlags & { record?: string };

export async function chat(flags: ChatFlags): Promise<void> {
  await startChat(createContext(flags), flags);
}

/** A chat in a new session, or in a stored one that goes on. */
export async function startChat(context: Context, flags: ChatFlags, stored?: StoredSession): Promise<void> {
  if (context.json) {
    throw new SafeCoderError('usage/bad-argument', 'A chat is for people.', {
      hint: 'For programs: safe-coder run "TASK" --json',
    });
  }
  const model = await chooseModel(context, flags);
  const face = createFace(context);
  const start = new AbortController();
  using editor = new LineEditor(process.stdin, process.stdout, []);
  editor.onInterrupt = () => start.abort(new SafeCoderError('cancelled', 'Cancelled.'));
  using _terminate = onTerminate(() =>
    start.abort(new SafeCoderError('cancelled', 'Cancelled by a signal.')),
  );
  await using session = await startSession(context, face, {
    face: 'chat',
    title: 'chat',
    model,
    stored,
    askNetwork: createNetworkQuestion(editor, context.out),
    signal: start.signal,
  });
  const { settings } = context.config;
  const { style } = context.out;
  context.out.write(
    style.dim(
      `${model.id} · ${settings.cpus} CPUs, ${showSize(settings.memory)}, disk ${showSize(settings.disk)} · network ${settings.network} · /help\n`,
    ),
  );
  await converse({ context, face, session, editor, terminated: start.signal, reviewed: undefined });
  process.exitCode = await finish(context, face, session, editor, start.signal);
}

/** Until the person leaves or the guest is lost. */
async function converse(chat: Chat): Promise<void> {
  const { context, session, editor } = chat;
  let isLeaving = false;
  while (!chat.terminated.aborted) {
    // A line of its own, not part of the prompt: the line editor would take what stands above it away.
    if (session.isolation.level === 'demo') context.out.write(`${context.out.style.red(NOT_ISOLATED)}\n`);
    const line = await Promise.race([editor.read('> '), whenAborted(chat.terminated)]);
    if (line.kind === 'end' || (line.kind === 'interrupt' && isLeaving)) {
      context.out.write('\n');
      return;
    }
    if (line.kind === 'interrupt') {
      isLeaving = true;
      context.out.write(context.out.style.dim('\nCtrl-C again leaves.\n'));
      continue;
    }
    isLeaving = false;
    const text = line.text.trim();
    if (text === '') continue;
    if (text === '/quit' || text === '/exit') return;
    await answer(chat, text);
    if (await isLost(session)) return;
  }
}

async function answer(chat: Chat, text: string): Promise<void> {
  if (text.startsWith('!')) await runInSandbox(chat, text.slice(1).trim());
  else if (/^\/[a-z]+(\s|$)/.test(text)) await runChatCommand(chat, text);
  else await turn(chat, text);
}

async function turn(chat: Chat, text: string): Promise<void> {
  const { context, face, session, editor, terminated } = chat;
  if (!(await settleReview(chat))) return;
  const controller = new AbortController();
  editor.onInterrupt = () => controller.abort(new SafeCoderError('cancelled', 'Stopped by Ctrl-C.'));
  try {
    const signal = AbortSignal.any([controller.signal, terminated]);
    const ending = await session.prompt(text, { signal, isInteractive: true });
    face.printer.finishLine();
    if (ending.reason === 'cancelled')
      context.out.write(context.out.style.dim('Stopped. What was done so far is in the ledger.\n'));
    else if (!ending.ok && !ending.reason.includes('/'))
      context.out.write(context.out.style.dim(`Stopped: ${ending.reason}.\n`));
  } finally {
    editor.onInterrupt = () => undefined;
  }
}

/** `!CMD`: the person's own command in the sandbox, recorded like any other execution. */
async function runInSandbox({ session, editor, terminated }: Chat, command: string): Promise<void> {
  if (command === '') return;
  const controller = new AbortController();
  editor.onInterrupt = () => controller.abort(new SafeCoderError('cancelled', 'Stopped by Ctrl-C.'));
  try {
    const signal = AbortSignal.any([controller.signal, terminated]);
    await session.exec('exec', { argv: ['/bin/sh', '-c', command], mergeStderr: true, isTold: true }, signal);
  } catch (error) {
    const { code, message, hint } = toSafeCoderError(error);
    session.emit({ type: 'error', code, message, ...(hint === undefined ? {} : { hint }) });
  } finally {
    editor.onInterrupt = () => undefined;
  }
}

async function isLost(session: Session): Promise<boolean> {
  return Promise.race([session.sandbox.closed.then(() => true), Promise.resolve(false)]);
}

/** The end of input, once the signal aborts. */
function whenAborted(signal: AbortSignal): Promise<Line> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve({ kind: 'end' }), { once: true });
  });
}

/** Changes, the question, apply, clean up. */
async function finish(
  context: Context,
  face: Face,
  session: Session,
  editor: LineEditor,
  terminated: AbortSignal,
): Promise<ExitCode> {
  const cancel = new AbortController();
  editor.onInterrupt = () => cancel.abort(new SafeCoderError('cancelled', 'Cancelled.'));
  let code: ExitCode = EXIT.done;
  let items: ReviewItem[] = [];
  code = await attempt(session, code, async () => {
    items = await changesOrRecorded(context, face, session);
    return EXIT.done;
  });
  if (items.length > 0 && !terminated.aborted) {
    code = await attempt(session, code, () => askAndApply(context, session, items, editor, cancel.signal));
  }
  if (terminated.aborted) code = EXIT.cancelled;
  const lost = await isLost(session);
  // A chat that the person left is done, however its last turn ended.
  if (!lost) session.conclude({ ok: !terminated.aborted, reason: terminated.aborted ? 'cancelled' : 'done' });
  code = await attempt(session, code, () => endSession(context, face, session));
  return lost && code === EXIT.done ? EXIT.guest : code;
}

/** The changes with a last sweep; those of the ledger when the guest is lost. */
async function changesOrRecorded(context: Context, face: Face, session: Session): Promise<ReviewItem[]> {
  try {
    return await showChanges(context, face, session);
  } catch (error) {
    if (!isSafeCoderError(error) || !error.code.startsWith('guest/')) throw error;
    session.emit({
      type: 'warning',
      code: error.code,
      message: 'The guest is lost; these are the changes up to the last entry.',
    });
    const items = await session.recordedChanges();
    printChanges(context, face, session, items);
    return items;
  }
}

function onTerminate(stop: () => void): Disposable {
  const names = ['SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, stop);
  return {
    [Symbol.dispose]: () => {
      for (const name of names) process.off(name, stop);
    },
  };
}
