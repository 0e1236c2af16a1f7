import { execFileSync } from 'node:child_process';
import { lstatSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect, test } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { makeScratchDisk } from '../../../src/image/scratch.ts';
import { prepareToolchain } from '../../../src/image/toolchain.ts';
import { temporaryFolder } from '../../support/temp.ts';

function options(folders: string[] = []) {
  const cacheDir = temporaryFolder();
  writeFileSync(`${cacheDir}/rg`, 'a program', { mode: 0o700 });
  return { cacheDir, rgBinary: `${cacheDir}/rg` as HostPath, folders: folders as HostPath[] };
}

test('the tree holds what tools need of /etc and nothing that says who or what the host is', async () => {
  const { base } = await prepareToolchain(options());
  const files = readdirSync(base, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const names = readdirSync(`${base}/etc`);
  expect(names).toEqual(expect.arrayContaining(['passwd', 'group', 'hosts', 'nsswitch.conf', 'os-release']));
  for (const secret of ['shadow', 'gshadow', 'ssh', 'sudoers', 'machine-id', 'hostname', 'environment']) {
    expect(names).not.toContain(secret);
  }
  expect(readdirSync(`${base}/home`)).toEqual([]);
  expect(readdirSync(`${base}/root`)).toEqual([]);
  expect(readFileSync(`${base}/etc/passwd`, 'utf8').split('\n')).toHaveLength(3);
  const writtenHere = ['hosts', 'passwd', 'group', 'resolv.conf'];
  for (const name of writtenHere) {
    expect(readFileSync(`${base}/etc/${name}`, 'utf8')).not.toContain(hostname());
  }
  for (const file of files) {
    expect(lstatSync(`${file.parentPath}/${file.name}`).mode & 0o6000).toBe(0);
  }
});

test('everybody in the guest can read the tree, whatever the umask of the person is', async () => {
  const before = process.umask(0o077);
  try {
    const { base } = await prepareToolchain(options());
    expect(statSync(base).mode & 0o777).toBe(0o755);
    expect(statSync(`${base}/etc/passwd`).mode & 0o777).toBe(0o644);
    expect(statSync(`${base}/opt/safe-coder/bin`).mode & 0o777).toBe(0o755);
    expect(statSync(`${base}/opt/safe-coder/bin/rg`).mode & 0o777).toBe(0o755);
  } finally {
    process.umask(before);
  }
});

test('only system folders and the folders asked for are bound, and those get a place and a part in PATH', async () => {
  const extra = `${temporaryFolder()}/node`;
  mkdirSync(extra);
  const { base, binds, path } = await prepareToolchain(options([extra]));
  expect(binds.filter((bind) => !/^\/(usr|bin|sbin|lib\w*|var\/lib\/dpkg)$/.test(bind.from))).toEqual([
    { from: extra, at: extra },
  ]);
  expect(path).toEqual([`${extra}/bin`]);
  for (const bind of binds) expect(statSync(`${base}${bind.at}`).isDirectory()).toBe(true);
});

test('the tree is made once, and again when the program it offers changes', async () => {
  const asked = options();
  const first = await prepareToolchain(asked);
  const stamp = statSync(`${first.base}/etc/passwd`).ctimeMs;
  expect((await prepareToolchain(asked)).base).toBe(first.base);
  expect(statSync(`${first.base}/etc/passwd`).ctimeMs).toBe(stamp);
  writeFileSync(asked.rgBinary, 'another program');
  const second = await prepareToolchain(asked);
  expect(second.base).not.toBe(first.base);
  expect(readFileSync(`${second.base}/opt/safe-coder/bin/rg`, 'utf8')).toBe('another program');
});

test('a scratch disk has the size asked for, is private, sparse, and a clean file system', async () => {
  const folder = temporaryFolder();
  const disk = `${folder}/disk` as HostPath;
  await makeScratchDisk(`${folder}/cache` as HostPath, disk, 256 << 20);
  const found = statSync(disk);
  expect(found.size).toBe(256 << 20);
  expect(found.blocks * 512).toBeLessThan(16 << 20);
  expect(
    execFileSync('e2fsck', ['-fn', disk], {
      env: { PATH: '/usr/sbin:/sbin:/usr/bin:/bin' },
      encoding: 'utf8',
    }),
  ).toContain('files');
});
