/** `shell`: an interactive shell in the sandbox, on a pseudo-terminal of the guest's. */
import { EXIT, SafeCoderError } from '../../base/errors.ts';
import type { GuestProcess } from '../../guest/guest.ts';
import { exitCodeOf } from '../../session/session-parts.ts';
import { type CommonFlags, createContext, withSignals } from '../context.ts';
import { applyByMode, attempt, endSession, showChanges } from '../finish-session.ts';
import { createFace, startSession } from '../start-session.ts';
import { writeStream } from '../write-stream.ts';

/**
 * The shell's bytes go to the terminal as they are: it is the person's own interactive program, as with ssh. Everything that
 * is printed after it has ended is escaped again.
 */
export async function shell(flags: CommonFlags & { apply: 'none' | 'safe' | 'all' }): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new SafeCoderError('usage/bad-argument', 'A shell needs a terminal.', {
      hint: 'For a single command: safe-coder exec -- COMMAND',
    });
  }
  const context = createContext(flags);
  const face = createFace(context, { showTools: false });
  process.exitCode = await withSignals(async (signal) => {
    await using session = await startSession(context, face, { face: 'shell', title: 'shell', signal });
    face.printer.finishLine();
    const size = () => ({ rows: process.stdout.rows ?? 24, columns: process.stdout.columns ?? 80 });
    using terminal = new RawTerminal();
    const { TERM = 'xterm-256color' } = context.environment;
    const { end } = await session.exec(
      'shell',
      {
        argv: ['/bin/sh', '-c', 'command -v bash >/dev/null && exec bash -i || exec sh -i'],
        pty: size(),
        stdin: true,
        env: { TERM: /^[\w.-]{1,40}$/.test(TERM) ? TERM : 'xterm' },
        isTold: false,
        onOutput: (chunk) => writeStream(process.stdout, chunk),
        attach: (child) => terminal.attach(child, size),
      },
      signal,
    );
    terminal[Symbol.dispose]();
    const code = exitCodeOf(end);
    const ending = await attempt(session, EXIT.done, async () => {
      const items = await showChanges(context, face, session);
      return applyByMode(context, session, items, flags.apply, signal);
    });
    return attempt(session, ending, async () => {
      const ended = await endSession(context, face, session);
      return ended === EXIT.done && code !== 0 ? EXIT.unsuccessful : ended;
    });
  });
}

/** The person's terminal in raw mode, keys going to a process of the guest. Restores the terminal when disposed. */
class RawTerminal implements Disposable {
  #onKeys: ((chunk: Buffer) => void) | undefined;
  #onResize: (() => void) | undefined;

  attach(child: GuestProcess, size: () => { rows: number; columns: number }): void {
    process.stdin.setRawMode(true);
    this.#onKeys = (chunk) => {
      child.write(chunk).catch(() => {
        // The shell ended while a key was on its way.
      });
    };
    this.#onResize = () => child.resize(size().rows, size().columns);
    process.stdin.on('data', this.#onKeys);
    process.stdout.on('resize', this.#onResize);
    process.stdin.resume();
  }

  [Symbol.dispose](): void {
    if (this.#onKeys === undefined) return;
    process.stdin.off('data', this.#onKeys);
    if (this.#onResize) process.stdout.off('resize', this.#onResize);
    this.#onKeys = undefined;
    process.stdin.setRawMode(false);
    process.stdin.pause();
    // What a program in the guest may have left switched on: alternate screen, mouse, bracketed paste, colours, cursor.
    process.stdout.write(
      '\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m',
    );
  }
}
