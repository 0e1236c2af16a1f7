/**
 * Copy-in: the project goes into an image (or a stream of entries) for the guest, and into the ledger as blobs, in one
 * pass that reads each file once. What the guest starts with, what the ledger holds and what the ids name are the same
 * bytes, even if the host's files change meanwhile. The project is only ever read.
 */
import { rmSync, unlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { SafeCoderError } from '../base/errors.ts';
import { throwIfCancelled } from '../base/lifetime.ts';
import { encodePath, type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { UnpackEntry } from '../guest/guest.ts';
import { BlockStream } from '../image/block-stream.ts';
import { ErofsWriter, type OpenDirectory } from '../image/erofs.ts';
import { type BaseSnapshot, SnapshotBuilder, toRelPath } from './base-snapshot.ts';
import { describeFolder, findBiggestFolders, formatBytes } from './biggest-folders.ts';
import { type CopyInLimits, DEFAULT_LIMITS } from './limits.ts';
import type { Project } from './project.ts';
import { toBytePath } from './project-git.ts';
import { Scan } from './scan.ts';
import type { ScanItem } from './scan-item.ts';

export type { BaseFile, BaseSnapshot } from './base-snapshot.ts';
export { type CopyInLimits, DEFAULT_LIMITS } from './limits.ts';
export { openProject, type Project } from './project.ts';
export type { SkipReason } from './walk.ts';

/** Where blobs go: the ledger, behind an interface because floors don't look sideways. */
export interface BlobTarget {
  readonly objectFormat: 'sha1' | 'sha256';
  /** Whether these bytes need not be written: already there, or borrowed from the project's own objects. */
  has(oid: string): boolean;
  /** Takes a blob's bytes. The chunks may be read once, and are only valid until this returns or its promise settles. */
  write(oid: string, size: number, chunks: Iterable<Uint8Array>): void | Promise<void>;
}

export interface CopyInProgress {
  entries: number;
  bytes: number;
}

export interface CopyInOptions {
  blobs: BlobTarget;
  /** Withheld files, or folders with such, that the user lets in. */
  shared?: readonly RelPath[];
  limits?: Partial<CopyInLimits>;
  signal?: AbortSignal;
  /** Called some hundred times a second at most. */
  onProgress?: (progress: CopyInProgress) => void;
}

export interface ImageOptions extends CopyInOptions {
  /** The image to make; must not exist. The caller owns it; after a failure it is gone. */
  imageFile: HostPath;
  /** Whose everything is in the guest. */
  owner: { uid: number; gid: number };
}

/** How long the event loop may be kept from others: a virtual machine boots meanwhile. */
const TURN_MS = 10;

/**
 * Copies the project into an EROFS image and its blobs into the ledger. Throws `workspace/too-large`,
 * `environment/disk-full`, `cancelled`, and what the blob target throws.
 */
export async function copyIn(
  project: Project,
  options: ImageOptions,
): Promise<{ snapshot: BaseSnapshot; imageBytes: number }> {
  using writer = ErofsWriter.create(options.imageFile, options.owner);
  try {
    const pass = new Pass(project, writer.content, options);
    let directory: OpenDirectory | undefined;
    let root: OpenDirectory | undefined;
    for (const item of pass.items()) {
      const waiting = pass.take(item);
      if (waiting !== undefined) await waiting;
      if (item.kind === 'enter') {
        directory = directory ? writer.openDirectory(directory, item.name, item) : writer.openRoot(item);
        root ??= directory;
      } else if (item.kind === 'leave' && directory) {
        writer.closeDirectory(directory);
        directory = directory.parent;
      } else if (item.kind === 'file' && directory) {
        writer.addFile(directory, item.name, item, item.extent);
      } else if (item.kind === 'symlink' && directory) {
        writer.addSymlink(directory, item.name, item.mtimeNs, item.target);
      }
      if (pass.isTurnOver) await pass.endTurn();
    }
    const snapshot = await pass.finish();
    if (root === undefined) throw new SafeCoderError('bug', 'The walk of the project never began.');
    return { snapshot, imageBytes: writer.finish(root) };
  } catch (error) {
    rmSync(encodePath(options.imageFile), { force: true });
    throw error;
  }
}

export interface StreamOptions extends CopyInOptions {
  /** A file that must not exist, for the content of one large file at a time. Gone when the pass is over. */
  spoolFile: HostPath;
}

/**
 * The same pass for a backend that takes no image: read `entries` to their end (parents first, in order; each entry's
 * content before the next entry), then take the snapshot. Failures come out of `entries`.
 */
export class EntryStream {
  readonly #project: Project;
  readonly #options: StreamOptions;
  #snapshot: BaseSnapshot | undefined;

  constructor(project: Project, options: StreamOptions) {
    this.#project = project;
    this.#options = options;
  }

  /** May be read once. */
  async *entries(): AsyncGenerator<UnpackEntry> {
    const { spoolFile } = this.#options;
    using spool = BlockStream.create(spoolFile, 0);
    unlinkSync(encodePath(spoolFile));
    const pass = new Pass(this.#project, spool, this.#options);
    for (const item of pass.items()) {
      const waiting = pass.take(item);
      if (waiting !== undefined) await waiting;
      const entry = toEntry(item, spool);
      if (entry !== undefined) yield entry;
      if (item.kind === 'file') spool.rewind(0);
      if (pass.isTurnOver) await pass.endTurn();
    }
    this.#snapshot = await pass.finish();
  }

  /** What was copied. Throws before `entries` came to their end. */
  get snapshot(): BaseSnapshot {
    if (this.#snapshot === undefined) throw new SafeCoderError('bug', 'Copy-in is not over yet.');
    return this.#snapshot;
  }
}

function toEntry(item: ScanItem, spool: BlockStream): UnpackEntry | undefined {
  if (item.kind === 'enter' && item.path !== '') {
    return { kind: 'directory', path: toRelPath(item.path), mode: item.mode, mtimeNs: item.mtimeNs };
  }
  if (item.kind === 'symlink') {
    const { mode, mtimeNs } = item;
    const target = toRelPath(item.target.toString('latin1'));
    return { kind: 'symlink', path: toRelPath(item.path), mode, mtimeNs, target };
  }
  if (item.kind !== 'file') return undefined;
  const content = item.bytes ? [Buffer.from(item.bytes)] : spool.read(item.extent);
  return { kind: 'file', path: toRelPath(item.path), mode: item.mode, mtimeNs: item.mtimeNs, content };
}

/** What both ways of copying share: the scan, the snapshot, the blobs, and taking turns with others. */
class Pass {
  readonly #project: Project;
  readonly #stream: BlockStream;
  readonly #options: CopyInOptions;
  readonly #limits: CopyInLimits;
  readonly #scan: Scan;
  readonly #builder: SnapshotBuilder;
  #turnEnds = performance.now() + TURN_MS;

  constructor(project: Project, stream: BlockStream, options: CopyInOptions) {
    this.#project = project;
    this.#stream = stream;
    this.#options = options;
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.#builder = new SnapshotBuilder(project);
    this.#scan = new Scan(project, {
      stream,
      shared: new Set(options.shared?.map(toBytePath)),
      objectFormat: options.blobs.objectFormat,
      limits: this.#limits,
    });
  }

  items(): Generator<ScanItem> {
    throwIfCancelled(this.#options.signal);
    return this.#scan.items();
  }

  /** Notes an item and hands its blob on; a promise when the blob target wants time. */
  take(item: ScanItem): void | Promise<void> {
    this.#builder.add(item);
    const { blobs } = this.#options;
    if (item.kind === 'symlink' && item.oid !== undefined && !blobs.has(item.oid)) {
      return blobs.write(item.oid, item.target.length, [item.target]);
    }
    if (item.kind === 'file' && item.oid !== undefined && !blobs.has(item.oid)) {
      return blobs.write(item.oid, item.size, item.bytes ? [item.bytes] : this.#stream.read(item.extent));
    }
    return undefined;
  }

  get isTurnOver(): boolean {
    return performance.now() >= this.#turnEnds;
  }

  /** Tells how far it is, and lets the event loop run. */
  async endTurn(): Promise<void> {
    this.#options.onProgress?.({ entries: this.#scan.entries, bytes: this.#scan.bytes });
    await nextTurn();
    throwIfCancelled(this.#options.signal);
    this.#turnEnds = performance.now() + TURN_MS;
  }

  /** The snapshot, or the error that the project is too large. */
  async finish(): Promise<BaseSnapshot> {
    if (this.#scan.isTooLarge) throw await this.#tooLarge();
    this.#options.onProgress?.({ entries: this.#scan.entries, bytes: this.#scan.bytes });
    return this.#builder.finish(this.#scan);
  }

  async #tooLarge(): Promise<SafeCoderError> {
    const { maxEntries, maxBytes } = this.#limits;
    const folders = await findBiggestFolders(this.#project, this.#options.signal);
    const biggest = folders.slice(0, 3).map(describeFolder).join(', ');
    const limit = `${maxEntries.toLocaleString('en-US')} files or ${formatBytes(maxBytes)}`;
    return new SafeCoderError(
      'workspace/too-large',
      `${showPath(this.#project.root)} holds more than ${limit}. Biggest: ${biggest}.`,
      {
        hint: 'Start in a smaller folder with --path DIR, or move big folders out of the project.',
        details: { folders: folders.slice(0, 10), maxEntries, maxBytes },
      },
    );
  }
}
