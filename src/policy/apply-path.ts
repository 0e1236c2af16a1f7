/**
 * Which names may be written to the project. Pure rules: a name from the ledger is as hostile as the guest that chose
 * it. What is refused here is refused whatever the person accepted (docs/security.md, "The way back").
 */

/** The most bytes of one component; what Linux file systems take. */
export const MAX_COMPONENT_BYTES = 255;
/** The most bytes of a whole path and of a symlink's target. */
export const MAX_PATH_BYTES = 4095;
/** The most components of a path. */
export const MAX_DEPTH = 128;
/** Folders of this prefix in the project's root hold files on their way in; see src/apply/stage.ts. */
export const STAGE_PREFIX = '.safe-coder-stage-';

/** Git's own folder, as any file system might spell it: NTFS ignores trailing dots, spaces and `:stream`, and has short names. */
const DOT_GIT = /^(?:\.git|git~\d+)[ .]*(?::.*)?$/;

/**
 * The name as the most forgiving file system would compare it: ignorable code points removed (HFS+ drops them),
 * compatibility forms unified, case folded through upper case so that every variant of a letter meets.
 */
export function foldName(name: string): string {
  return name
    .replace(/[\p{Default_Ignorable_Code_Point}\p{Cf}]/gu, '')
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase();
}

/** True for a component that some file system would take for `.git`. */
export function isDotGit(component: string): boolean {
  // NFKC turns some letters into several characters, a slash among them.
  return foldName(component)
    .split(/[/\\]/)
    .some((part) => DOT_GIT.test(part));
}

/** Why nothing may be written at this path, or undefined when its name is all right. */
export function pathFault(path: string): string | undefined {
  if (path === '') return 'the name is empty';
  if (path.startsWith('/')) return 'the name is absolute';
  if (!path.isWellFormed()) return 'the name is not valid UTF-8';
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(path)) return 'the name holds control characters';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `the name is longer than ${MAX_PATH_BYTES} bytes`;
  const parts = path.split('/');
  if (parts.length > MAX_DEPTH) return `the name is deeper than ${MAX_DEPTH} folders`;
  for (const part of parts) {
    const fault = componentFault(part);
    if (fault !== undefined) return fault;
  }
  if (parts[0]?.startsWith(STAGE_PREFIX)) return `names that begin with ${STAGE_PREFIX} belong to Safe Coder`;
  return undefined;
}

function componentFault(part: string): string | undefined {
  if (part === '') return 'the name has an empty component';
  if (part === '.' || part === '..') return `the name has a component "${part}"`;
  if (Buffer.byteLength(part) > MAX_COMPONENT_BYTES)
    return `a component is longer than ${MAX_COMPONENT_BYTES} bytes`;
  if (isDotGit(part)) return 'it is inside a .git folder';
  return undefined;
}

/**
 * Why a symlink at `path` may not point to `target`, or undefined. `..` may stand at the beginning only: after another
 * component it would be resolved from wherever that component's own symlink leads, which the text does not tell.
 */
export function symlinkFault(path: string, target: string): string | undefined {
  if (target === '') return 'the symlink has no target';
  if (target.startsWith('/')) return 'the symlink is absolute';
  if (!target.isWellFormed()) return "the symlink's target is not valid UTF-8";
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(target)) return "the symlink's target holds control characters";
  if (Buffer.byteLength(target) > MAX_PATH_BYTES)
    return `the symlink's target is longer than ${MAX_PATH_BYTES} bytes`;
  let depth = path.split('/').length - 1;
  let isDescending = false;
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (isDescending) return 'the symlink\'s target has ".." after another component';
      depth -= 1;
      if (depth < 0) return 'the symlink leaves the project';
    } else {
      if (isDotGit(part)) return 'the symlink points into a .git folder';
      isDescending = true;
    }
  }
  return undefined;
}

/** The form under which two names must not meet: some file systems fold case, some normalise. */
export function collisionKey(path: string): string {
  return path.normalize('NFC').toUpperCase().toLowerCase().normalize('NFC');
}

/**
 * Pairs of paths, or of folders above them, that differ as text and would be one file on a file system that folds case
 * or normalises. Each path that takes part is a key; its value is one that it collides with.
 */
export function findCollisions(paths: Iterable<string>): Map<string, string> {
  const spellings = new Map<string, { prefix: string; path: string }>();
  const keys = new Map<string, string>();
  const found = new Map<string, string>();
  for (const path of paths) {
    for (let end = path.indexOf('/'); ; end = path.indexOf('/', end + 1)) {
      const prefix = end < 0 ? path : path.slice(0, end);
      // Files of one folder share all but their own name.
      const key = keys.get(prefix) ?? collisionKey(prefix);
      if (end >= 0) keys.set(prefix, key);
      const seen = spellings.get(key);
      if (seen === undefined) spellings.set(key, { prefix, path });
      else if (seen.prefix !== prefix) {
        found.set(path, seen.path);
        if (!found.has(seen.path)) found.set(seen.path, path);
      }
      if (end < 0) break;
    }
  }
  return found;
}
