/** Decisions of a review in the session's folder, saved as they are made: after a kill the last ones are there, whole. */
import { readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { writeJsonDurably } from '../apply/write-durably.ts';
import { errnoOf, isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { type DecisionFile, parseDecisions } from '../review/decision.ts';

const NAME = 'decisions.json';

export interface StoredDecisions {
  /** Undefined when nothing was decided yet. */
  file: DecisionFile | undefined;
  /** Where a damaged file was put aside, to be named to the person. */
  damaged?: HostPath;
}

/** What was decided so far. A file that can't be used is kept under another name. Throws `session/damaged` when it can't be read. */
export function loadDecisions(folder: HostPath): StoredDecisions {
  const path = join(folder, NAME) as HostPath;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return { file: undefined };
    throw new SafeCoderError('session/damaged', `The decisions in ${path} can't be read.`, { cause });
  }
  try {
    return { file: parseDecisions(text, path) };
  } catch (error) {
    if (!isSafeCoderError(error, 'usage/bad-argument')) throw error;
    const damaged = `${path}.damaged-${Date.now()}` as HostPath;
    renameSync(path, damaged);
    return { file: undefined, damaged };
  }
}

/** Saves decisions in the place of those before; they are on the disk when this returns. */
export function saveDecisions(folder: HostPath, file: DecisionFile): void {
  writeJsonDurably(join(folder, NAME), file);
}
