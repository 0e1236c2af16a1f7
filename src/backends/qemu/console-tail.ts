/** The last of what a guest wrote to its console, kept small and made fit to show. The guest can write without end. */
import { escapeForTerminal } from '../../base/terminal-text.ts';

const KEPT_BYTES = 16 * 1024;
const SHOWN_LINES = 20;
const SHOWN_COLUMNS = 200;

export class ConsoleTail {
  #kept = Buffer.alloc(0);

  add(chunk: Buffer): void {
    const joined = Buffer.concat([this.#kept, chunk.subarray(-KEPT_BYTES)]);
    this.#kept = Buffer.from(joined.subarray(-KEPT_BYTES));
  }

  /** The last lines, and before them why the kernel gave up if it did; no control characters. Empty when there was nothing. */
  text(): string {
    const lines = this.#kept
      .toString('utf8')
      .split(/\r?\n/)
      .map((line) => escapeForTerminal(line.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')).slice(0, SHOWN_COLUMNS))
      .filter((line) => line.trim() !== '');
    const shown = lines.slice(-SHOWN_LINES);
    const panic = lines.findLast((line) => line.includes('Kernel panic'));
    return (panic === undefined || shown.includes(panic) ? shown : [panic, '...', ...shown]).join('\n');
  }
}
