import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { GIT_ENVIRONMENT } from '../../../src/git/git-program.ts';
import { hashObject, type ObjectFormat } from '../../../src/git/object-id.ts';
import { PackFile } from '../../../src/git/pack-file.ts';
import { encodePackIndex, PackIndex } from '../../../src/git/pack-index.ts';
import { PackWriter } from '../../../src/git/pack-writer.ts';
import { temporaryFolder } from '../../support/temp.ts';

function repository(format: ObjectFormat): { dir: string; folder: HostPath } {
  const dir = join(temporaryFolder(), 'r');
  execFileSync('git', ['init', '-q', '--bare', `--object-format=${format}`, dir], {
    env: { ...GIT_ENVIRONMENT },
  });
  return { dir, folder: join(dir, 'objects/pack') as HostPath };
}

const newWriter = (format: ObjectFormat, folder: HostPath) =>
  new PackWriter({ format, folder, isKnown: () => false });

function* chunked(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

describe.each(['sha1', 'sha256'] as const)('a pack in %s', (format) => {
  it('is one that git verifies, and gives every object back', async () => {
    const { dir, folder } = repository(format);
    using writer = newWriter(format, folder);
    // Some that are stored as they are, some compressed, one streamed, and enough to leave memory.
    const sizes = [0, 1, 15, 16, 511, 513, 5000, 70_000, 1_048_577, 9_000_000];
    const blobs = sizes.map((size) => Buffer.alloc(size, randomBytes(2000 + (size % 97))));
    const oids = blobs.map((bytes) => writer.addBlob(bytes.length, chunked(bytes, 65_536)));
    oids.push(writer.add('blob', Buffer.from('last')));
    expect(oids[1]).toBe(hashObject(format, 'blob', blobs[1] ?? Buffer.alloc(0)));

    const { stem, index } = await writer.install({ sync: false });
    execFileSync('git', [`--git-dir=${dir}`, 'verify-pack', `${stem}.idx`], { env: { ...GIT_ENVIRONMENT } });
    using pack = PackFile.open(format, stem, index);
    for (const [at, bytes] of blobs.entries()) {
      expect(pack.read(oids[at] ?? '', 1 << 30)?.bytes.equals(bytes)).toBe(true);
    }
    expect(pack.entries().map((entry) => entry.oid)).toEqual(oids);
    expect(pack.read('00'.repeat(format === 'sha1' ? 20 : 32), 1 << 30)).toBeUndefined();
    expect(readdirSync(folder).length).toBe(2);
  });
});

describe('a pack', () => {
  it('takes back a blob whose size is not as announced', async () => {
    const { dir, folder } = repository('sha1');
    using writer = newWriter('sha1', folder);
    writer.add('blob', Buffer.from('before'));
    for (const size of [3, 2_000_000]) {
      const real = Buffer.alloc(size, 'x');
      expect(() => writer.addBlob(size + 1, chunked(real, 1000))).toThrow(/announced/);
      expect(() => writer.addBlob(size - 1, chunked(real, 1000))).toThrow(/announced/);
    }
    writer.add('blob', Buffer.from('after'));
    expect(writer.count).toBe(2);
    const { stem } = await writer.install({ sync: false });
    execFileSync('git', [`--git-dir=${dir}`, 'verify-pack', `${stem}.idx`], { env: { ...GIT_ENVIRONMENT } });
  });

  it('stops taking chunks as soon as there are more than announced', () => {
    const { folder } = repository('sha1');
    using writer = newWriter('sha1', folder);
    let taken = 0;
    function* endless(): Generator<Buffer> {
      for (;;) {
        taken += 1;
        yield Buffer.alloc(1000);
      }
    }
    expect(() => writer.addBlob(5000, endless())).toThrow(/announced/);
    expect(taken).toBe(6);
  });

  it('leaves nothing behind when it is not installed', () => {
    const { folder } = repository('sha1');
    {
      using writer = newWriter('sha1', folder);
      writer.addBlob(2_000_000, [Buffer.alloc(2_000_000)]);
      expect(readdirSync(folder).length).toBe(1);
    }
    expect(readdirSync(folder)).toEqual([]);
  });

  it('that was damaged is noticed when it is read', async () => {
    const { folder } = repository('sha1');
    using writer = newWriter('sha1', folder);
    const oid = writer.add('blob', Buffer.from('precious '.repeat(200)));
    const { stem } = await writer.install({ sync: false });
    const bytes = readFileSync(`${stem}.pack`);
    bytes.writeUInt8((bytes[30] ?? 0) ^ 0xff, 30);
    writeFileSync(`${stem}.pack`, bytes);
    using pack = PackFile.open('sha1', stem);
    expect(() => pack.read(oid, 1 << 30)).toThrow(/can't be unpacked/);
  });
});

describe('a pack index', () => {
  it('finds each object and where it ends, also beyond two gigabytes', () => {
    const far = 5 * 2 ** 31;
    const oids = fc.uniqueArray(
      fc.uint8Array({ minLength: 20, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('hex')),
      { minLength: 1, maxLength: 40 },
    );
    fc.assert(
      fc.property(oids, (ids) => {
        const step = Math.floor(far / ids.length);
        const objects = ids.map((oid, at) => ({ oid, crc: at, offset: 12 + at * step }));
        const index = new PackIndex('sha1', encodePackIndex('sha1', [...objects], Buffer.alloc(20)));
        for (const [at, { oid, offset }] of objects.entries()) {
          const end = objects[at + 1]?.offset ?? far;
          expect(index.find(oid, far + 20)).toEqual({ start: offset, end });
        }
        expect(index.has('12'.repeat(20))).toBe(ids.includes('12'.repeat(20)));
      }),
    );
  });

  it('is refused when a bit of it has changed', () => {
    const bytes = encodePackIndex('sha1', [{ oid: 'ab'.repeat(20), crc: 1, offset: 12 }], Buffer.alloc(20));
    for (const at of [0, 9, 1040, 1060, bytes.length - 1]) {
      const bad = Buffer.from(bytes);
      bad.writeUInt8((bad[at] ?? 0) ^ 1, at);
      expect(() => new PackIndex('sha1', bad)).toThrow(/pack index/);
    }
  });
});
