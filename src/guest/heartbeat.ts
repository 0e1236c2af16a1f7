/**
 * Asks a guest for a sign of life while an execution runs: an execution may be silent for as long as it likes, its agent
 * may not. Root of the guest can stop the agent.
 */
import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import type { Connection } from './connection.ts';

export class Heartbeat {
  readonly #connection: Connection;
  readonly #ask: () => Promise<unknown>;
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #isAsking = false;

  /** `ask` is any request that a healthy agent answers at once, watched by the deadline of silence. */
  constructor(connection: Connection, ask: () => Promise<unknown>) {
    this.#connection = connection;
    this.#ask = ask;
  }

  /** Beats until this is over, one way or the other. */
  watch(execution: Promise<unknown>): void {
    this.#running += 1;
    this.#timer ??= this.#start();
    const forget = () => {
      this.#running -= 1;
      if (this.#running > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
    execution.then(forget, forget);
  }

  #start(): NodeJS.Timeout {
    return setInterval(() => void this.#beat(), this.#connection.deadlines.beatMs).unref();
  }

  async #beat(): Promise<void> {
    if (this.#isAsking || this.#connection.isOver) return;
    this.#isAsking = true;
    try {
      await this.#ask();
    } catch (error) {
      // Any answer is a sign of life, a refusal too.
      if (isSafeCoderError(error, 'guest/timeout')) this.#connection.fail(this.#stopped(error));
    } finally {
      this.#isAsking = false;
    }
  }

  #stopped(cause: Error): SafeCoderError {
    const seconds = this.#connection.deadlines.silenceMs / 1000;
    return new SafeCoderError(
      'guest/timeout',
      `The guest agent has not answered for ${seconds} s: it hangs, or something in the guest has stopped it. What was running has an unknown outcome.`,
      { cause, details: { phase: 'heartbeat' }, hint: 'End this session and start a new one.' },
    );
  }
}
