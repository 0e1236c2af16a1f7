/** Where programs are, on the host and in guests. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';

export const SYSTEM_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
export const GUEST_PATH = `${SYSTEM_PATH}:/opt/safe-coder/bin`;

/** The program's path in a list of folders like PATH, or undefined. */
export async function findProgram(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(':').filter((part) => part.startsWith('/'))) {
    try {
      await access(`${folder}/${name}`, constants.X_OK);
      return `${folder}/${name}`;
    } catch {
      // Not in this folder: the next one is tried.
    }
  }
  return undefined;
}
