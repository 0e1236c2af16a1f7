import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { extractElfKernel } from '../../../src/image/kernel-image.ts';
import { moduleDependencies, resolveModules } from '../../../src/image/kernel-modules.ts';
import { temporaryFolder } from '../../support/temp.ts';

function moduleBytes(name: string, depends: string): Buffer {
  return Buffer.from(`\x7fELF...\0license=GPL\0depends=${depends}\0name=${name}\0`, 'latin1');
}

function modulesFolder(): HostPath {
  const folder = temporaryFolder();
  mkdirSync(`${folder}/kernel/fs`, { recursive: true });
  writeFileSync(`${folder}/kernel/fs/ext4.ko`, moduleBytes('ext4', 'jbd2,crc-16'));
  writeFileSync(`${folder}/kernel/fs/jbd2.ko.zst`, zstdCompressSync(moduleBytes('jbd2', '')));
  writeFileSync(`${folder}/kernel/crc-16.ko.gz`, gzipSync(moduleBytes('crc_16', 'bitrev')));
  writeFileSync(`${folder}/packed.ko`, moduleBytes('packed', 'jbd2'));
  execFileSync('xz', [`${folder}/packed.ko`]);
  writeFileSync(`${folder}/modules.builtin`, 'kernel/lib/bitrev.ko\nkernel/drivers/virtio-pci.ko\n');
  return folder;
}

describe('kernel modules', () => {
  test('come after what they depend on, decompressed, without what is built in', async () => {
    const modules = await resolveModules(modulesFolder(), ['ext4', 'virtio_pci', 'packed'], ['not-there']);
    expect(modules.map((module) => module.name)).toEqual(['jbd2', 'crc_16', 'ext4', 'packed']);
    for (const module of modules) expect(module.bytes.includes('license=GPL')).toBe(true);
  });

  test('that are needed and missing are an error with their name', async () => {
    await expect(resolveModules(modulesFolder(), ['erofs'], [])).rejects.toMatchObject({
      code: 'image/build-failed',
      details: { module: 'erofs' },
    });
  });

  test('name their dependencies with underscores', () => {
    expect(moduleDependencies(moduleBytes('a', 'virtio-rng,9pnet'))).toEqual(['virtio_rng', '9pnet']);
    expect(moduleDependencies(moduleBytes('a', ''))).toEqual([]);
    expect(moduleDependencies(Buffer.from('nothing'))).toEqual([]);
  });
});

describe('a kernel in a bzImage', () => {
  /** A bzImage of one set-up sector and a payload. */
  function bzImage(payload: Buffer): Buffer {
    const image = Buffer.alloc(1024);
    image[0x1f1] = 1;
    image.write('HdrS', 0x202, 'latin1');
    image.writeUInt32LE(0, 0x248);
    image.writeUInt32LE(payload.length, 0x24c);
    return Buffer.concat([image, payload, Buffer.from('after')]);
  }
  const note = (size: number) =>
    Buffer.from([4, 0, 0, 0, size, 0, 0, 0, 18, 0, 0, 0, 0x58, 0x65, 0x6e, 0, 1, 2, 3, 4]);
  const size = Buffer.from([1, 2, 3, 4]);

  test.each([4, 8])('is taken out when it has a direct entry, held in %i bytes', async (bytes) => {
    const elf = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(100), note(bytes)]);
    const gzip = await extractElfKernel(bzImage(Buffer.concat([gzipSync(elf), size])));
    expect(gzip?.equals(elf)).toBe(true);
    const zstd = await extractElfKernel(bzImage(Buffer.concat([zstdCompressSync(elf), size])));
    expect(zstd?.equals(elf)).toBe(true);
    const xz = execFileSync('xz', ['-c', '--check=crc32'], { input: elf });
    expect((await extractElfKernel(bzImage(Buffer.concat([xz, size]))))?.equals(elf)).toBe(true);
  });

  test('is left alone without a direct entry, with an unknown compression, or when it is no bzImage', async () => {
    const plain = Buffer.concat([Buffer.from('\x7fELF', 'latin1'), Buffer.alloc(100)]);
    expect(await extractElfKernel(bzImage(Buffer.concat([gzipSync(plain), size])))).toBeUndefined();
    expect(await extractElfKernel(bzImage(Buffer.from('LZOsomething')))).toBeUndefined();
    expect(await extractElfKernel(readFileSync('/bin/sh'))).toBeUndefined();
    expect(await extractElfKernel(Buffer.alloc(10))).toBeUndefined();
  });
});
