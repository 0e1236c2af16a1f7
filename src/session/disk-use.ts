/** How much disk folders of ours take. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';

/** Bytes that a file, or the files below a folder, occupy; follows no symlink; what vanishes meanwhile counts nothing. */
export function sizeOnDisk(path: HostPath): number {
  let total = 0;
  const waiting: string[] = [path];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    try {
      const stat = lstatSync(next);
      total += stat.blocks * 512;
      if (stat.isDirectory()) for (const name of readdirSync(next)) waiting.push(join(next, name));
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error;
    }
  }
  return total;
}

/** What lies in a folder, with sizes, largest first; nothing where there is no folder. */
export function sizesIn(folder: HostPath): { name: string; path: HostPath; bytes: number }[] {
  let names: string[] = [];
  try {
    names = readdirSync(folder);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  return names
    .map((name) => {
      const path = join(folder, name) as HostPath;
      return { name, path, bytes: sizeOnDisk(path) };
    })
    .sort((a, b) => b.bytes - a.bytes);
}
