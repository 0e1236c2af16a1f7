/** How much disk folders of ours take. */
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';

/** Bytes that the files below a folder occupy; follows no symlink; what vanishes meanwhile counts nothing. */
export function sizeOnDisk(folder: HostPath): number {
  let total = 0;
  const waiting: string[] = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    try {
      for (const entry of readdirSync(next, { withFileTypes: true })) {
        const path = join(next, entry.name);
        if (entry.isDirectory()) waiting.push(path);
        else total += lstatSync(path).blocks * 512;
      }
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return total;
}
