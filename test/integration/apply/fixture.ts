/** Projects, plans and an in-memory ledger for the tests of apply. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { ApplyOptions } from '../../../src/apply/apply.ts';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import type { FileMode } from '../../../src/diff/change-set.ts';
import type { PlanItem } from '../../../src/review/apply-plan.ts';
import { temporaryFolder } from '../../support/temp.ts';

/** A file is its text; `{ run }` is an executable one, `{ link }` a symlink. */
export type Entry = string | { run: string } | { link: string };
export type Tree = Record<string, Entry>;

export function bytesOf(entry: Entry): Buffer {
  if (typeof entry === 'string') return Buffer.from(entry);
  return Buffer.from('run' in entry ? entry.run : entry.link);
}

export function modeOf(entry: Entry): FileMode {
  if (typeof entry === 'string') return '100644';
  return 'run' in entry ? '100755' : '120000';
}

export function oidOf(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function writeTree(root: string, tree: Tree): void {
  for (const [path, entry] of Object.entries(tree)) {
    const full = join(root, path);
    mkdirSync(dirname(full), { recursive: true });
    if (typeof entry === 'string') writeFileSync(full, entry);
    else if ('link' in entry) symlinkSync(entry.link, full);
    else {
      writeFileSync(full, entry.run);
      chmodSync(full, 0o755);
    }
  }
}

/** Everything below a folder, empty folders (as `path/`) included. */
export function readTree(root: string, below = ''): Tree {
  const tree: Tree = {};
  for (const name of readdirSync(join(root, below)).sort()) {
    const path = below === '' ? name : `${below}/${name}`;
    const stat = lstatSync(join(root, path));
    if (stat.isDirectory()) {
      const inner = readTree(root, path);
      if (Object.keys(inner).length === 0) tree[`${path}/`] = '';
      Object.assign(tree, inner);
    } else if (stat.isSymbolicLink()) tree[path] = { link: readlinkSync(join(root, path)) };
    else if (!stat.isFile()) tree[path] = '<special>';
    else {
      const text = readFileSync(join(root, path), 'utf8');
      tree[path] = (stat.mode & 0o100) !== 0 ? { run: text } : text;
    }
  }
  return tree;
}

/** The items that turn one tree into another. Renames may be named as `from → to`. */
export function planItems(before: Tree, after: Tree, renames: Record<string, string> = {}): PlanItem[] {
  const groups = new Map(
    Object.entries(renames).flatMap(
      ([from, to]) =>
        [
          [from, to],
          [to, to],
        ] as const,
    ),
  );
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return paths.flatMap((path) => {
    const [old, next] = [before[path], after[path]];
    if (JSON.stringify(old) === JSON.stringify(next)) return [];
    const item: PlanItem = { path: path as RelPath };
    if (old !== undefined) item.before = { mode: modeOf(old), oid: oidOf(bytesOf(old)) };
    if (next !== undefined) {
      item.after = { mode: modeOf(next), oid: oidOf(bytesOf(next)), sha256: sha256Of(bytesOf(next)) };
    }
    const group = groups.get(path);
    if (group !== undefined) item.group = group;
    return [item];
  });
}

/** Serves the blobs of these trees. */
export function blobsOf(...trees: Tree[]): (oid: string) => Promise<Buffer> {
  const blobs = new Map(trees.flatMap((t) => Object.values(t).map((e) => [oidOf(bytesOf(e)), bytesOf(e)])));
  return async (oid) => {
    const bytes = blobs.get(oid);
    if (bytes === undefined) throw new Error(`no blob ${oid}`);
    return bytes;
  };
}

export interface Project extends Omit<ApplyOptions, 'plan'> {
  /** The folder that holds the project, its state and nothing else. */
  folder: HostPath;
}

/** A project with this tree, and all that apply wants to know except the plan. */
export function makeProject(tree: Tree, ...more: Tree[]): Project {
  const folder = temporaryFolder();
  const root = join(folder, 'project') as HostPath;
  mkdirSync(root);
  writeTree(root, tree);
  return {
    folder,
    root,
    stateDir: join(folder, 'state') as HostPath,
    session: 'session1',
    objectFormat: 'sha1',
    readBlob: blobsOf(tree, ...more),
  };
}
