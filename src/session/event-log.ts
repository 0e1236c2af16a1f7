/** The events that a session kept, read back. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errnoOf } from '../base/errors.ts';
import type { SafeCoderEvent } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';

const TYPE = /^\{"type":"([a-z.]+)"/;

type Kept<T extends string> = Extract<SafeCoderEvent, { type: T }>;

/**
 * The events of some types, in their order; none where no file is that can be read. A line that a kill cut short is passed over: the ledger,
 * not this file, is what counts.
 */
export async function* readEvents<T extends SafeCoderEvent['type']>(
  folder: HostPath,
  types: readonly T[],
): AsyncGenerator<Kept<T>> {
  const wanted = new Set<string>(types);
  try {
    const input = createReadStream(join(folder, 'events.jsonl'));
    for await (const line of createInterface({ input })) {
      const type = TYPE.exec(line)?.[1];
      // Most lines are of no interest, and some are long.
      if (type !== undefined && !wanted.has(type)) continue;
      const event = parse(line);
      if (event !== undefined && wanted.has(event.type)) yield event as Kept<T>;
    }
  } catch (error) {
    // Not there, or nothing that can be read: the log goes on without it, from the ledger.
    if (errnoOf(error) === undefined) throw error;
  }
}

function parse(line: string): SafeCoderEvent | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as SafeCoderEvent) : undefined;
  } catch {
    // Cut short by a kill.
    return undefined;
  }
}
