import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTarFile, writeTar } from '../../../../src/backends/docker/tar.ts';
import { temporaryFolder } from '../../../support/temp.ts';

describe('archives for a container', () => {
  it('are taken by tar itself, with modes and bytes as they were given', () => {
    const folder = temporaryFolder();
    const big = Buffer.alloc(1500, 7);
    writeFileSync(
      join(folder, 'a.tar'),
      writeTar([
        { path: 'opt/tool', mode: 0o755, bytes: big },
        { path: 'etc/empty', mode: 0o644, bytes: Buffer.alloc(0) },
      ]),
    );
    execFileSync('tar', ['-xf', 'a.tar', '--no-same-owner'], { cwd: folder });
    expect(readFileSync(join(folder, 'opt/tool')).equals(big)).toBe(true);
    expect(statSync(join(folder, 'opt/tool')).mode & 0o777).toBe(0o755);
    expect(statSync(join(folder, 'etc/empty')).size).toBe(0);
    expect(execFileSync('tar', ['-tvf', join(folder, 'a.tar')], { encoding: 'utf8' })).toMatch(
      /0\/0|root\/root/,
    );
  });

  it('gives back the first file of one that tar made, past folders', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'etc'));
    writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0\n');
    const archive = execFileSync('tar', ['-cf', '-', 'etc'], { cwd: folder });
    expect(readTarFile(archive)?.toString()).toBe('root:x:0:0\n');
  });

  it('finds nothing, and never fails, in bytes that are no archive', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), (bytes) => {
        const found = readTarFile(Buffer.from(bytes));
        expect(found === undefined || found.length <= bytes.length).toBe(true);
      }),
    );
    expect(readTarFile(Buffer.alloc(0))).toBeUndefined();
    const cut = writeTar([{ path: 'f', mode: 0o644, bytes: Buffer.alloc(2000) }]).subarray(0, 1000);
    expect(readTarFile(cut)).toBeUndefined();
  });
});
