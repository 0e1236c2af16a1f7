/**
 * The whole of a long output, kept in the guest outside of the workspace. Small outputs are held here and never cost
 * anything; a longer one flows back into the guest as it comes, so the host never holds it. A log that can't be
 * written is said to be missing; it never fails the command.
 */
import { isSafeCoderError } from '../base/errors.ts';
import type { GuestProcess } from '../guest/guest.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { LIMITS } from './limits.ts';
import { waitFor } from './wait-for.ts';

const HELD_BYTES = 64 * 1024;
/** The paths are arguments, never part of the script. */
const SINK = 'umask 077; mkdir -p "$1" && exec cat > "$2"';

export class GuestLog {
  readonly path: string;
  readonly #sandbox: Sandbox;
  readonly #folder: string;
  #held: Uint8Array[] = [];
  #bytes = 0;
  #sink: GuestProcess | undefined;
  #release: () => void = () => undefined;
  #state: 'held' | 'streaming' | 'saved' | 'failed' = 'held';

  constructor(sandbox: Sandbox, folder: string, name: string) {
    this.#sandbox = sandbox;
    this.#folder = `${folder}/out`;
    this.path = `${this.#folder}/${name}.log`;
  }

  /** Takes the next bytes; settles when more may come. */
  async write(chunk: Uint8Array): Promise<void> {
    const room = LIMITS.logBytes - this.#bytes;
    this.#bytes += chunk.length;
    if (this.#state === 'failed' || room <= 0) return;
    const part = chunk.subarray(0, room);
    if (this.#state === 'streaming') return await this.#feed(part);
    // The chunk's memory belongs to the connection.
    this.#held.push(Uint8Array.from(part));
    if (this.#bytes > HELD_BYTES) await this.#startSink();
  }

  async #startSink(): Promise<void> {
    const held = this.#held;
    this.#held = [];
    this.#state = 'streaming';
    try {
      const sink = await this.#sandbox.exec({
        argv: ['/bin/sh', '-c', SINK, 'sh', this.#folder, this.path],
        cwd: '/',
        stdin: true,
        onOutput: () => undefined,
      });
      this.#sink = sink;
      const release = () => this.#release();
      sink.ended.then(release, release);
    } catch (error) {
      this.#fail(error);
      return;
    }
    for (const part of held) await this.#feed(part);
  }

  /** Settles when the sink took the bytes, failed or ended: a sink that is gone must not hold up the command. */
  async #feed(part: Uint8Array): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined || this.#state !== 'streaming') return;
    await new Promise<void>((resolve) => {
      this.#release = resolve;
      sink.write(part).then(resolve, () => {
        this.#state = 'failed';
        resolve();
      });
    });
  }

  #fail(error: unknown): void {
    this.#state = 'failed';
    this.#sink?.kill();
    // A lost guest shows in the command itself, with its own error.
    if (!isSafeCoderError(error)) throw error;
  }

  /** Ends the log. With `keep`, what was only held is saved too. */
  async close(keep: boolean): Promise<void> {
    if (this.#state === 'streaming') await this.#closeSink();
    else if (this.#state === 'held' && keep) await this.#saveHeld();
    this.#held = [];
  }

  async #closeSink(): Promise<void> {
    const sink = this.#sink;
    if (sink === undefined) return;
    sink.closeStdin();
    try {
      const isOver = await waitFor(sink.ended, LIMITS.killDeadlineMs);
      if (isOver !== 'settled') sink.kill();
      this.#state = isOver === 'settled' && (await sink.ended).exitCode === 0 ? 'saved' : 'failed';
    } catch (error) {
      this.#fail(error);
    }
  }

  async #saveHeld(): Promise<void> {
    try {
      await this.#sandbox.write(this.path, Buffer.concat(this.#held), { makeParents: true, mode: 0o600 });
      this.#state = 'saved';
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Where the whole output is, in words; nothing when it was never long. */
  describe(): string | undefined {
    if (this.#state === 'held') return undefined;
    if (this.#state === 'failed') return '[the full output could not be saved in the sandbox]';
    const part =
      this.#bytes > LIMITS.logBytes
        ? `the first ${LIMITS.logBytes / 1024 / 1024} MB of the output`
        : 'full output';
    const verb = this.#state === 'streaming' ? 'is being saved' : 'saved';
    return `[${part} ${verb} at ${this.path}: search or read parts of it there]`;
  }
}
