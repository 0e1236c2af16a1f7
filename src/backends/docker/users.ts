/** Who executions run as in an image that has users of its own. */
import type { LaunchSpec } from '../backend.ts';
import { type GuestUser, guestUser } from '../guest-identity.ts';

export interface ImageUsers {
  user: GuestUser;
  /** The image's files with the user and the group in them; undefined where they already were. */
  passwd: string | undefined;
  group: string | undefined;
}

/** The user of these ids by the image's own name, or added under a free one. The texts are the image's, or empty. */
export function usersOf(
  passwd: string,
  group: string,
  { uid, gid }: Pick<LaunchSpec, 'uid' | 'gid'>,
): ImageUsers {
  const users = rowsOf(passwd);
  const groups = rowsOf(group);
  const known = users.find((row) => row[2] === String(uid));
  const plain = guestUser(uid);
  const name = known?.[0] ?? freeName(plain.name, users, uid);
  const home = known?.[5]?.startsWith('/') ? known[5] : plain.home;
  const hasGroup = groups.some((row) => row[2] === String(gid));
  return {
    user: { name, home },
    passwd: known ? undefined : `${ended(passwd)}${name}:x:${uid}:${gid}::${home}:/bin/sh\n`,
    group: hasGroup ? undefined : `${ended(group)}${freeName(plain.name, groups, gid)}:x:${gid}:\n`,
  };
}

function rowsOf(text: string): string[][] {
  return text.split('\n').map((line) => line.split(':'));
}

function freeName(name: string, rows: string[][], id: number): string {
  return rows.some((row) => row[0] === name) ? `${name}${id}` : name;
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
