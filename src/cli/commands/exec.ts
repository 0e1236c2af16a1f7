/** `exec`: any command in a fresh sandbox on a copy of the project. The exit code is the command's. */
import { EXIT, type ExitCode } from '../../base/errors.ts';
import { exitCodeOf } from '../../session/session.ts';
import { type CommonFlags, createContext, withSignals } from '../context.ts';
import { applyByMode, attempt, endSession, showChanges } from '../finish-session.ts';
import { createFace, startSession } from '../start-session.ts';
import { writeStream } from '../write-stream.ts';
import { withTimeout } from './run.ts';

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
    ending = await attempt(face, ending, async () => {
      await endSession(context, face, session);
      return EXIT.done;
    });
    return code === 0 ? ending : code;
  });
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
