/** QEMU's control socket (QMP): one command at a time, answers matched by order, bounded lines, a deadline each. */
import type { Socket } from 'node:net';
import { SafeCoderError } from '../../base/errors.ts';
import { withDeadline } from '../../base/lifetime.ts';

const MAX_LINE_BYTES = 1 << 20;
const COMMAND_MS = 20_000;

interface Waiter {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class Qmp implements Disposable {
  readonly #socket: Socket;
  readonly #waiters: Waiter[] = [];
  #pending = '';
  #failure: Error | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#take(text));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the control socket closed')));
  }

  /** Takes over a connected socket and its greeting. */
  static async open(socket: Socket): Promise<Qmp> {
    const qmp = new Qmp(socket);
    await qmp.run('qmp_capabilities');
    return qmp;
  }

  /** Runs a command and returns its answer. Throws `backend/boot-failed` when QEMU refuses or is gone. */
  async run(command: string, args?: Record<string, unknown>): Promise<unknown> {
    const answer = new Promise<unknown>((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      this.#waiters.push({ resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }) })}\n`);
    });
    try {
      return await withDeadline(answer, COMMAND_MS, () => new Error(`no answer in ${COMMAND_MS / 1000} s`));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new SafeCoderError('backend/boot-failed', `QEMU failed at "${command}": ${why}.`, { cause });
    }
  }

  /** Waits until a migration, in or out, is over. Throws `backend/boot-failed` unless it completed. */
  async finishMigration(deadlineMs: number): Promise<void> {
    const until = Date.now() + deadlineMs;
    for (;;) {
      const answer = (await this.run('query-migrate')) as { status?: string; 'error-desc'?: string };
      if (answer.status === 'completed') return;
      if (answer.status === 'failed' || answer.status === 'cancelled' || Date.now() > until) {
        const why = answer['error-desc'] ?? answer.status ?? 'no answer';
        throw new SafeCoderError('backend/boot-failed', `QEMU could not move the machine's state: ${why}.`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  #take(text: string): void {
    this.#pending += text;
    if (this.#pending.length > MAX_LINE_BYTES) {
      this.#fail(new Error('an answer was too long'));
      return;
    }
    for (let end = this.#pending.indexOf('\n'); end >= 0; end = this.#pending.indexOf('\n')) {
      const line = this.#pending.slice(0, end);
      this.#pending = this.#pending.slice(end + 1);
      this.#takeLine(line);
    }
  }

  #takeLine(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch (error) {
      this.#fail(new Error('an answer was no JSON', { cause: error }));
      return;
    }
    if (typeof message !== 'object' || message === null) return;
    if ('return' in message) this.#waiters.shift()?.resolve(message.return);
    else if ('error' in message) {
      const error = message.error as { desc?: unknown };
      this.#waiters.shift()?.reject(new Error(String(error.desc ?? 'refused')));
    }
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#failure);
    this.#socket.destroy();
  }

  [Symbol.dispose](): void {
    this.#fail(new Error('the control connection was ended'));
  }
}
