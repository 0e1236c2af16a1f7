/** `exec`: any command in a fresh sandbox on a copy of the project. The exit code is the command's. */
import {
  EXIT,
  type ExitCode,
  isSafeCoderError,
  SafeCoderError,
  toSafeCoderError,
} from '../../base/errors.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
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
  const face = createFace(context);
  process.exitCode = await withSignals(async (cancelled) => {
    const signal = withTimeout(cancelled, context.config.settings.timeout);
    await using session = await startSession(context, face, { face: 'exec', title: argv.join(' '), signal });
    face.printer.finishLine();
    try {
      return await runAndFinish(context, face, session, argv, flags, signal, cancelled);
    } catch (error) {
      session.conclude({ ok: false, reason: toSafeCoderError(error).code });
      if (isTimeout(signal))
        throw new SafeCoderError(
          'session/unsuccessful',
          `The command took longer than ${showDuration(context.config.settings.timeout ?? 0)}.`,
        );
      const notStarted = describeNotStarted(error, argv[0] ?? '');
      if (notStarted === undefined) {
        // A script that reads events is told before the last one, which is the session's end.
        if (!context.json) throw error;
        const { code, message, hint, exitCode } = toSafeCoderError(error);
        session.emit({ type: 'error', code, message, ...(hint === undefined ? {} : { hint }) });
        return exitCode;
      }
      context.err.write(`safe-coder: ${escapeForTerminal(notStarted.message)}\n`);
      return notStarted.exitCode;
    }
  });
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
  const { end } = await session.exec(
    'exec',
    {
      argv,
      stdin,
      onOutput: (chunk, channel) => {
        if (!context.json) return writeStream(channel === 'out' ? process.stdout : process.stderr, chunk);
        session.emit({ type: 'tool.output', call: 'exec', text: chunk.toString('utf8') });
        return undefined;
      },
    },
    signal,
    (child) => {
      if (stdin) pipeStdin(child);
    },
  );
  const code = exitCodeOf(end);
  session.conclude({ ok: code === 0, reason: code === 0 ? 'done' : `exit ${code}` });
  let ending: ExitCode = await attempt(face, EXIT.done, async () => {
    const items = await showChanges(context, face, session);
    return applyByMode(context, session, items, code === 0 ? flags.apply : 'none', cancelled);
  });
  ending = await attempt(face, ending, () => endSession(context, face, session));
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
