/** A command outside the agent's turns: what is asked for, and its output as events. */
import { isSafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import type { GuestProcess, SpawnEnd } from '../guest/guest.ts';
import type { ExecOptions } from '../sandbox/sandbox.ts';

export type ExecRequest = Omit<ExecOptions, 'onOutput'> & {
  /** Whether output goes out as events. */
  isTold: boolean;
  onOutput?: ExecOptions['onOutput'];
  /** Gets the running process, to feed and resize it. */
  attach?: (process: GuestProcess) => void;
};

/**
 * Output as `tool.output` events, all of them after the call's `tool.start`: the first output can arrive together with
 * the news that the command runs. A character that is cut by chunks stays one.
 */
export class ToldOutput {
  readonly #call: string;
  readonly #emit: Emit;
  readonly #decoders = { out: new TextDecoder(), err: new TextDecoder() };
  /** What came before the start was told; undefined afterwards. */
  #early: { text: string; channel: 'out' | 'err' }[] | undefined = [];

  constructor(call: string, emit: Emit) {
    this.#call = call;
    this.#emit = emit;
  }

  add(chunk: Buffer, channel: 'out' | 'err'): void {
    this.#tell(this.#decoders[channel].decode(chunk, { stream: true }), channel);
  }

  /** The call's start has been told: what came early goes out now. */
  start(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const { text, channel } of early) this.#tell(text, channel);
  }

  end(): void {
    for (const channel of ['out', 'err'] as const) this.#tell(this.#decoders[channel].decode(), channel);
  }

  #tell(text: string, channel: 'out' | 'err'): void {
    if (text === '') return;
    if (this.#early) this.#early.push({ text, channel });
    else this.#emit({ type: 'tool.output', call: this.#call, text, channel });
  }
}

/** How it ended; undefined when it was cancelled. Rejects for everything else. */
export async function endOf(process: GuestProcess): Promise<SpawnEnd | undefined> {
  try {
    return await process.ended;
  } catch (error) {
    if (!isSafeCoderError(error, 'cancelled')) throw error;
    return undefined;
  }
}
