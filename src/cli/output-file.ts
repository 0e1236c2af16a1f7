/** A file that a person asked for: whole or not there, and never in the place of another unless they said so. */

import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';

/**
 * Has `write` fill a file beside the one asked for, which then takes its name. Throws `usage/bad-argument` for a name that is taken
 * (without `force`) or can't be written to; nothing is left behind then.
 */
export async function writeOutputFile(
  name: string,
  options: { force: boolean },
  write: (temporary: HostPath) => Promise<void>,
): Promise<HostPath> {
  const path = resolve(name) as HostPath;
  const temporary = join(dirname(path), `.safe-coder-${randomBytes(6).toString('hex')}`) as HostPath;
  try {
    refuseTaken(path, options.force);
    await write(temporary);
    if (options.force) renameSync(temporary, path);
    else linkSync(temporary, path);
    return path;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') throw taken(path);
    const code = errnoOf(error);
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR' && code !== 'EISDIR') throw error;
    throw new SafeCoderError('usage/bad-argument', `${showPath(path)} can't be written: ${code}.`, {
      cause: error,
      hint: 'Name another file with --output.',
    });
  } finally {
    rmSync(temporary, { force: true });
  }
}

/** Writes pieces to a new file, readable by this user only, and waits for the disk. */
export async function writePieces(file: HostPath, pieces: AsyncIterable<string | Buffer>): Promise<void> {
  const fd = openSync(file, 'wx', 0o600);
  try {
    for await (const piece of pieces) writeAll(fd, typeof piece === 'string' ? Buffer.from(piece) : piece);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

/** Before the work, so that nobody waits for it in vain; the name is taken without a race at the end. */
function refuseTaken(path: HostPath, isForced: boolean): void {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!isForced) throw taken(path);
  // Replacing a device, a pipe, a folder or a link would take something else away than a file.
  if (!there.isFile()) {
    throw new SafeCoderError(
      'usage/bad-argument',
      `${showPath(path)} is no ordinary file: it is not replaced.`,
      {
        hint: 'Name another file with --output.',
      },
    );
  }
}

function taken(path: HostPath): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', `${showPath(path)} is there already.`, {
    hint: 'Name another file with --output, or replace it with --force.',
  });
}
