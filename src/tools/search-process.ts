/** Runs a search program in the guest: an argument vector, never a shell; records as they come; a time limit. */
import { SafeCoderError } from '../base/errors.ts';
import { stripControlsForModel } from '../base/terminal-text.ts';
import type { GuestProcess } from '../guest/guest.ts';
import { LIMITS } from './limits.ts';
import type { ToolContext } from './tool.ts';
import { waitFor } from './wait-for.ts';
import { canonicalWorkspace } from './workspace-path.ts';

export interface SearchPlan {
  argv: string[];
  /** What ends a record: 0 or 10 (a line feed). */
  separator: number;
  /** Called with each record without its separator, cut when it is very long. False: enough, stop the program. */
  onRecord: (record: Buffer) => boolean;
}

export interface SearchEnd {
  /** Undefined when it was stopped. */
  exitCode: number | undefined;
  /** The first lines of standard error, clean. */
  errors: string;
  why: 'ended' | 'enough' | 'timeout';
}

const MAX_RECORD_BYTES = 64 * 1024;
const MAX_ERROR_BYTES = 4096;

/**
 * Runs the plan's program in the workspace. Rejects as `exec` does (`guest/failed` with ENOENT when there is no such program), and
 * with `cancelled`.
 */
export async function runSearch(context: ToolContext, plan: SearchPlan): Promise<SearchEnd> {
  const records = new RecordSplitter(plan.separator, plan.onRecord);
  const errors: Buffer[] = [];
  let errorBytes = 0;
  let child: GuestProcess | undefined;
  const running = context.sandbox.exec(
    {
      argv: plan.argv,
      cwd: await canonicalWorkspace(context.sandbox),
      onOutput: (chunk, channel) => {
        if (channel === 'out') {
          records.push(chunk);
          if (records.isEnough) child?.kill();
        } else if (errorBytes < MAX_ERROR_BYTES) {
          errors.push(Buffer.from(chunk.subarray(0, MAX_ERROR_BYTES)));
          errorBytes += chunk.length;
        }
      },
    },
    context.signal,
  );
  child = await running;
  const waited = await waitFor(child.ended, LIMITS.searchMs, context.signal);
  if (waited !== 'settled') child.kill();
  const end = await child.ended;
  if (waited === 'aborted') throw new SafeCoderError('cancelled', 'Cancelled: the search was stopped.');
  records.end();
  const why = waited === 'timeout' ? 'timeout' : records.isEnough ? 'enough' : 'ended';
  return {
    exitCode: why === 'ended' ? (end.exitCode ?? 128) : undefined,
    errors: stripControlsForModel(Buffer.concat(errors).toString('utf8'))
      .trim()
      .split('\n')
      .slice(0, 6)
      .join('\n'),
    why,
  };
}

/** Cuts a stream of bytes into records, in bounded memory. */
class RecordSplitter {
  isEnough = false;
  readonly #separator: number;
  readonly #onRecord: (record: Buffer) => boolean;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(separator: number, onRecord: (record: Buffer) => boolean) {
    this.#separator = separator;
    this.#onRecord = onRecord;
  }

  push(chunk: Buffer): void {
    let from = 0;
    while (!this.isEnough) {
      const at = chunk.indexOf(this.#separator, from);
      if (at === -1) break;
      this.#hold(chunk.subarray(from, at));
      this.#give();
      from = at + 1;
    }
    if (!this.isEnough) this.#hold(chunk.subarray(from));
  }

  end(): void {
    if (this.#bytes > 0 && !this.isEnough) this.#give();
  }

  #hold(part: Buffer): void {
    const room = MAX_RECORD_BYTES - this.#bytes;
    if (room <= 0 || part.length === 0) return;
    this.#parts.push(Buffer.from(part.subarray(0, room)));
    this.#bytes += Math.min(part.length, room);
  }

  #give(): void {
    const record = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    if (!this.#onRecord(record)) this.isEnough = true;
  }
}
