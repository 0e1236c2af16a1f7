/** Notices a model that goes round in circles. */
import { createHash } from 'node:crypto';

const WARN_AT = 3;
const STOP_AT = 5;

export interface Execution {
  tool: string;
  input: unknown;
  ok: boolean;
  text: string;
  /** Whether the workspace changed with it. */
  hasChanged: boolean;
}

/**
 * Counts executions that are the same in tool, input and result. A change of the workspace starts the count again for those
 * that change nothing, because running the same test after an edit is work; edits that undo each other still count.
 */
export class LoopGuard {
  readonly #counts = new Map<string, { count: number; hasChanged: boolean }>();

  /** What to tell the model about this execution, and whether the turn must end. */
  observe(execution: Execution): { warning?: string; mustStop: boolean } {
    const { tool, input, ok, text, hasChanged } = execution;
    const key = createHash('sha256')
      .update(JSON.stringify([tool, input, ok, text]))
      .digest('hex');
    if (hasChanged) {
      for (const [other, entry] of this.#counts) if (!entry.hasChanged) this.#counts.delete(other);
    }
    const count = (this.#counts.get(key)?.count ?? 0) + 1;
    this.#counts.set(key, { count, hasChanged });
    if (count < WARN_AT) return { mustStop: false };
    const warning = `[This call was made ${count} times with the same result. Do something else; after ${STOP_AT} times the turn ends.]`;
    return { warning, mustStop: count >= STOP_AT };
  }
}
