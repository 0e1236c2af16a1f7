import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { BLOCK_BYTES, BlockStream, MAX_RESERVE_BYTES } from '../../../src/image/block-stream.ts';
import { ErofsWriter, type OpenDirectory } from '../../../src/image/erofs.ts';
import { encodeDirectory } from '../../../src/image/erofs-format.ts';
import { describeTree, extractImage, hasErofsTools } from '../../support/copy-in.ts';
import { temporaryFolder } from '../../support/temp.ts';

const OWNER = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const META = { mode: 0o755, mtimeNs: 1_700_000_000_123_456_789n };

function newImage(): { file: HostPath; writer: ErofsWriter; root: OpenDirectory } {
  const file = join(temporaryFolder(), 'image') as HostPath;
  const writer = ErofsWriter.create(file, OWNER);
  onTestFinished(() => writer[Symbol.dispose]());
  return { file, writer, root: writer.openRoot(META) };
}

function addFile(writer: ErofsWriter, parent: OpenDirectory, name: string, content: Buffer): void {
  const at = writer.content.reserve(content.length);
  content.copy(writer.content.buffer, at);
  writer.addFile(parent, name, { mode: 0o644, mtimeNs: 1n }, writer.content.keep(content.length));
}

describe.skipIf(!hasErofsTools)('an EROFS image (needs fsck.erofs)', () => {
  test('holds generated trees of any names and sizes', () => {
    const name = fc
      .uint8Array({ minLength: 1, maxLength: 255 })
      .map((bytes) => Buffer.from(bytes).toString('latin1').replaceAll('/', 'x').replaceAll('\0', 'y'))
      .filter((text) => text !== '.' && text !== '..');
    const size = fc.oneof(fc.nat(200), fc.constantFrom(0, 4095, 4096, 4097, 8192), fc.nat(20_000));
    const folder = fc.uniqueArray(fc.tuple(name, size), { selector: ([text]) => text, maxLength: 60 });
    fc.assert(
      fc.property(folder, folder, (outer, inner) => {
        const { file, writer, root } = newImage();
        const directory = writer.openDirectory(root, 'the directory', META);
        for (const [text, bytes] of inner)
          addFile(writer, directory, text, Buffer.alloc(bytes, text, 'latin1'));
        writer.closeDirectory(directory);
        const names = outer.filter(([text]) => text !== 'the directory');
        for (const [text, bytes] of names) addFile(writer, root, text, Buffer.alloc(bytes, text, 'latin1'));
        writer.closeDirectory(root);
        writer.finish(root);
        const out = join(temporaryFolder(), 'out');
        extractImage(file, out);
        expect(describeTree(out).size).toBe(1 + names.length + inner.length);
        for (const [folderName, list] of [
          ['', names],
          ['the directory/', inner],
        ] as const) {
          for (const [text, bytes] of list) {
            const path = Buffer.from(`${out}/${folderName}`);
            const found = readFileSync(Buffer.concat([path, Buffer.from(text, 'latin1')]));
            expect(found.equals(Buffer.alloc(bytes, text, 'latin1'))).toBe(true);
          }
        }
      }),
      { numRuns: 15 },
    );
  });

  test('holds a directory of many blocks, links of every length, and its owner', () => {
    const { file, writer, root } = newImage();
    const targets = [1, 31, 32, 33, 4031, 4032, 4033, 4095].map((length) => Buffer.alloc(length, 'x'));
    for (const target of targets) writer.addSymlink(root, `link${target.length}`, 5n, target);
    const directory = writer.openDirectory(root, 'many', META);
    for (let file = 0; file < 3000; file++)
      addFile(writer, directory, `file ${file}`, Buffer.from(`${file}`));
    writer.closeDirectory(directory);
    writer.closeDirectory(root);
    const bytes = writer.finish(root);
    expect(statSync(file).size).toBe(bytes);
    const out = join(temporaryFolder(), 'out');
    extractImage(file, out);
    const tree = describeTree(out);
    for (const target of targets) expect(tree.get(`link${target.length}`)).toBe(`link ${target}`);
    expect(readFileSync(join(out, 'many/file 2999'), 'utf8')).toBe('2999');
    expect(statSync(out).mtimeMs).toBeCloseTo(1_700_000_000_123.456, 2);
    expect(statSync(out).uid).toBe(OWNER.uid);
  });

  test('is not taken for one before it is finished', () => {
    const { file, writer, root } = newImage();
    addFile(writer, root, 'a', Buffer.alloc(100));
    writer.closeDirectory(root);
    writer.content.flush();
    const check = () => execFileSync('fsck.erofs', [file], { stdio: 'pipe' });
    expect(check).toThrow();
    writer.finish(root);
    check();
  });
});

