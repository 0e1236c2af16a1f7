/** One pack an entry adds up: the small ones are put together now and then, so that looking up an object stays quick. */
import { rmSync } from 'node:fs';
import { isSafeCoderError } from '../base/errors.ts';
import { syncFolder } from '../git/durable.ts';
import type { ObjectStore } from '../git/object-store.ts';
import type { PackFile } from '../git/pack-file.ts';
import { PackWriter } from '../git/pack-writer.ts';

/** So many small packs become one. */
const MERGE_COUNT = 48;
const SMALL_BYTES = 1 << 20;

/**
 * Merges small packs when there are enough of them; returns how many went into one. The new pack is on the disk before an old one
 * goes. A merge that can't be written is put off: every object is still where it was.
 */
export async function mergeSmallPacks(store: ObjectStore, options: { sync: boolean }): Promise<number> {
  const small = store.packs.filter((pack) => pack.bytes < SMALL_BYTES);
  if (small.length < MERGE_COUNT) return 0;
  const ours = small.filter((pack) => !pack.hasDeltas());
  if (ours.length < 2) return 0;
  using merged = new PackWriter({ format: store.format, folder: store.packFolder, isKnown: () => false });
  try {
    for (const pack of ours) copyEntries(pack, merged);
    const installed = await merged.install(options);
    store.adopt(installed);
    await removePacks(
      ours.filter((pack) => pack.stem !== installed.stem),
      store,
      options,
    );
    return ours.length;
  } catch (error) {
    // Most likely the disk is full. The entry that came before is safe, and the next one tries again.
    if (isSafeCoderError(error, 'ledger/write-failed')) return 0;
    throw error;
  }
}

function copyEntries(pack: PackFile, merged: PackWriter): void {
  for (const { oid, crc, start, end } of pack.entries()) merged.addRaw(oid, crc, pack.readRaw(start, end));
}

async function removePacks(
  packs: readonly PackFile[],
  store: ObjectStore,
  options: { sync: boolean },
): Promise<void> {
  for (const pack of packs) {
    // The index first: without it a pack is nothing, while an index without its pack would be a fault.
    rmSync(`${pack.stem}.idx`, { force: true });
    rmSync(`${pack.stem}.pack`, { force: true });
  }
  if (options.sync) await syncFolder(store.packFolder);
  store.rescan();
}
