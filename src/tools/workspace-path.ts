/**
 * Where a path that a model named leads. File tools stay inside the workspace, judged by the canonical path that the
 * guest reports after following every symlink; what the guest claims here can only mislead it about itself.
 */
import { posix } from 'node:path';
import { type RelPath, relPathFault, showPath } from '../base/path-bytes.ts';
import type { GuestStat } from '../guest/guest.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { closestNames } from './closest-names.ts';
import { refuse } from './define-tool.ts';
import { explainGuestFailure, guestErrno } from './guest-failure.ts';

export interface Located {
  /** Canonical absolute path in the guest; of a missing file, where it would be. */
  path: string;
  /** For people and models: relative to the workspace, quoted when needed; absolute outside of it. */
  shown: string;
  /** Relative to the workspace; undefined for its root and for places outside. */
  relative: RelPath | undefined;
  /** Undefined when there is nothing. */
  stat: GuestStat | undefined;
}

const MAX_PATH_BYTES = 4095;

/**
 * Finds what `path` (absolute, or relative to the workspace) names. Refuses what lies or leads outside the workspace; what is
 * within `alsoIn` is let through as well.
 */
export async function locate(
  sandbox: Sandbox,
  path: string,
  options: { alsoIn?: string | undefined } = {},
): Promise<Located> {
  const absolute = toAbsolute(sandbox, path);
  const root = await canonicalWorkspace(sandbox);
  const found = await canonicalise(sandbox, absolute);
  if (isWithin(root, found.path)) {
    const relative = found.path === root ? '' : found.path.slice(root.length + 1);
    return {
      ...found,
      shown: relative === '' ? '.' : showPath(relative),
      relative: relPathFault(relative) === undefined ? (relative as RelPath) : undefined,
    };
  }
  if (options.alsoIn !== undefined && isWithin(options.alsoIn, found.path)) {
    return { ...found, shown: showPath(found.path), relative: undefined };
  }
  throw refuseOutside(sandbox, absolute, path);
}

function refuseOutside(sandbox: Sandbox, absolute: string, path: string): Error {
  const hint = 'The file tools work inside the workspace only; use bash for anything else in the sandbox.';
  const how = isWithin(sandbox.workspace, absolute)
    ? 'leads out of the workspace through a symbolic link'
    : 'is outside the workspace';
  return refuse(`${showPath(path)} ${how} (${showPath(sandbox.workspace)}).`, hint);
}

/** The path as an absolute, lexically normal one; refuses what can't be a path at all. */
export function toAbsolute(sandbox: Sandbox, path: string): string {
  if (path.trim() === '')
    throw refuse('The path is empty.', 'Give a path such as "src/main.ts", or "." for the workspace.');
  if (path.includes('\0')) throw refuse('The path holds a NUL byte, which no path can.');
  if (Buffer.byteLength(path) > MAX_PATH_BYTES)
    throw refuse(`The path is longer than ${MAX_PATH_BYTES} bytes.`);
  if (path === '~' || path.startsWith('~/')) {
    throw refuse(`"~" is not expanded here: ${showPath(path)}.`, 'Give a path relative to the workspace.');
  }
  return posix.resolve(sandbox.workspace, path);
}

/** Remembered per sandbox: the workspace's root does not move. */
const roots = new WeakMap<Sandbox, string>();

/** The canonical path of the workspace's root. */
export async function canonicalWorkspace(sandbox: Sandbox): Promise<string> {
  const known = roots.get(sandbox);
  if (known !== undefined) return known;
  const { canonical } = await sandbox.stat(sandbox.workspace);
  roots.set(sandbox, canonical);
  return canonical;
}

/** True when `path` is `folder` or below it; both absolute and normal. */
export function isWithin(folder: string, path: string): boolean {
  return path === folder || (path.startsWith(`${folder}/`) && posix.normalize(path) === path);
}

async function canonicalise(
  sandbox: Sandbox,
  absolute: string,
): Promise<{ path: string; stat: GuestStat | undefined }> {
  try {
    const { canonical, stat } = await sandbox.stat(absolute);
    return { path: canonical, stat };
  } catch (error) {
    if (guestErrno(error) !== 'ENOENT')
      throw explainGuestFailure(error, `Can't look at ${showPath(absolute)}`);
  }
  await refuseDanglingLink(sandbox, absolute);
  const parent = posix.dirname(absolute);
  if (parent === absolute) throw refuse(`${showPath(absolute)} does not exist.`);
  const above = await canonicalise(sandbox, parent);
  if (above.stat !== undefined && above.stat.kind !== 'directory') {
    throw refuse(`${showPath(parent)} is not a directory, so ${showPath(absolute)} can't exist.`);
  }
  return { path: posix.join(above.path, posix.basename(absolute)), stat: undefined };
}

/** A link to nothing would be followed by a write, to a place that nobody checked. */
async function refuseDanglingLink(sandbox: Sandbox, absolute: string): Promise<void> {
  let target: string | undefined;
  try {
    ({ target } = await sandbox.stat(absolute, { noFollow: true }));
  } catch (error) {
    if (guestErrno(error) === 'ENOENT') return;
    throw explainGuestFailure(error, `Can't look at ${showPath(absolute)}`);
  }
  throw refuse(
    `${showPath(absolute)} is a symbolic link to ${showPath(target ?? '')}, which does not exist.`,
    'Remove the link with bash, or name its target.',
  );
}

/** A refusal for a path that names nothing, with the names beside it that come closest. */
export async function refuseMissing(sandbox: Sandbox, located: Located): Promise<Error> {
  const near = await nearNames(sandbox, located);
  const hint =
    near.length > 0
      ? `Did you mean ${near.join(', ')}?`
      : 'Find it with the glob tool; paths are relative to the workspace.';
  return refuse(`${located.shown} does not exist.`, hint);
}

async function nearNames(sandbox: Sandbox, located: Located): Promise<string[]> {
  const parent = posix.dirname(located.path);
  try {
    const { entries } = await sandbox.list(parent, 2000);
    const root = await canonicalWorkspace(sandbox);
    return closestNames(
      posix.basename(located.path),
      entries.map((entry) => entry.name),
    ).map((name) => {
      const full = posix.join(parent, name);
      return showPath(isWithin(root, full) && full !== root ? full.slice(root.length + 1) : full);
    });
  } catch (error) {
    // The parent is missing too or can't be listed: there is nothing to suggest.
    if (guestErrno(error) !== undefined) return [];
    throw error;
  }
}
