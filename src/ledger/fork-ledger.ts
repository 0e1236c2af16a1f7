/** A ledger that begins with the objects of another one. They are shared by hard links, so that either may be deleted. */
import { copyFileSync, linkSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { syncFolder, writeFailure } from '../git/durable.ts';
import { TEMPORARY_PREFIX } from '../git/pack-writer.ts';
import { createLayout } from './layout.ts';
import { type LedgerWriter, openLedgerWriter } from './writer.ts';
import type { CreateOptions } from './writer-options.ts';

/** A writer may be merging the origin's packs: what was there a moment ago is then in another one. */
const ATTEMPTS = 5;

/**
 * Makes a new ledger, without an entry yet, that has every object of the ledger in `origin`, whatever becomes of that one.
 * What the origin borrows is borrowed as well, until {@link LedgerWriter.settle}. Throws `ledger/write-failed`.
 */
export async function forkLedger(origin: HostPath, options: CreateOptions): Promise<LedgerWriter> {
  await createLayout(options.dir, options);
  try {
    for (let attempt = 1; !linkPacks(origin, options.dir); attempt++) {
      if (attempt === ATTEMPTS) throw new Error('its packs keep changing');
    }
    copyAlternates(origin, options.dir);
    await syncFolder(join(options.dir, 'objects/pack'));
  } catch (error) {
    throw writeFailure(error, 'the objects of the ledger it is forked from');
  }
  return openLedgerWriter(options.dir, options);
}

/** False when a pack went away meanwhile. */
function linkPacks(origin: HostPath, dir: HostPath): boolean {
  const from = join(origin, 'objects/pack');
  const to = join(dir, 'objects/pack');
  const names = readdirSync(from).filter((name) => !name.startsWith(TEMPORARY_PREFIX));
  // An index comes after its pack: alone it would name objects that are not there.
  for (const name of names.sort((a, b) => Number(a.endsWith('.idx')) - Number(b.endsWith('.idx')))) {
    try {
      linkSync(join(from, name), join(to, name));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return false;
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
  return true;
}

function copyAlternates(origin: HostPath, dir: HostPath): void {
  try {
    copyFileSync(join(origin, 'objects/info/alternates'), join(dir, 'objects/info/alternates'));
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}
