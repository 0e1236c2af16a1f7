/** `exec`: any command in a fresh sandbox on a copy of the project. The exit code is the command's. */
import { EXIT, type ExitCode, isSafeCoderError, SafeCoderError } from '../../base/errors.ts';
import { showDuration } from '../../config/quantities.ts';
import type { Session } from '../../session/session.ts';
import { exitCodeOf } from '../../session/session-parts.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { applyByMode, attempt, endSession, showChanges } from '../finish-session.ts';
import { createFace, type Face, startSession } from '../start-session.ts';
import { writeStream } from '../write-stream.ts';
import { isTimeout, withTimeout } from './run.ts';

export interface ExecFlags extends CommonFlags {
  apply: 'none' | 'safe' | 'all';
}

export async function exec(argv: string[], flags: ExecFlags): Promise<void> {
  const context = createContext(flags);
  // Standard output belongs to the command: its start and end are told to programs only.
  const face = createFace(context, { showTools: false });
  process.exitCode = await withSignals(async (cancelled) => {
    const signal = withTimeout(cancelled, context.config.settings.timeout);
    await using session = await startSession(context, face, { face: 'exec', title: argv.join(' '), signal });
    face.printer.finishLine();
    try {
      return await runAndFinish(context, face, session, argv, flags, signal, cancelled);
    } catch (error) {
      return failedStart(context, session, error, argv[0] ?? '', signal);
    }
  });
}

/** Tells why the command did not run to its end, as an event before the session's last. */
function failedStart(
  context: Context,
  session: Session,
  error: unknown,
  command: string,
  signal: AbortSignal,
): number {
  if (isTimeout(signal)) {
    const after = showDuration(context.config.settings.timeout ?? 0);
    session.conclude({ ok: false, reason: 'timeout' });
    return session.fail(new SafeCoderError('session/unsuccessful', `The command took longer than ${after}.`))
      .exitCode;
  }
  const notStarted = describeNotStarted(error, command);
  if (notStarted === undefined) return session.fail(error).exitCode;
  session.fail(new SafeCoderError('session/unsuccessful', notStarted.message, { cause: error }));
  return notStarted.exitCode;
}

async function runAndFinish(
  context: Context,
  face: Face,
  session: Session,
  argv: string[],
  flags: ExecFlags,
  signal: AbortSignal,
  cancelled: AbortSignal,
): Promise<number> {
  const stdin = !process.stdin.isTTY;
  const { end } = await session
    .exec(
      'exec',
      {
        argv,
        stdin,
        isTold: context.json,
        ...(context.json
          ? {}
          : {
              onOutput: (chunk, channel) =>
                writeStream(channel === 'out' ? process.stdout : process.stderr, chunk),
            }),
        attach: (child) => {
          if (stdin) pipeStdin(child);
        },
      },
      signal,
    )
    .finally(() => process.stdin.destroy());
  const code = exitCodeOf(end);
  session.conclude({ ok: code === 0, reason: code === 0 ? 'done' : `exit ${code}` });
  let ending: ExitCode = await attempt(session, EXIT.done, async () => {
    const items = await showChanges(context, face, session);
    return applyByMode(context, session, items, code === 0 ? flags.apply : 'none', cancelled);
  });
  ending = await attempt(session, ending, () => endSession(context, face, session));
  return code === 0 ? ending : code;
}

/** A command that could not be started, as a shell tells it: 127 when there is none, 126 when it can't be run. */
function describeNotStarted(
  error: unknown,
  command: string,
): { message: string; exitCode: number } | undefined {
  if (!isSafeCoderError(error, 'guest/failed')) return undefined;
  const errno = error.details?.errnoName;
  if (errno === 'ENOENT') return { message: `There is no command ${command} in the sandbox.`, exitCode: 127 };
  if (errno === 'EACCES' || errno === 'ENOEXEC')
    return { message: `${command} can't be run in the sandbox (${errno}).`, exitCode: 126 };
  return undefined;
}

/** Feeds the command from our standard input until either ends; the caller destroys it when the command is over. */
function pipeStdin(child: { write(bytes: Uint8Array): Promise<void>; closeStdin(): void }): void {
  const forward = async () => {
    try {
      for await (const chunk of process.stdin) await child.write(chunk as Buffer);
      child.closeStdin();
    } catch {
      // The command ended, or the guest is gone: nobody reads this any more, and its own ending tells why.
    }
  };
  void forward();
}
