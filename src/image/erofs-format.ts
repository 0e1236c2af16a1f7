/**
 * The on-disk structures of EROFS that our images use: extended inodes, uncompressed data, no attributes. Layout after
 * the Linux kernel's documentation of EROFS (Documentation/filesystems/erofs.rst) and checked against Linux 6.1's limits:
 * 4096-byte blocks only, and no feature bit that it does not know.
 */
import { BLOCK_BYTES } from './block-stream.ts';

export const SUPERBLOCK_OFFSET = 1024;
export const INODE_BYTES = 64;
/** An inode's number ("nid") is its offset in the metadata area in units of this. */
export const SLOT_BYTES = 32;

const MAGIC = 0xe0f5e1e2;
const BLOCK_BITS = 12;

/** Type bits of a mode, as stat(2) has them. */
export const S_IFREG = 0o100000;
export const S_IFDIR = 0o040000;
export const S_IFLNK = 0o120000;

/** File types as directory entries tell them. */
export const ENTRY_FILE = 1;
export const ENTRY_DIRECTORY = 2;
export const ENTRY_SYMLINK = 7;

export interface InodeFields {
  /** Type and permission bits. */
  mode: number;
  size: number;
  uid: number;
  gid: number;
  mtimeNs: bigint;
  nlink: number;
  /** First data block; 0 when the content follows the inode. */
  block: number;
  /** Whether the content follows the inode, in the same block. */
  isInline: boolean;
  /** What stat(2) will tell. */
  ino: number;
}

const NS_PER_SECOND = 1_000_000_000n;

/** Writes an extended inode at `at`; the bytes there must be zero. */
export function encodeInode(into: Buffer, at: number, inode: InodeFields): void {
  const layout = inode.isInline ? 2 : 0;
  // A time before 1970 would be a negative number in an unsigned field for some readers: the epoch is near enough.
  const mtimeNs = inode.mtimeNs < 0n ? 0n : inode.mtimeNs;
  into.writeUInt16LE(1 | (layout << 1), at);
  into.writeUInt16LE(inode.mode, at + 4);
  into.writeUInt32LE(inode.size >>> 0, at + 8);
  into.writeUInt32LE(Math.floor(inode.size / 2 ** 32), at + 12);
  into.writeUInt32LE(inode.block, at + 16);
  into.writeUInt32LE(inode.ino, at + 20);
  into.writeUInt32LE(inode.uid, at + 24);
  into.writeUInt32LE(inode.gid, at + 28);
  into.writeBigUInt64LE(mtimeNs / NS_PER_SECOND, at + 32);
  into.writeUInt32LE(Number(mtimeNs % NS_PER_SECOND), at + 40);
  into.writeUInt32LE(inode.nlink, at + 44);
}

export interface SuperblockFields {
  rootNid: number;
  inodes: number;
  blocks: number;
  /** Block at which the metadata area begins. */
  metaBlock: number;
  uuid: Uint8Array;
}

/** The first block of an image. */
export function encodeSuperblock(fields: SuperblockFields): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const at = SUPERBLOCK_OFFSET;
  block.writeUInt32LE(MAGIC, at);
  block.writeUInt8(BLOCK_BITS, at + 12);
  block.writeUInt16LE(fields.rootNid, at + 14);
  block.writeBigUInt64LE(BigInt(fields.inodes), at + 16);
  block.writeUInt32LE(fields.blocks, at + 36);
  block.writeUInt32LE(fields.metaBlock, at + 40);
  block.set(fields.uuid.subarray(0, 16), at + 48);
  return block;
}

export interface DirectoryEntry {
  /** One byte per character. */
  name: string;
  nid: number;
  type: number;
}

const ENTRY_BYTES = 12;

/**
 * The data of a directory: blocks that each hold entries first and their names after, all sorted by bytes. The result's
 * length is the directory's size.
 */
export function encodeDirectory(entries: DirectoryEntry[]): Buffer {
  const sorted = entries.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const blocks: Buffer[] = [];
  for (let at = 0; at < sorted.length; ) {
    const first = at;
    let used = 0;
    for (let next = sorted[at]; next !== undefined; next = sorted[at]) {
      const needs = ENTRY_BYTES + next.name.length;
      if (used + needs > BLOCK_BYTES) break;
      used += needs;
      at += 1;
    }
    blocks.push(encodeDirectoryBlock(sorted.slice(first, at), at < sorted.length ? BLOCK_BYTES : used));
  }
  return Buffer.concat(blocks);
}

function encodeDirectoryBlock(entries: DirectoryEntry[], bytes: number): Buffer {
  const block = Buffer.alloc(bytes);
  let nameAt = entries.length * ENTRY_BYTES;
  entries.forEach((entry, index) => {
    const at = index * ENTRY_BYTES;
    block.writeUInt32LE(entry.nid >>> 0, at);
    block.writeUInt32LE(Math.floor(entry.nid / 2 ** 32), at + 4);
    block.writeUInt16LE(nameAt, at + 8);
    block.writeUInt8(entry.type, at + 10);
    nameAt += block.write(entry.name, nameAt, 'latin1');
  });
  return block;
}
