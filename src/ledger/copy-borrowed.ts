/** Copying many borrowed objects at once: git packs them, and names them anew by their bytes. */
import { closeSync, openSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isSafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { syncFile, syncFolder } from '../git/durable.ts';
import { runGit } from '../git/git-program.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import { PackIndex } from '../git/pack-index.ts';
import { TEMPORARY_PREFIX } from '../git/pack-writer.ts';

const COPY_MS = 10 * 60_000;
const NAME = `${TEMPORARY_PREFIX}settle`;

/**
 * Copies all of `oids` into one pack of the ledger's own. False when that can't be done at once, with nothing changed: some
 * are missing, or a repository that lies gave other bytes under an id. They are then copied one by one, which tells which.
 */
export async function copyBorrowed(options: {
  ledgerDir: HostPath;
  packFolder: HostPath;
  format: ObjectFormat;
  oids: readonly string[];
  sync: boolean;
}): Promise<boolean> {
  const { packFolder, ledgerDir: gitDir } = options;
  try {
    const input = Buffer.from(`${options.oids.join('\n')}\n`, 'latin1');
    // Without deltas: our own reader takes them in process.
    const how = ['--window=0', '--no-reuse-delta', '--threads=1', '-q'];
    const args = ['pack-objects', ...how, join(packFolder, NAME)];
    const packed = await runGit({ gitDir, args, input, timeoutMs: COPY_MS });
    const hash = packed.stdout.toString('latin1').trim();
    if (packed.exitCode !== 0 || !/^[0-9a-f]{40,64}$/.test(hash)) return false;
    const pack = join(packFolder, `${NAME}-${hash}.pack`);
    const index = join(packFolder, `${NAME}.idx`);
    const indexed = await runGit({ gitDir, args: ['index-pack', '-o', index, pack], timeoutMs: COPY_MS });
    if (indexed.exitCode !== 0) return false;
    const found = new PackIndex(options.format, readFileSync(index));
    if (!options.oids.every((oid) => found.has(oid))) return false;
    if (options.sync) for (const path of [pack, index]) await syncPath(path);
    renameSync(pack, join(packFolder, `pack-${hash}.pack`));
    renameSync(index, join(packFolder, `pack-${hash}.idx`));
    if (options.sync) await syncFolder(packFolder);
    return true;
  } catch (error) {
    // Too slow, or git was ended: one by one it says what is wrong, if anything is.
    if (isSafeCoderError(error, 'environment/tool-failed')) return false;
    throw error;
  } finally {
    for (const name of readdirSync(packFolder).filter((one) => one.startsWith(NAME)))
      rmSync(join(packFolder, name), { force: true });
  }
}

async function syncPath(path: string): Promise<void> {
  const fd = openSync(path, 'r');
  try {
    await syncFile(fd);
  } finally {
    closeSync(fd);
  }
}
