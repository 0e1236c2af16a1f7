/** `run`: one task without a person. */
import { EXIT, type ExitCode, SafeCoderError } from '../../base/errors.ts';
import type { StoredSession } from '../../session/store.ts';
import { chooseModel, readTask } from '../choose-model.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { continueSession } from '../continue-session.ts';
import { applyByMode, attempt, endSession, exitCodeOfReason, showChanges } from '../finish-session.ts';
import { fork } from '../fork-session.ts';
import { createFace, startSession } from '../start-session.ts';

export interface RunFlags extends CommonFlags {
  apply: 'none' | 'safe' | 'all';
  record?: string;
  /** Goes on with this session. */
  resume?: string | true;
  /** Goes on from this entry, in a new session. */
  fork?: string;
}

export async function run(task: string | undefined, flags: RunFlags): Promise<void> {
  const text = readTask(task);
  if (flags.resume === undefined && flags.fork === undefined) {
    return runTask(createContext(flags), text, flags);
  }
  const id = flags.resume === true ? undefined : flags.resume;
  const { context, stored } = continueSession(id, flags);
  const { session } =
    flags.fork === undefined ? { session: stored } : await fork(context, stored, flags.fork);
  return runTask(context, text, flags, session);
}

/** One task without a person, in a new session or in a stored one that goes on. */
export async function runTask(
  context: Context,
  text: string,
  flags: Pick<RunFlags, 'apply' | 'record'>,
  stored?: StoredSession,
): Promise<void> {
  const model = await chooseModel(context, flags);
  const face = createFace(context);
  process.exitCode = await withSignals(async (cancelled) => {
    const signal = withTimeout(cancelled, context.config.settings.timeout);
    const options = { face: 'run', title: text, model, signal, stored } as const;
    await using session = await startSession(context, face, options);
    const ending = await session.prompt(text, { signal, isInteractive: false });
    let code: ExitCode = exitCodeOfReason(ending.reason);
    if (isTimeout(signal)) {
      session.conclude({ ok: false, reason: 'timeout' });
      code = EXIT.unsuccessful;
    }
    // What was done is shown also when the turn failed; only a turn that went well applies by itself.
    code = await attempt(session, code, async () => {
      const items = await showChanges(context, face, session);
      return applyByMode(context, session, items, ending.ok ? flags.apply : 'none', cancelled);
    });
    return attempt(session, code, () => endSession(context, face, session));
  });
}

/** The signal, aborted as well once the time is over. */
export function withTimeout(signal: AbortSignal, timeoutMs: number | undefined): AbortSignal {
  if (timeoutMs === undefined) return signal;
  return AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
}

export function isTimeout(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof SafeCoderError);
}
