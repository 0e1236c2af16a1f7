/** One pack an entry adds up: the small ones are put together now and then, so that looking up an object stays quick. */
import { rmSync } from 'node:fs';
import { isSafeCoderError } from '../base/errors.ts';
import { syncFolder } from '../git/durable.ts';
import type { ObjectStore } from '../git/object-store.ts';
import type { PackFile } from '../git/pack-file.ts';
import { PackWriter } from '../git/pack-writer.ts';

/**
 * Packs of about the same size become one of the next: an object is written a few times in all, however long the session, and
 * there are never more than some forty packs to look into. Larger packs are left alone: `gc` makes one of all.
 */
const TIERS = [
  { from: 0, below: 64 << 10, count: 16 },
  { from: 64 << 10, below: 512 << 10, count: 8 },
  { from: 512 << 10, below: 4 << 20, count: 8 },
  { from: 4 << 20, below: 32 << 20, count: 8 },
];

/**
 * Merges packs of the first tier that has enough of them; returns how many went into one. The new pack is on the disk before an
 * old one goes. A merge that can't be written is put off: every object is still where it was.
 */
export async function mergeSmallPacks(store: ObjectStore, options: { sync: boolean }): Promise<number> {
  const ours = findFullTier(store);
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

function findFullTier(store: ObjectStore): PackFile[] {
  for (const { from, below, count } of TIERS) {
    const same = store.packs.filter(({ bytes }) => bytes >= from && bytes < below);
    if (same.length < count) continue;
    const ours = same.filter((pack) => !pack.hasDeltas());
    if (ours.length >= count / 2) return ours;
  }
  return [];
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
