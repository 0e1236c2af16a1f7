/** Child processes: exact environment, own group, bounded output, and nothing left behind. */
import { spawn } from 'node:child_process';
import { errnoOf, SafeCoderError } from './errors.ts';

export interface RunOptions {
  cwd?: string;
  /** The exact environment of the child. */
  env: Record<string, string>;
  input?: Uint8Array;
  signal?: AbortSignal;
  timeoutMs?: number;
  /** The most bytes kept of each of stdout and stderr; more is an error. Default 64 MiB. */
  maxOutputBytes?: number;
  onStderrLine?: (line: string) => void;
}

export interface RunResult {
  exitCode: number;
  stdout: Buffer;
  stderr: string;
}

/**
 * Runs a program to its end in a process group of its own. A non-zero exit is a result, not an error. Throws
 * `environment/tool-missing` when there is no such program, `environment/tool-failed` on a signal, a time-out or too
 * much output, `cancelled` on abort; the whole group is killed then.
 */
export function runProcess(file: string, args: readonly string[], options: RunOptions): Promise<RunResult> {
  const limit = options.maxOutputBytes ?? 64 << 20;
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted)
      return reject(new SafeCoderError('cancelled', `Cancelled before ${file} ran.`));
    const child = spawn(file, args, {
      cwd: options.cwd ?? '/',
      env: options.env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let failure: Error | undefined;
    const fail = (error: Error) => {
      failure ??= error;
      killGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const onAbort = () => fail(new SafeCoderError('cancelled', `Cancelled while ${file} ran.`));
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(
            () =>
              fail(
                new SafeCoderError(
                  'environment/tool-failed',
                  `${file} took longer than ${options.timeoutMs} ms.`,
                ),
              ),
            options.timeoutMs,
          );
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    const collect = (into: Buffer[]) => {
      let size = 0;
      return (chunk: Buffer) => {
        size += chunk.length;
        if (size > limit) {
          fail(new SafeCoderError('environment/tool-failed', `${file} wrote more than ${limit} bytes.`));
        } else into.push(chunk);
      };
    };
    child.stdout.on('data', collect(out));
    child.stderr.on('data', collect(err));
    child.stdin.on('error', () => {
      // EPIPE: the child did not want all of its input; its exit tells the story.
    });
    child.stdin.end(options.input);
    child.on('error', (error) => {
      if (errnoOf(error) === 'ENOENT' && failure === undefined) {
        failure = new SafeCoderError('environment/tool-missing', `The program ${file} was not found.`, {
          cause: error,
          hint: 'Run "safe-coder setup" to install what is missing.',
        });
      }
      failure ??= error;
      settle(-1, null);
    });
    child.on('close', (code, signal) => settle(code ?? -1, signal));
    let isSettled = false;
    const settle = (code: number, signal: NodeJS.Signals | null) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', onAbort);
      const stderr = Buffer.concat(err).toString('utf8');
      if (failure === undefined && signal !== null) {
        failure = new SafeCoderError('environment/tool-failed', `${file} was ended by ${signal}.`, {
          details: { stderr: stderr.slice(-2000) },
        });
      }
      if (failure) reject(failure);
      else resolve({ exitCode: code, stdout: Buffer.concat(out), stderr });
    };
  });
}

/** Kills every process of the group that `pid` leads. */
export function killGroup(pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL'): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // ESRCH: the group is gone, which is what was wanted.
  }
}
