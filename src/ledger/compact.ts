/** Making a ledger small that nobody writes to: everything in one pack, like files as differences of one another. */
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { runGit } from '../git/git-program.ts';
import type { ReadOriginal } from './borrow.ts';
import { openLedgerWriter } from './writer.ts';

const REPACK_MS = 30 * 60_000;
const SETTINGS = ['repack.writeBitmaps=false', 'pack.threads=1', 'pack.windowMemory=256m', 'core.fsync=all'];

export interface CompactOptions {
  /** For objects still borrowed that the project's repository no longer gives. */
  originals?: ReadOriginal;
  signal?: AbortSignal;
}

/**
 * Ends a loan that a killed session left, then packs anew. A kill at any moment leaves a whole ledger: git removes the old packs
 * after the new one is on the disk. Throws `ledger/busy` while it is written to, `ledger/damaged` when something borrowed
 * is lost, `environment/tool-failed`, `cancelled`.
 */
export async function compactLedger(dir: HostPath, options: CompactOptions = {}): Promise<void> {
  await using writer = await openLedgerWriter(dir);
  if (options.originals) writer.fallBackOn(options.originals);
  await writer.settle();
  const settings = SETTINGS.flatMap((setting) => ['-c', setting]);
  const { exitCode, stderr } = await runGit({
    gitDir: dir,
    args: [...settings, 'repack', '-a', '-d', '-f', '-q', '--window=20', '--depth=20'],
    timeoutMs: REPACK_MS,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (exitCode === 0) return;
  throw new SafeCoderError(
    'environment/tool-failed',
    `git could not pack the ledger in ${dir}: ${stderr.trim().slice(-300)}`,
  );
}
