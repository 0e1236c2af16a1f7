/** Random trees on a real disk: written, walked, and compared to the byte. Names are bytes throughout. */
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { decodePath, encodePath } from '../../src/base/path-bytes.ts';
import type { FileMode } from '../../src/diff/change-set.ts';
import { blobId } from './memory-sink.ts';
import type { RandomTree } from './random-tree.ts';

const at = (root: string, path: string) => Buffer.concat([Buffer.from(`${root}/`), encodePath(path)]);

/** Long past, so that a file written by a test is told from one that was there. */
const LONG_AGO = 1_200_000_000;

/** Writes a tree below a folder, with permissions and times that nobody else would choose. */
export function plant(root: string, tree: RandomTree): void {
  let count = 0;
  for (const [path, file] of tree) {
    count += 1;
    const parts = path.split('/');
    for (let depth = 1; depth < parts.length; depth++) {
      mkdirSync(at(root, parts.slice(0, depth).join('/')), { recursive: true });
    }
    if (file.kind === 'symlink') symlinkSync(encodePath(file.target), at(root, path));
    else {
      writeFileSync(at(root, path), file.bytes);
      chmodSync(at(root, path), (file.executable ? 0o700 : 0o600) | (count % 3 === 0 ? 0o040 : 0o044));
    }
    lutimesSync(at(root, path), LONG_AGO + count, LONG_AGO + count);
  }
}

/** Path to `mode blob` for every file and symlink below a folder; what belongs to git is not looked at. */
export function walk(root: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const { path, full, kind, mode } of below(root)) {
    if (kind === 'directory') continue;
    const bytes = kind === 'symlink' ? readlinkSync(full, 'buffer') : readFileSync(full);
    const treeMode: FileMode = kind === 'symlink' ? '120000' : (mode & 0o100) !== 0 ? '100755' : '100644';
    found.set(path, `${treeMode} ${blobId(bytes)}`);
  }
  return sorted(found);
}

/** The same with permissions, owners and times, and with folders: equal pictures are equal folders. */
export function picture(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const contents = walk(root);
  for (const { path, full, kind } of below(root)) {
    const stat = lstatSync(full, { bigint: true });
    const time = kind === 'directory' ? '' : ` ${stat.mtimeNs / 1_000_000n}`;
    found.set(path, `${stat.mode.toString(8)} ${stat.uid}:${stat.gid}${time} ${contents.get(path) ?? kind}`);
  }
  return sorted(found);
}

/** A tree in memory as {@link walk} would find it. */
export function contentsOf(tree: RandomTree): Map<string, string> {
  return sorted(
    new Map(
      [...tree].map(([path, file]) => {
        if (file.kind === 'symlink') return [path, `120000 ${blobId(encodePath(file.target))}`];
        return [path, `${file.executable ? '100755' : '100644'} ${blobId(file.bytes)}`];
      }),
    ),
  );
}

/** What a ledger's tree holds, in the same form. */
export function contentsOfLedger(
  files: ReadonlyMap<string, { mode: string; oid: string }>,
): Map<string, string> {
  return sorted(new Map([...files].map(([path, { mode, oid }]) => [path, `${mode} ${oid}`])));
}

/** Paths that two pictures don't agree about. */
export function differing(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): string[] {
  return [...new Set([...a.keys(), ...b.keys()])].filter((path) => a.get(path) !== b.get(path)).sort();
}

interface Found {
  path: string;
  full: Buffer;
  kind: 'file' | 'directory' | 'symlink';
  mode: number;
}

function* below(root: string, prefix = ''): Generator<Found> {
  for (const name of readdirSync(at(root, prefix), { encoding: 'buffer' })) {
    const path = prefix + decodePath(name);
    if (path === '.git') continue;
    const full = at(root, path);
    const stat = lstatSync(full);
    const kind = stat.isDirectory() ? 'directory' : stat.isSymbolicLink() ? 'symlink' : 'file';
    yield { path, full, kind, mode: stat.mode };
    if (kind === 'directory') yield* below(root, `${path}/`);
  }
}

function sorted(map: Map<string, string>): Map<string, string> {
  return new Map([...map].sort(([a], [b]) => (a < b ? -1 : 1)));
}
