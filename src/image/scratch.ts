/** The guest's scratch disk: a sparse ext4 image, formatted once per size and copied per sandbox. */
import { open } from 'node:fs/promises';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { runProcess } from '../base/process.ts';
import { makeOnce } from './make-once.ts';

/**
 * No journal: the disk lives as long as one sandbox, there is no crash to recover from. Tables are initialised as they
 * are used, so that a fresh disk takes a few megabytes. Nothing is reserved for root: the size is the limit.
 */
const FORMAT = [
  '-q',
  '-F',
  '-m',
  '0',
  '-O',
  '^has_journal',
  '-E',
  'lazy_itable_init=1,lazy_journal_init=1,nodiscard',
];
const FORMAT_ID = 1;
const PROGRAM_PATH = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/** Makes a scratch disk of the size at `file`, which must not exist. Takes milliseconds once a size was used before. */
export async function makeScratchDisk(
  cacheDir: HostPath,
  file: HostPath,
  bytes: number,
  signal?: AbortSignal,
): Promise<void> {
  const template = `${cacheDir}/scratch/${FORMAT_ID}-${bytes}.ext4` as HostPath;
  await makeOnce(template, (temporary) => formatDisk(temporary, bytes), signal);
  await copySparse(template, file, signal);
}

async function formatDisk(file: HostPath, bytes: number): Promise<void> {
  const handle = await open(file, 'wx', 0o600);
  try {
    await handle.truncate(bytes);
  } finally {
    await handle.close();
  }
  await runOrFail('mkfs.ext4', [...FORMAT, file]);
}

/** Copies a file with its holes, sharing its blocks where the file system can. The copy is private to the user. */
export async function copySparse(from: HostPath, to: HostPath, signal?: AbortSignal): Promise<void> {
  await runOrFail('cp', ['--sparse=auto', '--reflink=auto', '--no-preserve=all', '--', from, to], signal);
}

async function runOrFail(program: string, args: string[], signal?: AbortSignal): Promise<void> {
  const result = await runProcess(program, args, {
    env: PROGRAM_PATH,
    timeoutMs: 120_000,
    ...(signal === undefined ? {} : { signal }),
  });
  if (result.exitCode === 0) return;
  const isFull = result.stderr.includes('No space left');
  throw new SafeCoderError(
    isFull ? 'environment/disk-full' : 'image/build-failed',
    `${program} failed: ${result.stderr.trim().split('\n').at(-1) ?? ''}`,
    { hint: isFull ? 'Make room on the disk that holds the cache.' : 'Run "safe-coder doctor".' },
  );
}
