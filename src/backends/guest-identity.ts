/** Who and what a guest is to itself: its name, its users, where they are at home. Nothing of the host's own names. */
import { randomBytes } from 'node:crypto';
import type { LaunchSpec } from './backend.ts';

export interface GuestUser {
  name: string;
  home: string;
}

/** Who executions run as, by name, and where they are at home. The host's own names stay on the host. */
export function guestUser(uid: number): GuestUser {
  return uid === 0 ? { name: 'root', home: '/root' } : { name: 'user', home: '/home/user' };
}

export function guestHostname({ id }: Pick<LaunchSpec, 'id'>): string {
  const plain = id.replace(/[^A-Za-z0-9]/g, '').slice(0, 8);
  return `sandbox-${plain.toLowerCase()}`;
}

/** The files by which programs in a guest know its users and itself. */
export function identityFiles(
  spec: Pick<LaunchSpec, 'id' | 'uid' | 'gid'>,
): { path: string; text: string }[] {
  const user = guestUser(spec.uid);
  const hostname = guestHostname(spec);
  return [
    { path: '/etc/passwd', text: passwdText(spec, user) },
    { path: '/etc/group', text: groupText(spec, user) },
    { path: '/etc/hostname', text: `${hostname}\n` },
    { path: '/etc/hosts', text: `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost\n` },
    { path: '/etc/machine-id', text: `${randomBytes(16).toString('hex')}\n` },
  ];
}

/** Debian's own, by name and numbers, the same on every machine: installing packages needs some of them. */
const SYSTEM_USERS: [string, number, number][] = [
  ['daemon', 1, 1],
  ['bin', 2, 2],
  ['sys', 3, 3],
  ['games', 5, 60],
  ['man', 6, 12],
  ['mail', 8, 8],
  ['proxy', 13, 13],
  ['www-data', 33, 33],
  ['backup', 34, 34],
  ['_apt', 42, 65_534],
  ['nobody', 65_534, 65_534],
];
const SYSTEM_GROUPS: [string, number][] = [
  ['daemon', 1],
  ['bin', 2],
  ['sys', 3],
  ['adm', 4],
  ['tty', 5],
  ['disk', 6],
  ['mail', 8],
  ['man', 12],
  ['proxy', 13],
  ['utmp', 43],
  ['sudo', 27],
  ['www-data', 33],
  ['backup', 34],
  ['shadow', 42],
  ['staff', 50],
  ['games', 60],
  ['users', 100],
  ['nogroup', 65_534],
];

function passwdText(spec: Pick<LaunchSpec, 'uid' | 'gid'>, user: GuestUser): string {
  const lines = [
    'root:x:0:0:root:/root:/bin/bash',
    ...SYSTEM_USERS.map(([name, uid, gid]) => `${name}:x:${uid}:${gid}::/nonexistent:/usr/sbin/nologin`),
  ];
  if (spec.uid !== 0) lines.unshift(`${user.name}:x:${spec.uid}:${spec.gid}::${user.home}:/bin/bash`);
  return `${lines.join('\n')}\n`;
}

function groupText(spec: Pick<LaunchSpec, 'uid' | 'gid'>, user: GuestUser): string {
  const lines = ['root:x:0:', ...SYSTEM_GROUPS.map(([name, gid]) => `${name}:x:${gid}:`)];
  if (spec.gid !== 0) lines.unshift(`${user.name}:x:${spec.gid}:`);
  return `${lines.join('\n')}\n`;
}
