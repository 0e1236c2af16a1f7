import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlockedError, HostRoot, identifyRoot } from '../../../src/apply/host-root.ts';
import type { HostPath, RelPath } from '../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../support/temp.ts';

const rel = (path: string) => path as RelPath;

describe('HostRoot', () => {
  it('tells what is at a path, and what stands in the way', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'd'));
    writeFileSync(join(folder, 'd/file'), 'x');
    symlinkSync('d', join(folder, 'link'));
    using root = HostRoot.open(folder);
    expect(root.read(rel('d/file'))).toMatchObject({ kind: 'file', size: 1, executable: false, links: 1 });
    expect(root.read(rel('link'))).toMatchObject({ kind: 'symlink', size: 1 });
    expect(root.read(rel('d'))).toEqual({ kind: 'directory' });
    expect(root.read(rel('nowhere/at/all'))).toEqual({ kind: 'absent' });
    expect(root.read(rel('link/file'))).toEqual({ kind: 'blocked', depth: 0, what: 'symlink' });
    expect(root.read(rel('d/file/x'))).toEqual({ kind: 'blocked', depth: 1, what: 'file' });
    expect(() => root.within(rel('link/file'), () => undefined)).toThrow(BlockedError);
  });

  it('says that a project is gone, or is no folder any more', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('nowhere', join(folder, 'link'));
    for (const name of ['file', 'link', 'none']) {
      expect(() => HostRoot.open(join(folder, name) as HostPath)).toThrow(
        expect.objectContaining({ code: 'session/project-gone' }),
      );
    }
  });

  it("knows git's id of a file", () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'empty'), '');
    using root = HostRoot.open(folder);
    const sha1 = 'e69de29bb2d1d6434b8b29ae775ad8c2e48c5391';
    const sha256 = '473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813';
    expect(root.read(rel('empty'), 'sha1')).toMatchObject({ oid: sha1 });
    expect(root.read(rel('empty'), 'sha256')).toMatchObject({ oid: sha256 });
  });

  it('goes on with the folder that it opened when another takes its name', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'project') as HostPath;
    mkdirSync(path);
    using root = HostRoot.open(path);
    renameSync(path, join(folder, 'moved'));
    mkdirSync(path);
    root.within(rel('x'), (directory, name) => writeFileSync(directory.entry(name), 'x'));
    expect(readdirSync(join(folder, 'moved'))).toEqual(['x']);
    expect(readdirSync(path)).toEqual([]);
  });

  it('refuses the root of the file system, and a folder that is not the one expected', () => {
    const folder = temporaryFolder();
    expect(() => HostRoot.open('/' as HostPath)).toThrow(expect.objectContaining({ code: 'apply/refused' }));
    const other = { ...identifyRoot(folder), ino: '1' };
    expect(() => HostRoot.open(folder, other)).toThrow(expect.objectContaining({ code: 'apply/refused' }));
  });

  it('uses a folder again only while its name leads to it', () => {
    const folder = temporaryFolder();
    const [project, outside] = [join(folder, 'project') as HostPath, join(folder, 'outside')];
    mkdirSync(join(project, 'a/b'), { recursive: true });
    using root = HostRoot.open(project);
    const write = (text: string) =>
      root.within(rel('a/b/file'), (directory, name) => writeFileSync(directory.entry(name), text));
    write('first');
    renameSync(join(project, 'a'), outside);
    symlinkSync(outside, join(project, 'a'));
    expect(() => write('through a link')).toThrow(expect.objectContaining({ depth: 0, what: 'symlink' }));
    unlinkSync(join(project, 'a'));
    mkdirSync(join(project, 'a/b'), { recursive: true });
    write('second');
    expect(readFileSync(join(outside, 'b/file'), 'utf8')).toBe('first');
    expect(readFileSync(join(project, 'a/b/file'), 'utf8')).toBe('second');
  });

  it('keeps a number of folders open that does not grow, and closes none that is in use', () => {
    const folder = temporaryFolder();
    for (let n = 0; n < 200; n++) mkdirSync(join(folder, `d${n}`));
    using root = HostRoot.open(folder);
    const before = readdirSync('/proc/self/fd').length;
    root.within(rel('d0/x'), (directory, name) => {
      for (let n = 1; n < 200; n++) root.within(rel(`d${n}/x`), () => undefined);
      writeFileSync(directory.entry(name), 'x');
    });
    expect(readFileSync(join(folder, 'd0/x'), 'utf8')).toBe('x');
    expect(readdirSync('/proc/self/fd').length - before).toBeLessThanOrEqual(64);
  });

  it('leaves no directory open', () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, 'a/b/c'), { recursive: true });
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    for (let n = 0; n < 20; n++) {
      using root = HostRoot.open(folder);
      root.read(rel('a/b/c/d'));
      root.read(rel('a/x/c/d'));
      root.names(rel('a/b'));
    }
    expect(open()).toBe(before);
  });
});
