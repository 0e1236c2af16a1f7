/**
 * The ELF kernel inside a bzImage. QEMU starts an ELF kernel directly (the PVH entry), without the self-extraction
 * that a bzImage begins with: emulated, that alone took half of the boot.
 * Layout: Linux kernel documentation, "The Linux/x86 Boot Protocol".
 */
import { zstdDecompressSync } from 'node:zlib';
import { decompress } from './kernel-modules.ts';

const SETUP_SECTORS = 0x1f1;
const MAGIC = 0x202;
const PAYLOAD_OFFSET = 0x248;
const PAYLOAD_LENGTH = 0x24c;
/** An ELF note of the owner "Xen" and this type holds the PVH entry point, as a word or a double word. */
const PVH_NOTE_TYPE = 18;
const NOTE_OWNER = Buffer.from('Xen\0', 'latin1');

/**
 * The ELF image in a bzImage when it can be started directly, otherwise undefined (an unknown compression, or a
 * kernel built without PVH): the bzImage itself is used then.
 */
export async function extractElfKernel(image: Buffer): Promise<Buffer | undefined> {
  const payload = compressedPayload(image);
  if (payload === undefined) return undefined;
  const elf = await unpackPayload(payload);
  if (elf === undefined || !elf.subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'))) return undefined;
  return hasPvhEntry(elf) ? elf : undefined;
}

function hasPvhEntry(elf: Buffer): boolean {
  return [4, 8].some((size) => {
    const header = Buffer.alloc(12);
    header.writeUInt32LE(NOTE_OWNER.length, 0);
    header.writeUInt32LE(size, 4);
    header.writeUInt32LE(PVH_NOTE_TYPE, 8);
    return elf.includes(Buffer.concat([header, NOTE_OWNER]));
  });
}

function compressedPayload(image: Buffer): Buffer | undefined {
  if (image.length < 1024 || image.toString('latin1', MAGIC, MAGIC + 4) !== 'HdrS') return undefined;
  // 0 means 4, for the oldest of reasons.
  const start = ((image[SETUP_SECTORS] || 4) + 1) * 512 + image.readUInt32LE(PAYLOAD_OFFSET);
  const end = start + image.readUInt32LE(PAYLOAD_LENGTH);
  return start < end && end <= image.length ? image.subarray(start, end) : undefined;
}

async function unpackPayload(payload: Buffer): Promise<Buffer | undefined> {
  // The build appends the unpacked size to the stream; decompressors stop before it or are cut off from it.
  const magic = payload.toString('hex', 0, 4);
  if (magic === 'fd377a58') return decompress('xz', payload);
  if (magic.startsWith('1f8b')) return decompress('gzip', payload.subarray(0, -4));
  if (magic === '28b52ffd') return zstdDecompressSync(payload.subarray(0, -4));
  return undefined;
}
