import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { decodePath, type HostPath } from '../../src/base/path-bytes.ts';
import {
  type BaseSnapshot,
  type BlobTarget,
  type CopyInOptions,
  copyIn,
  openProject,
} from '../../src/workspace/copy-in.ts';
import { temporaryFolder } from './temp.ts';

/** Whether images can be taken apart here; without it such tests are skipped, and say so. */
export const hasErofsTools = spawnSync('fsck.erofs', ['--version']).error === undefined;

/** A blob target in memory that checks every id against the bytes it gets. */
export class MemoryBlobs implements BlobTarget {
  readonly objectFormat: 'sha1' | 'sha256';
  readonly #blobs = new Map<string, Buffer>();

  constructor(objectFormat: 'sha1' | 'sha256' = 'sha1') {
    this.objectFormat = objectFormat;
  }

  get count(): number {
    return this.#blobs.size;
  }

  has(oid: string): boolean {
    return this.#blobs.has(oid);
  }

  write(oid: string, size: number, chunks: Iterable<Uint8Array>): void {
    const bytes = Buffer.concat([...chunks]);
    const actual = createHash(this.objectFormat).update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
    if (actual !== oid || bytes.length !== size)
      throw new Error(`blob ${oid} has other bytes than its id says`);
    this.#blobs.set(oid, bytes);
  }

  bytes(oid: string): Buffer {
    const found = this.#blobs.get(oid);
    if (found === undefined) throw new Error(`no blob ${oid}`);
    return found;
  }
}

export interface CopiedProject {
  snapshot: BaseSnapshot;
  blobs: MemoryBlobs;
  imageFile: HostPath;
  /** What the image holds, see {@link describeTree}; without {@link madeGit}. */
  tree: Map<string, string>;
  /** Paths of the empty repository that was made because the project has none. */
  madeGit: string[];
  /** The folder that the image was taken apart into. */
  extracted: string;
}

/** Copies a project into an image, checks the image, and takes it apart again. */
export async function copyProject(
  root: HostPath,
  options: Partial<CopyInOptions> & { blobs?: MemoryBlobs } = {},
): Promise<CopiedProject> {
  const folder = temporaryFolder();
  const imageFile = `${folder}/project.erofs` as HostPath;
  using project = openProject(root, { stateFolders: [] });
  const blobs = options.blobs ?? new MemoryBlobs(project.git.objectFormat);
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const { snapshot } = await copyIn(project, { ...options, imageFile, owner, blobs });
  const extracted = `${folder}/extracted`;
  extractImage(imageFile, extracted);
  const tree = describeTree(extracted);
  const madeGit = snapshot.git.kind === 'none' ? takeMadeGit(tree) : [];
  return { snapshot, blobs, imageFile, tree, madeGit, extracted };
}

/** Takes the repository that copy-in makes for a project without one out of the picture; returns its paths. */
export function takeMadeGit(tree: Map<string, unknown>): string[] {
  const made = [...tree.keys()].filter((path) => path === '.git' || path.startsWith('.git/'));
  for (const path of made) tree.delete(path);
  return made.toSorted();
}

/** Checks an image with the file system's own tool and takes it apart; throws when the tool finds a fault. */
export function extractImage(imageFile: string, folder: string): void {
  execFileSync('fsck.erofs', [`--extract=${folder}`, '--preserve', imageFile], { stdio: 'pipe' });
}

/** Everything below a folder: kind, mode, time in seconds, and content or target. */
export function describeTree(folder: string, below: Buffer = Buffer.alloc(0)): Map<string, string> {
  const found = new Map<string, string>();
  const here = Buffer.concat([Buffer.from(`${folder}/`), below]);
  for (const name of readdirSync(here, { encoding: 'buffer' })) {
    const path = below.length === 0 ? name : Buffer.concat([below, Buffer.from('/'), name]);
    const full = Buffer.concat([Buffer.from(`${folder}/`), path]);
    const stat = lstatSync(full);
    const key = decodePath(path);
    const label = `${stat.mode.toString(8)} ${Math.floor(stat.mtimeMs / 1000)}`;
    if (stat.isDirectory()) {
      found.set(key, label);
      for (const [deeper, value] of describeTree(folder, path)) found.set(deeper, value);
    } else if (stat.isSymbolicLink()) {
      found.set(key, `link ${decodePath(readlinkSync(full, { encoding: 'buffer' }))}`);
    } else {
      found.set(key, `${label} ${createHash('sha256').update(readFileSync(full)).digest('hex')}`);
    }
  }
  return found;
}
