import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { encodeCpio } from '../../../src/image/cpio.ts';

/** Reads a newc archive as the kernel does: fixed hexadecimal fields, names and contents padded to 4 bytes. */
function parse(archive: Buffer) {
  const entries: { name: string; mode: number; device: [number, number]; bytes: Buffer; ino: number }[] = [];
  for (let at = 0; ; ) {
    expect(archive.toString('latin1', at, at + 6)).toBe('070701');
    const field = (index: number) =>
      Number.parseInt(archive.toString('latin1', at + 6 + index * 8, at + 14 + index * 8), 16);
    const size = field(6);
    const nameSize = field(11);
    const name = archive.toString('latin1', at + 110, at + 110 + nameSize - 1);
    expect(archive[at + 110 + nameSize - 1]).toBe(0);
    const start = (at + 110 + nameSize + 3) & ~3;
    if (name === 'TRAILER!!!') return entries;
    const bytes = archive.subarray(start, start + size);
    entries.push({ name, mode: field(1), device: [field(9), field(10)], bytes, ino: field(0) });
    at = (start + size + 3) & ~3;
  }
}

describe('a cpio archive', () => {
  const entries = [
    { kind: 'directory', path: 'dev', mode: 0o755 },
    { kind: 'character-device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
    { kind: 'file', path: 'init', mode: 0o755, bytes: Buffer.from('12345') },
    { kind: 'file', path: 'empty', mode: 0o644, bytes: Buffer.alloc(0) },
    { kind: 'file', path: 'abcd', mode: 0o644, bytes: Buffer.alloc(4096, 7) },
  ] as const;

  test('holds names, types, modes, devices and contents in order', () => {
    const read = parse(encodeCpio(entries));
    expect(read.map((entry) => [entry.name, entry.mode.toString(8)])).toEqual([
      ['dev', '40755'],
      ['dev/console', '20600'],
      ['init', '100755'],
      ['empty', '100644'],
      ['abcd', '100644'],
    ]);
    expect(read[1]?.device).toEqual([5, 1]);
    expect(read[2]?.bytes.toString()).toBe('12345');
    expect(read[4]?.bytes.equals(Buffer.alloc(4096, 7))).toBe(true);
    expect(new Set(read.map((entry) => entry.ino)).size).toBe(read.length);
  });

  test('is the same for the same input, and its length is a multiple of 4', () => {
    expect(encodeCpio(entries).equals(encodeCpio(entries))).toBe(true);
    expect(encodeCpio(entries).length % 4).toBe(0);
  });

  test('refuses absolute paths and paths with NUL', () => {
    expect(() => encodeCpio([{ kind: 'directory', path: '/etc', mode: 0o755 }])).toThrow(
      'not a relative path',
    );
    expect(() => encodeCpio([{ kind: 'directory', path: 'a\0b', mode: 0o755 }])).toThrow(
      'not a relative path',
    );
  });

  test('is read by bsdtar and cpio alike where one is installed', (context) => {
    const reader = ['bsdtar', 'cpio'].find((name) => {
      try {
        execFileSync(name, ['--version'], { stdio: 'ignore' });
        return true;
      } catch {
        // Not installed.
        return false;
      }
    });
    if (reader === undefined) context.skip('neither bsdtar nor cpio is installed');
    const args = reader === 'bsdtar' ? ['-tf', '-'] : ['-t', '--quiet'];
    const list = execFileSync(String(reader), args, { input: encodeCpio(entries), encoding: 'utf8' });
    expect(list.trim().split('\n')).toEqual(['dev', 'dev/console', 'init', 'empty', 'abcd']);
  });
});
