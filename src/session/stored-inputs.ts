/** What each tool was asked for, from a session's events; the ledger holds its digest. */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errnoOf } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { digestInput } from './entry-recorder.ts';

/**
 * Inputs by their digest, so that only what an entry really names is found. Lines that can't be read are passed over: the
 * ledger, not this file, is what counts.
 */
export async function readToolInputs(folder: HostPath): Promise<Map<string, unknown>> {
  const inputs = new Map<string, unknown>();
  try {
    const lines = createInterface({ input: createReadStream(join(folder, 'events.jsonl')) });
    for await (const line of lines) {
      if (!line.includes('"tool.start"')) continue;
      const event = parse(line);
      if (event?.type === 'tool.start') inputs.set(digestInput(event.input), event.input);
    }
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  return inputs;
}

function parse(line: string): { type?: unknown; input?: unknown } | undefined {
  try {
    return JSON.parse(line) as { type?: unknown; input?: unknown };
  } catch {
    // A line that a kill cut short.
    return undefined;
  }
}