describe('the entries of a directory', () => {
  test('are sorted by bytes, and none crosses a block', () => {
    const names = Array.from({ length: 500 }, (_, at) => `${at}`.padEnd(1 + (at % 200), '\xff'));
    const data = encodeDirectory(names.map((name, nid) => ({ name, nid, type: 1 })));
    const found: string[] = [];
    for (let at = 0; at < data.length; at += BLOCK_BYTES) {
      const block = data.subarray(at, at + BLOCK_BYTES);
      const count = block.readUInt16LE(8) / 12;
      for (let entry = 0; entry < count; entry++) {
        const from = block.readUInt16LE(entry * 12 + 8);
        const to = entry + 1 < count ? block.readUInt16LE((entry + 1) * 12 + 8) : block.length;
        found.push(block.toString('latin1', from, to).replace(/\0+$/, ''));
      }
    }
    expect(found).toEqual(
      names.toSorted((a, b) => Buffer.compare(Buffer.from(a, 'latin1'), Buffer.from(b, 'latin1'))),
    );
  });
});

describe('a block stream', () => {
  function newStream(firstBlock: number): { file: string; stream: BlockStream } {
    const file = join(temporaryFolder(), 'stream') as HostPath;
    const stream = BlockStream.create(file, firstBlock);
    onTestFinished(() => stream[Symbol.dispose]());
    return { file, stream };
  }

  test('keeps what it is given, zeros the rest of a block, and reads it back', () => {
    const { file, stream } = newStream(2);
    const sizes = [
      0,
      1,
      4096,
      5000,
      MAX_RESERVE_BYTES,
      MAX_RESERVE_BYTES,
      MAX_RESERVE_BYTES,
      MAX_RESERVE_BYTES,
      7,
    ];
    const extents = sizes.map((size, at) => {
      const from = stream.reserve(size);
      stream.buffer.fill(at + 1, from, from + size);
      return stream.keep(size);
    });
    const hole = stream.keepHole(3 * BLOCK_BYTES);
    extents.forEach((extent, at) => {
      expect(Buffer.concat([...stream.read(extent)]).equals(Buffer.alloc(sizes[at] ?? 0, at + 1))).toBe(true);
    });
    expect(Buffer.concat([...stream.read(hole)]).equals(Buffer.alloc(3 * BLOCK_BYTES))).toBe(true);
    expect(stream.finish() * BLOCK_BYTES).toBe(statSync(file).size);
    const second = extents[1]?.block ?? 0;
    const tail = readFileSync(file).subarray(second * BLOCK_BYTES + 1, (second + 1) * BLOCK_BYTES);
    expect(tail.every((byte) => byte === 0)).toBe(true);
  });

  test('never writes over a file that has content, or through a symlink', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'taken') as HostPath;
    writeFileSync(file, 'content');
    expect(() => BlockStream.create(file, 0)).toThrow(
      expect.objectContaining({ code: 'image/build-failed' }),
    );
    expect(readFileSync(file, 'utf8')).toBe('content');
    symlinkSync(join(folder, 'elsewhere'), join(folder, 'link'));
    expect(() => BlockStream.create(join(folder, 'link') as HostPath, 0)).toThrow(
      expect.objectContaining({ code: 'ELOOP' }),
    );
    expect(existsSync(join(folder, 'elsewhere'))).toBe(false);
  });

  test('takes a file that is all hole, which a machine may have made before', () => {
    const file = join(temporaryFolder(), 'hole') as HostPath;
    writeFileSync(file, '');
    truncateSync(file, 1 << 30);
    using stream = BlockStream.create(file, 0);
    stream.buffer.fill(7, stream.reserve(5), stream.reserve(5) + 5);
    expect(stream.keep(5)).toEqual({ block: 0, size: 5 });
  });

  test('says so when there is no room', () => {
    // A limit on the size of files stands in for a full disk.
    const file = join(temporaryFolder(), 'stream');
    const module = new URL('../../../src/image/block-stream.ts', import.meta.url).href;
    const script = `import { BlockStream } from '${module}';
      const stream = BlockStream.create('${file}', 0);
      try { stream.writeAt(Buffer.alloc(100_000), 0); } catch (error) { console.log(error.code); }`;
    const limited = 'ulimit -f 8; exec "$0" --input-type=module -e "$1"';
    const out = execFileSync('sh', ['-c', limited, process.execPath, script], { encoding: 'utf8' });
    expect(out).toBe('environment/disk-full\n');
  });
});
