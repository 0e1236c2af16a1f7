/** Folders and links at the root that programs are loaded through, beside /usr. */
import { lstat, readlink } from 'node:fs/promises';
import { errnoOf } from '../base/errors.ts';

export interface RootLink {
  name: string;
  /** Undefined: a folder of its own, as on older layouts. */
  target: string | undefined;
}

/** Those of this machine, in the order in which they are made. */
export async function readRootLinks(): Promise<RootLink[]> {
  const links: RootLink[] = [];
  for (const name of ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32']) {
    try {
      const isLink = (await lstat(`/${name}`)).isSymbolicLink();
      links.push({ name, target: isLink ? await readlink(`/${name}`) : undefined });
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  return links;
}
