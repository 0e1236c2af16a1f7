/** Decisions of a review in the session's folder, saved as they are made: after a kill the last ones are there, whole. */
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { fsyncFolder, writeFully } from '../apply/write-durably.ts';
import { errnoOf, isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { processIdentity } from '../base/owner-lock.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';
import { type DecisionFile, formatDecisions, parseDecisions } from '../review/decision.ts';

const NAME = 'decisions.json';
/** Far above what 200,000 decided files take; edited hunks may be large. */
const MAX_BYTES = 64 << 20;

export interface StoredDecisions {
  /** Undefined when nothing was decided yet, or what there was is damaged. */
  file: DecisionFile | undefined;
  /** Where a damaged file was put aside, to be named to the person. */
  damaged?: HostPath;
}

/** What was decided so far. A file that can't be used is kept under another name. Throws `session/damaged` when it can't be read. */
export function loadDecisions(folder: HostPath): StoredDecisions {
  sweepLeftovers(folder);
  const path = join(folder, NAME) as HostPath;
  let text: string | undefined;
  try {
    text = statSync(path).size > MAX_BYTES ? undefined : readFileSync(path, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return { file: undefined };
    throw new SafeCoderError('session/damaged', `The decisions in ${showPath(path)} can't be read.`, {
      cause,
      hint: 'Mend it, or move it away to decide anew.',
    });
  }
  try {
    if (text !== undefined) return { file: parseDecisions(text, showPath(path)) };
  } catch (error) {
    if (!isSafeCoderError(error, 'usage/bad-argument')) throw error;
  }
  return { file: undefined, damaged: putAside(folder) };
}

/**
 * Saves decisions in the place of those before; they are on the disk when this returns. Throws `usage/bad-argument` for more
 * than 64 MiB, `environment/disk-full`, `session/damaged`; then what was saved before is still there.
 */
export function saveDecisions(folder: HostPath, file: DecisionFile): void {
  const bytes = Buffer.from(formatDecisions(file));
  if (bytes.length > MAX_BYTES) {
    throw new SafeCoderError(
      'usage/bad-argument',
      'The decisions are larger than 64 MiB and were not saved.',
      {
        hint: 'Shorten edited passages: large ones are better edited in the project after applying.',
      },
    );
  }
  const temporary = join(folder, `${NAME}.${process.pid}.tmp`);
  try {
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeFully(fd, bytes);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, join(folder, NAME));
    fsyncFolder(folder);
  } catch (cause) {
    rmSync(temporary, { recursive: true, force: true });
    const isFull = errnoOf(cause) === 'ENOSPC' || errnoOf(cause) === 'EDQUOT';
    const why = isFull ? 'the disk is full' : (errnoOf(cause) ?? 'no reason given');
    throw new SafeCoderError(
      isFull ? 'environment/disk-full' : 'session/damaged',
      `The decisions could not be saved in ${showPath(folder)} (${why}).`,
      { cause, hint: 'Those saved before are still there.' },
    );
  }
}

/** The first name that is free: an earlier damaged file is not replaced. */
function putAside(folder: HostPath): HostPath {
  const taken = new Set(readdirSync(folder));
  let number = 1;
  while (taken.has(`${NAME}.damaged-${number}`)) number++;
  const aside = join(folder, `${NAME}.damaged-${number}`) as HostPath;
  renameSync(join(folder, NAME), aside);
  fsyncFolder(folder);
  return aside;
}

/** Removes what killed processes were writing. */
function sweepLeftovers(folder: HostPath): void {
  for (const name of readdirSync(folder)) {
    const pid = /^decisions\.json\.(\d{1,10})\.tmp$/.exec(name)?.[1];
    if (pid !== undefined && processIdentity(Number(pid)) === undefined)
      rmSync(join(folder, name), { force: true });
  }
}
