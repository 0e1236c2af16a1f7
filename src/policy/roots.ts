/** Which folders may be a project: none whose copy would hold a whole machine, a whole home, or credentials. */
import type { HostPath } from '../base/path-bytes.ts';

/** Folders that belong to the system; folders in them may be projects. */
const SYSTEM_FOLDERS = new Set(
  '/ /bin /boot /etc /home /lib /lib32 /lib64 /lost+found /media /mnt /nix /opt /private /root /run /sbin /snap /srv /tmp /usr /var' // one line, so that it can be read at a glance
    .concat(
      ' /usr/bin /usr/lib /usr/local /usr/sbin /usr/share /usr/src /var/cache /var/lib /var/log /var/tmp',
    )
    .concat(' /Applications /Library /System /Users /Volumes /private/tmp /private/var')
    .split(' '),
);

/** Folders of the system in which nothing is a project. */
const SYSTEM_TREES = ['/boot', '/proc', '/sys'];

/** Folders of a home in which nothing is a project: they hold credentials. */
const SECRET_TREES = [
  '.aws',
  '.azure',
  '.docker',
  '.gnupg',
  '.kube',
  '.password-store',
  '.ssh',
  '.config/gcloud',
];

/** Folders of a home that are no projects; folders in them may be. */
const HOME_FOLDERS = [
  '.cache',
  '.config',
  '.local',
  '.local/share',
  '.local/state',
  'Desktop',
  'Documents',
  'Downloads',
  'Library',
];

export interface RootsToAvoid {
  /** The user's home folder, links resolved. */
  home?: HostPath | undefined;
  /** Where Safe Coder keeps its own state, links resolved. */
  stateFolders: readonly HostPath[];
}

/** Why this folder (links resolved) may not be a project, as the end of a sentence that begins with its name; or undefined. */
export function unsafeRootReason(root: HostPath, avoid: RootsToAvoid): string | undefined {
  if (root === '/') return 'is the whole file system';
  if (SYSTEM_FOLDERS.has(root) || SYSTEM_TREES.some((tree) => isWithin(root, tree)) || isDevice(root))
    return 'is a folder of the system';
  const { home } = avoid;
  if (home !== undefined && home !== '/') {
    if (root === home) return 'is your home folder';
    if (isWithin(home, root)) return 'contains your home folder';
    if (SECRET_TREES.some((name) => isWithin(root, `${home}/${name}`))) return 'holds credentials';
    if (HOME_FOLDERS.some((name) => root === `${home}/${name}`))
      return 'is a folder for many things, not one project';
  }
  for (const state of avoid.stateFolders) {
    if (isWithin(root, state)) return "is inside Safe Coder's own state";
    if (isWithin(state, root)) return "contains Safe Coder's own state";
  }
  return undefined;
}

/** Below /dev only the memory file system holds anything that people made. */
function isDevice(root: string): boolean {
  return isWithin(root, '/dev') && !root.startsWith('/dev/shm/');
}

/** Whether `path` is `folder` or lies in it. */
function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
