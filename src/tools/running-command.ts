/** A command in the guest with its output, from its start until nothing of it is left. */
import { SafeCoderError } from '../base/errors.ts';
import { ModelTextFilter } from '../base/terminal-text.ts';
import type { GuestProcess, SpawnEnd } from '../guest/guest.ts';
import { DiskFullWatch, describeFullDisk } from '../sandbox/limits-met.ts';
import type { Sandbox, SandboxLimits } from '../sandbox/sandbox.ts';
import { GuestLog } from './guest-log.ts';
import { LIMITS } from './limits.ts';
import { LiveOutput } from './live-output.ts';
import { OutputText, type Rendered } from './output-text.ts';
import { SIGINT, SIGTERM } from './signal-names.ts';
import { waitFor } from './wait-for.ts';

export interface CommandPlan {
  /** As the model wrote it, for lists of jobs. */
  command: string;
  argv: string[];
  cwd: string;
  /** Names the log in the guest. */
  call: string;
  /** The tools' own folder there. */
  scratch: string;
}

/** Pagers, editors and prompts would wait for a person who is not there. */
const ENVIRONMENT = {
  PAGER: 'cat',
  GIT_PAGER: 'cat',
  TERM: 'dumb',
  CI: '1',
  NO_COLOR: '1',
  DEBIAN_FRONTEND: 'noninteractive',
  GIT_TERMINAL_PROMPT: '0',
  GIT_EDITOR: 'true',
};

export class RunningCommand {
  readonly command: string;
  /** Fulfilled when the command is over, its output complete and its log closed. Rejects as {@link GuestProcess.ended} does. */
  readonly ended: Promise<SpawnEnd>;
  readonly #text = new OutputText();
  readonly #filter = new ModelTextFilter();
  readonly #log: GuestLog;
  readonly #process: GuestProcess;
  #live: LiveOutput | undefined;
  readonly #disk = new DiskFullWatch();
  readonly #sandbox: Sandbox;
  #fullDisk: string | undefined;
  #rawBytes = 0;
  #end: SpawnEnd | undefined;

  /** Starts the plan's command. Rejects as `exec` does, or with `cancelled` when the signal aborts before it has started. */
  static async start(
    sandbox: Sandbox,
    plan: CommandPlan,
    onOutput: (text: string) => void,
    signal: AbortSignal,
  ): Promise<RunningCommand> {
    const early: Buffer[] = [];
    let command: RunningCommand | undefined;
    const starting = new AbortController();
    const abort = () => starting.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    try {
      const process = await sandbox.exec(
        {
          argv: plan.argv,
          cwd: plan.cwd,
          env: ENVIRONMENT,
          mergeStderr: true,
          onOutput: (chunk) => {
            // Output may arrive in the moment between the start and our knowing of it.
            if (command !== undefined) return command.#take(chunk);
            early.push(Buffer.from(chunk));
            return undefined;
          },
        },
        starting.signal,
      );
      command = new RunningCommand(sandbox, plan, process, onOutput, early);
      return command;
    } finally {
      // From here on an abort is a SIGINT first, not a kill.
      signal.removeEventListener('abort', abort);
    }
  }

  private constructor(
    sandbox: Sandbox,
    plan: CommandPlan,
    process: GuestProcess,
    onOutput: (text: string) => void,
    early: Buffer[],
  ) {
    this.command = plan.command;
    this.#sandbox = sandbox;
    this.#process = process;
    this.#log = new GuestLog(sandbox, plan.scratch, plan.call);
    this.#live = new LiveOutput(onOutput);
    this.#queue = Promise.resolve();
    for (const chunk of early) void this.#take(chunk);
    this.ended = this.#finish();
    // Whoever needs the end awaits `ended`; a job that nobody looks at must not be an unhandled rejection.
    this.ended.catch(() => undefined);
  }

  /** Chunks are taken one after the other, also those that came early. */
  #queue: Promise<void>;

  #take(chunk: Buffer): Promise<void> {
    this.#rawBytes += chunk.length;
    this.#disk.add(chunk);
    this.#live?.push(chunk);
    this.#append(this.#filter.push(chunk));
    this.#queue = this.#queue.then(() => this.#log.write(chunk));
    return this.#queue;
  }

  #append(text: string): void {
    this.#text.append(text);
  }

  async #finish(): Promise<SpawnEnd> {
    try {
      const end = await this.#process.ended;
      await this.#queue;
      this.#append(this.#filter.end());
      await this.#log.close(this.#text.render().truncated);
      if (this.#disk.hasSeen) this.#fullDisk = await describeFullDisk(this.#sandbox);
      this.#end = end;
      return end;
    } finally {
      this.detach();
    }
  }

  /** The person watching sees no more of it: the call it belonged to is over. */
  detach(): void {
    this.#live?.[Symbol.dispose]();
    this.#live = undefined;
  }

  /** How it ended; undefined while it runs. */
  get end(): SpawnEnd | undefined {
    return this.#end;
  }

  get hasDiskFull(): boolean {
    return this.#disk.hasSeen;
  }

  get limits(): SandboxLimits {
    return this.#sandbox.limits;
  }

  /** What of it is used up; known once the command is over. */
  get fullDisk(): string | undefined {
    return this.#fullDisk;
  }

  get rawBytes(): number {
    return this.#rawBytes;
  }

  /** Position after the last complete line. */
  get position(): number {
    return this.#text.length;
  }

  get logNote(): string | undefined {
    return this.#log.describe();
  }

  /** All output so far, with the line that is still being written. */
  render(): Rendered {
    const rendered = this.#text.render();
    return { ...rendered, text: rendered.text + this.#filter.pending };
  }

  renderSince(position: number): Rendered & { lost: number } {
    const rendered = this.#text.renderSince(position);
    return { ...rendered, text: rendered.text + this.#filter.pending };
  }

  /** Asks it to end (SIGINT as a person would, or SIGTERM), then kills its group. Rejects with `guest/timeout` when the guest does not comply. */
  async stop(how: 'interrupt' | 'terminate'): Promise<void> {
    this.#process.signal(how === 'interrupt' ? SIGINT : SIGTERM);
    if ((await waitFor(this.ended, LIMITS.stopGraceMs)) === 'settled') return;
    this.#process.kill();
    if ((await waitFor(this.ended, LIMITS.killDeadlineMs)) === 'settled') return;
    throw new SafeCoderError(
      'guest/timeout',
      'A command was killed, but the guest does not say that it is over.',
      {
        hint: 'The sandbox is no longer trustworthy: end this session and start a new one.',
      },
    );
  }

  /** Kills its group at once, without waiting. */
  kill(): void {
    this.#process.kill();
  }
}
