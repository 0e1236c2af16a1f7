/** What can't be accepted whatever the host holds: names, symlinks that lead out, names that collide. */
import { lstatSync } from 'node:fs';
import { errnoOf } from '../base/errors.ts';
import { decodePath, type RelPath, showPath } from '../base/path-bytes.ts';
import {
  collisionKey,
  findCollisions,
  MAX_PATH_BYTES,
  pathFault,
  symlinkFault,
} from '../policy/apply-path.ts';
import { filesBelow, foldersAbove } from './folders.ts';
import type { HostRoot } from './host-root.ts';
import type { Intent } from './intent.ts';

/**
 * The reasons by path. With `isRestoring`, what the user had is put back: their own symlinks and names that collide are none
 * of our business.
 */
export async function refuseNames(
  root: HostRoot,
  intents: readonly Intent[],
  removals: ReadonlySet<RelPath>,
  options: { isRestoring: boolean },
): Promise<Map<RelPath, string>> {
  const refusals = new Map<RelPath, string>();
  const seen = new Set<RelPath>();
  for (const { path, target } of intents) {
    const fault =
      pathFault(path) ??
      (seen.has(path) ? 'the plan names it twice' : undefined) ??
      (target && lengthFault(root, path));
    seen.add(path);
    if (fault !== undefined) refusals.set(path, fault);
    else if (!options.isRestoring && target?.kind === 'symlink') {
      const linkFault = symlinkFault(path, decodePath(await target.load()));
      if (linkFault !== undefined) refusals.set(path, linkFault);
    }
  }
  const puts = intents.filter((i) => i.target !== undefined).map((i) => i.path);
  const all = new Set(puts);
  for (const path of puts) {
    const above = foldersAbove(path).find((folder) => all.has(folder));
    if (above === undefined) continue;
    if (!refusals.has(path)) refusals.set(path, `${showPath(above)} would be a file, not a folder`);
    if (!refusals.has(above)) refusals.set(above, `${showPath(path)} would be below it`);
  }
  if (options.isRestoring) return refusals;
  for (const [path, other] of findCollisions(puts)) {
    if (!refusals.has(path as RelPath))
      refusals.set(path as RelPath, `its name collides with ${showPath(other)}`);
  }
  const added = intents.filter((i) => i.target !== undefined && i.expected === undefined);
  const listings = new Listings(root);
  for (const { path } of added) {
    const sibling = refusals.has(path) ? undefined : siblingLike(listings, path, removals);
    if (sibling !== undefined) refusals.set(path, `its name collides with ${showPath(sibling)}`);
  }
  return refusals;
}

/** Why the place is too narrow for the name, or undefined: file systems differ, and the project's own path counts as well. */
function lengthFault(root: HostRoot, path: RelPath): string | undefined {
  const bytes = Buffer.byteLength(root.path) + 1 + Buffer.byteLength(path);
  if (bytes > MAX_PATH_BYTES) return `its whole path would be longer than ${MAX_PATH_BYTES} bytes`;
  const isShort = path
    .split('/')
    .every((part) => Buffer.byteLength(part) <= SHORT_NAME_BYTES || fits(root, part));
  return isShort ? undefined : 'its name is too long for this file system';
}

/** Every file system that we know takes names of so many bytes; eCryptfs takes 143. */
const SHORT_NAME_BYTES = 140;

function fits(root: HostRoot, name: string): boolean {
  try {
    lstatSync(root.handle.entry(name), { throwIfNoEntry: false });
    return true;
  } catch (error) {
    return errnoOf(error) !== 'ENAMETOOLONG';
  }
}

/** Names of folders, each read and folded once. */
class Listings {
  readonly root: HostRoot;
  readonly #known = new Map<string, { names: Set<string>; byKey: Map<string, string> }>();

  constructor(root: HostRoot) {
    this.root = root;
  }

  of(folder: RelPath | ''): { names: ReadonlySet<string>; byKey: ReadonlyMap<string, string> } {
    const known = this.#known.get(folder);
    if (known !== undefined) return known;
    const listing = { names: new Set(this.root.names(folder)), byKey: new Map<string, string>() };
    for (const name of listing.names) {
      const key = collisionKey(name);
      if (!listing.byKey.has(key)) listing.byKey.set(key, name);
    }
    this.#known.set(folder, listing);
    return listing;
  }
}

/** A name beside the path, or beside a folder above it, that a file system which folds case would take for the same. */
function siblingLike(listings: Listings, path: RelPath, removals: ReadonlySet<RelPath>): string | undefined {
  const parts = path.split('/');
  for (const [depth, part] of parts.entries()) {
    const folder = parts.slice(0, depth).join('/') as RelPath | '';
    const { names, byKey } = listings.of(folder);
    if (names.has(part)) continue;
    const rival = byKey.get(collisionKey(part));
    if (rival === undefined) return undefined;
    const rivalPath = (folder === '' ? rival : `${folder}/${rival}`) as RelPath;
    if (removals.has(rivalPath) || isEmptiedBy(listings.root, rivalPath, removals)) return undefined;
    return rivalPath;
  }
  return undefined;
}

function isEmptiedBy(root: HostRoot, folder: RelPath, removals: ReadonlySet<RelPath>): boolean {
  if (root.directory(folder) === undefined) return false;
  const files = filesBelow(root, folder);
  return files.length > 0 && files.every((file) => removals.has(file));
}
