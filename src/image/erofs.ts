/**
 * Writes a read-only EROFS image in one streaming pass: content blocks as files come, each directory's blocks when it
 * is closed, then the inode table, and the superblock last, so that an image cut short is never taken for a whole one.
 */
import { createHash } from 'node:crypto';
import type { HostPath } from '../base/path-bytes.ts';
import { BLOCK_BYTES, BlockStream, type Extent, MAX_RESERVE_BYTES } from './block-stream.ts';
import {
  type DirectoryEntry,
  ENTRY_DIRECTORY,
  ENTRY_FILE,
  ENTRY_SYMLINK,
  encodeDirectory,
  encodeInode,
  encodeSuperblock,
  INODE_BYTES,
  type InodeFields,
  S_IFDIR,
  S_IFLNK,
  S_IFREG,
  SLOT_BYTES,
} from './erofs-format.ts';

export interface NodeMeta {
  /** Permission bits. */
  mode: number;
  mtimeNs: bigint;
}

/** A directory that is still being filled. Only {@link ErofsWriter} makes and reads these. */
export interface OpenDirectory {
  readonly nid: number;
  readonly parent: OpenDirectory | undefined;
  readonly meta: NodeMeta;
  readonly entries: DirectoryEntry[];
  subdirectories: number;
}

/** The table grows in pieces of this many bytes, so that growing never copies. */
const TABLE_PIECE_BYTES = 256 * 1024;

/** Names are one byte per character (latin1), at most 255 of them, unique in their directory. */
export class ErofsWriter implements Disposable {
  /** Where content goes; read into it, `keep` it, and hand the extent to {@link addFile}. */
  readonly content: BlockStream;
  readonly #owner: { uid: number; gid: number };
  readonly #table: Buffer[] = [];
  /** Length of the table so far. The first slots stay empty: node id 0 is special to some readers. */
  #tableBytes = INODE_BYTES;
  #inodes = 0;

  private constructor(content: BlockStream, owner: { uid: number; gid: number }) {
    this.content = content;
    this.#owner = owner;
  }

  /** Makes the image file, which must not exist yet. Everything in it belongs to `owner`. */
  static create(path: HostPath, owner: { uid: number; gid: number }): ErofsWriter {
    return new ErofsWriter(BlockStream.create(path, 1), owner);
  }

  /** The root; must be the first thing added. */
  openRoot(meta: NodeMeta): OpenDirectory {
    return this.#open(undefined, meta);
  }

  openDirectory(parent: OpenDirectory, name: string, meta: NodeMeta): OpenDirectory {
    const directory = this.#open(parent, meta);
    parent.entries.push({ name, nid: directory.nid, type: ENTRY_DIRECTORY });
    parent.subdirectories += 1;
    return directory;
  }

  addFile(parent: OpenDirectory, name: string, meta: NodeMeta, extent: Extent): void {
    const { offset } = this.#allocate(INODE_BYTES);
    this.#putInode(offset, { ...meta, mode: S_IFREG | meta.mode, block: extent.block, size: extent.size });
    parent.entries.push({ name, nid: offset / SLOT_BYTES, type: ENTRY_FILE });
  }

  addSymlink(parent: OpenDirectory, name: string, mtimeNs: bigint, target: Buffer): void {
    const mode = S_IFLNK | 0o777;
    const isInline = INODE_BYTES + target.length <= BLOCK_BYTES;
    const { offset, piece, at } = this.#allocate(INODE_BYTES + (isInline ? target.length : 0));
    if (isInline) {
      piece.set(target, at + INODE_BYTES);
      this.#putInode(offset, { mode, mtimeNs, block: 0, size: target.length, isInline });
    } else {
      const { block, size } = this.#append(target);
      this.#putInode(offset, { mode, mtimeNs, block, size });
    }
    parent.entries.push({ name, nid: offset / SLOT_BYTES, type: ENTRY_SYMLINK });
  }

  /** Writes a directory's entries. Everything in it was added, and every directory in it closed. */
  closeDirectory(directory: OpenDirectory): void {
    const data = encodeDirectory([
      ...directory.entries,
      { name: '.', nid: directory.nid, type: ENTRY_DIRECTORY },
      { name: '..', nid: (directory.parent ?? directory).nid, type: ENTRY_DIRECTORY },
    ]);
    directory.entries.length = 0;
    const { block } = this.#append(data);
    this.#putInode(directory.nid * SLOT_BYTES, {
      mode: S_IFDIR | directory.meta.mode,
      mtimeNs: directory.meta.mtimeNs,
      block,
      size: data.length,
      nlink: 2 + directory.subdirectories,
    });
  }

  /** Writes inode table and superblock. All directories were closed. Returns the image's size in bytes. */
  finish(root: OpenDirectory): number {
    this.content.flush();
    const metaBlock = this.content.nextBlock;
    const uuid = createHash('sha256');
    this.#table.forEach((piece, index) => {
      const used = piece.subarray(
        0,
        Math.min(TABLE_PIECE_BYTES, this.#tableBytes - index * TABLE_PIECE_BYTES),
      );
      uuid.update(used);
      this.#append(used);
    });
    const blocks = this.content.finish();
    const superblock = encodeSuperblock({
      rootNid: root.nid,
      inodes: this.#inodes,
      blocks,
      metaBlock,
      uuid: uuid.digest(),
    });
    this.content.writeAt(superblock, 0);
    return blocks * BLOCK_BYTES;
  }

  [Symbol.dispose](): void {
    this.content[Symbol.dispose]();
  }

  #open(parent: OpenDirectory | undefined, meta: NodeMeta): OpenDirectory {
    const { offset } = this.#allocate(INODE_BYTES);
    return { nid: offset / SLOT_BYTES, parent, meta, entries: [], subdirectories: 0 };
  }

  /** Room in the table that lies within one block, as inodes with inline content must. */
  #allocate(bytes: number): { offset: number; piece: Buffer; at: number } {
    const left = BLOCK_BYTES - (this.#tableBytes % BLOCK_BYTES);
    if (bytes > left) this.#tableBytes += left;
    const offset = this.#tableBytes;
    this.#tableBytes += Math.ceil(bytes / SLOT_BYTES) * SLOT_BYTES;
    this.#inodes += 1;
    return { offset, ...this.#locate(offset) };
  }

  #locate(offset: number): { piece: Buffer; at: number } {
    const index = Math.floor(offset / TABLE_PIECE_BYTES);
    const piece = this.#table[index] ?? Buffer.alloc(TABLE_PIECE_BYTES);
    this.#table[index] = piece;
    return { piece, at: offset % TABLE_PIECE_BYTES };
  }

  #putInode(
    offset: number,
    fields: Pick<InodeFields, 'mode' | 'size' | 'block' | 'mtimeNs'> & Partial<InodeFields>,
  ): void {
    const { piece, at } = this.#locate(offset);
    const ino = offset / SLOT_BYTES;
    encodeInode(piece, at, { nlink: 1, isInline: false, ino, ...this.#owner, ...fields });
  }

  #append(bytes: Buffer): Extent {
    const block = this.content.nextBlock;
    for (let done = 0; done < bytes.length; ) {
      const size = Math.min(MAX_RESERVE_BYTES, bytes.length - done);
      const at = this.content.reserve(size);
      bytes.copy(this.content.buffer, at, done, done + size);
      this.content.keep(size);
      done += size;
    }
    return { block, size: bytes.length };
  }
}
