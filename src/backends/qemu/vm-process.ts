/** One QEMU in its jail: started, connected to, and ended with everything it brought along. */
import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { DirectoryHandle } from '../../base/directory-handle.ts';
import { errnoOf, SafeCoderError } from '../../base/errors.ts';
import { delay, once, throwIfCancelled, withDeadline } from '../../base/lifetime.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { killGroup } from '../../base/process.ts';
import { onlyThese } from '../inherited.ts';
import { ConsoleTail } from './console-tail.ts';
import { JAIL } from './machine.ts';
import { Qmp } from './qmp.ts';

export interface VmProcessOptions {
  bwrap: string;
  /** Arguments of bwrap, then QEMU and its own. */
  args: string[];
  runDir: HostPath;
  /** A file that QEMU gets, open for reading, as descriptor 3. */
  stateFile?: HostPath;
}

/** From the start of the jail to an answer on QEMU's control socket. */
const SPAWN_MS = 20_000;
const END_MS = 10_000;
const POLL_MS = 3;
const STDERR_BYTES = 4096;

export class VmProcess implements AsyncDisposable {
  /** Resolves when no process of it is left, with the reason in words. Never rejects. */
  readonly ended: Promise<string>;
  readonly console = new ConsoleTail();
  readonly #child: ChildProcess;
  readonly #runDir: DirectoryHandle;
  #stderr = '';
  #hasEnded = false;

  private constructor(child: ChildProcess, runDir: DirectoryHandle) {
    this.#child = child;
    this.#runDir = runDir;
    child.stdout?.on('data', (chunk: Buffer) => this.console.add(chunk));
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString('utf8')).slice(-STDERR_BYTES);
    });
    this.ended = new Promise((resolve) => {
      const settle = (reason: string) => {
        this.#hasEnded = true;
        resolve(reason);
      };
      child.once('error', (error) => settle(`the jail could not be started: ${error.message}`));
      // "close" comes when the last process that holds the pipes is gone: the jail and QEMU, not just the first.
      child.once('close', (code, signal) => settle(this.#describeEnd(code, signal)));
    });
  }

  static async start(options: VmProcessOptions): Promise<VmProcess> {
    const state = options.stateFile === undefined ? undefined : await open(options.stateFile, 'r');
    const cover = await open('/dev/null', 'r');
    try {
      const child = spawn(options.bwrap, options.args, {
        cwd: '/',
        env: {},
        detached: true,
        stdio: onlyThese(['ignore', 'pipe', 'pipe', state?.fd ?? 'ignore'] as const, cover.fd),
      });
      return new VmProcess(child, DirectoryHandle.open(options.runDir));
    } finally {
      await Promise.all([state?.close(), cover.close()]);
    }
  }

  /** QEMU's control connection. Throws `backend/boot-failed` when QEMU ends or stays silent. The caller owns it. */
  async openQmp(signal: AbortSignal | undefined): Promise<Qmp> {
    return Qmp.open(await this.connectTo(JAIL.qmp, signal));
  }

  /** Connects to one of QEMU's sockets as soon as it listens. The caller owns the socket. */
  async connectTo(name: string, signal: AbortSignal | undefined): Promise<Socket> {
    const until = Date.now() + SPAWN_MS;
    for (;;) {
      throwIfCancelled(signal);
      if (this.#hasEnded) throw this.failure('start', await this.ended);
      // Through the open folder: a socket's own path may be at most 107 bytes long.
      const socket = await tryConnect(`${this.#runDir.self}/${name}`);
      if (socket !== undefined) return socket;
      if (Date.now() > until) throw this.failure('start', `no answer within ${SPAWN_MS / 1000} s`);
      await delay(POLL_MS);
    }
  }

  /** The error for a phase that failed, with what is known: QEMU's own words and the console's last lines. */
  failure(phase: string, why: string, cause?: unknown): SafeCoderError {
    const tail = this.console.text();
    return new SafeCoderError(
      'backend/boot-failed',
      `The virtual machine did not start (phase: ${phase}): ${why}${tail === '' ? '' : `\nconsole:\n${tail}`}`,
      {
        hint: 'Run "safe-coder doctor" to see what is wrong here.',
        details: { phase, consoleTail: tail },
        ...(cause === undefined ? {} : { cause }),
      },
    );
  }

  /** Kills it and resolves when everything is gone. Idempotent; bounded by a deadline. */
  readonly end = once(async () => {
    killGroup(this.#child.pid);
    await withDeadline(this.ended, END_MS, () => new Error('late')).catch(() => {
      // A process that SIGKILL does not end hangs in the host's kernel; waiting longer would not help.
      this.#child.stdout?.destroy();
      this.#child.stderr?.destroy();
    });
    this.#runDir[Symbol.dispose]();
  });

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }

  #describeEnd(code: number | null, signal: NodeJS.Signals | null): string {
    const said = this.#stderr
      .split('\n')
      .filter((line) => line.trim() !== '')
      .slice(-3)
      .join('; ');
    const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
    return `QEMU ended (${how})${said === '' ? '' : `: ${said}`}`;
  }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const onError = (error: Error) => {
      const errno = errnoOf(error);
      if (errno === 'ENOENT' || errno === 'ECONNREFUSED') resolve(undefined);
      else reject(error);
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
