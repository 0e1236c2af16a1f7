/** As much of tar as going into and out of a container takes: a few files with short names. */

export interface TarFile {
  /** Relative, at most 100 bytes of ASCII. */
  path: string;
  mode: number;
  bytes: Uint8Array;
}

const BLOCK = 512;
const FILE = 0x30;

/** An archive of regular files that belong to root. */
export function writeTar(files: readonly TarFile[]): Buffer {
  const parts = files.flatMap((file) => [
    header(file),
    file.bytes,
    Buffer.alloc((BLOCK - (file.bytes.length % BLOCK)) % BLOCK),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function header({ path, mode, bytes }: TarFile): Buffer {
  const block = Buffer.alloc(BLOCK);
  const name = Buffer.from(path, 'ascii');
  if (name.length > 100) throw new RangeError(`too long a name for an archive: ${path}`);
  name.copy(block, 0);
  const octal = (value: number, at: number, digits: number) =>
    block.write(`${value.toString(8).padStart(digits, '0')}\0`, at, 'ascii');
  octal(mode, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes.length, 124, 11);
  octal(0, 136, 11);
  block.write('        ', 148, 'ascii');
  block.writeUInt8(FILE, 156);
  block.write('ustar\x0000', 257, 'ascii');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'ascii');
  return block;
}

/** The bytes of the first regular file in an archive; undefined when it holds none. */
export function readTarFile(archive: Buffer): Buffer | undefined {
  for (let at = 0; at + BLOCK <= archive.length; ) {
    const size = Number.parseInt(archive.toString('ascii', at + 124, at + 135), 8);
    if (!Number.isInteger(size) || size < 0) return undefined;
    const type = archive.readUInt8(at + 156);
    const from = at + BLOCK;
    if (type === FILE || type === 0)
      return from + size <= archive.length ? archive.subarray(from, from + size) : undefined;
    at = from + Math.ceil(size / BLOCK) * BLOCK;
  }
  return undefined;
}
