import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
} from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import type { SetupOperation } from '../../src/protocol/setup.ts';
import { jailOf } from '../support/qemu-process.ts';
import { testCache, testQemu, vmOrSkip } from '../support/vm.ts';
import { startVm } from '../support/vm-sandbox.ts';

beforeEach((context) => vmOrSkip(context), 300_000);

/** The tools' file system is mounted writable in the guest, at a place that its root can reach: that is its own affair. */
function mountToolsWritable(operations: SetupOperation[]): SetupOperation[] {
  return operations.flatMap((operation): SetupOperation[] => {
    if (operation.op !== 'mount') return [operation];
    if (operation.type === '9p') return [{ ...operation, flags: 0 }];
    const reach = {
      op: 'mount',
      source: '/tree-ro',
      target: '/newroot/m',
      type: '',
      flags: 4096,
      data: '',
    } as const;
    return operation.target === '/newroot' ? [operation, reach] : [operation];
  });
}

const ATTACK = `
cd /m
for f in usr usr/bin/env etc etc/passwd etc/group bin; do echo x > $f; chmod 777 $f; rm -f $f; mv $f $f.gone; ln -s /x $f.link; done
for disk in /dev/vd?; do blockdev --setrw $disk; done
for disk in /dev/vda; do
  dd if=/dev/urandom of=$disk bs=4096 count=64 oflag=direct
  dd if=/dev/urandom of=$disk bs=4096 count=64 conv=fsync
  blkdiscard -f $disk; blkdiscard -z -f $disk
  mount -o remount,rw $disk /base
done
for device in /dev/mem /dev/kmem /dev/port /dev/nvram; do dd if=/dev/zero of=$device bs=1 count=1 seek=1024; done
# Its own disk it may ruin, and its own memory.
dd if=/dev/urandom of=/dev/vdb bs=1M count=8 seek=900 conv=fsync
sync; echo 3 > /proc/sys/vm/drop_caches
echo survived`;

test('whatever root of the guest writes to, kernel, first root, tools, saved states and the project image stay as they are', async () => {
  const { sh, runDir } = await startVm(testQemu(), mountToolsWritable);
  const project = `${runDir}/project.erofs`;
  const look = () => ({
    images: imagesOf(runDir),
    states: digestTree(lastState()),
    project: digestStart(project),
  });
  const before = look();
  const names = Object.keys(before.images);
  expect(names.some((name) => /\/kernel\//.test(name))).toBe(true);
  expect(names.some((name) => /\/initramfs\//.test(name))).toBe(true);
  expect(names.some((name) => /\/toolchain\/.*\/etc\/passwd$/.test(name))).toBe(true);
  expect(Object.keys(before.states).some((name) => name.endsWith('/memory'))).toBe(true);
  const { text } = await sh(ATTACK);
  expect(text).toContain('survived');
  expect(text).toMatch(/\/dev\/vda.*(Operation not permitted|Read-only|Input\/output error)/);
  expect(look()).toEqual(before);
});

test('the disk of the project is read-only to the guest as a device, not only as a mount', async () => {
  const { sh, runDir } = await startVm();
  expect((await sh('cat /sys/block/vda/ro /sys/block/vdb/ro')).text).toBe('1\n0\n');
  expect(
    (await sh('blockdev --setrw /dev/vda && dd if=/dev/zero of=/dev/vda bs=4096 count=1 oflag=direct'))
      .exitCode,
  ).not.toBe(0);
  expect(statSync(`${runDir}/project.erofs`).size).toBe(256 * 2 ** 30);
});

/** The saved state that was used last: the machine's own. */
function lastState(): string {
  const states = readdirSync(`${testCache()}/states`).map((name) => `${testCache()}/states/${name}`);
  return states.sort((one, two) => statSync(two).mtimeMs - statSync(one).mtimeMs)[0] ?? '';
}

/** What the jail was given of the cache, file by file. */
function imagesOf(runDir: string): Record<string, string> {
  const words = jailOf(runDir);
  const given = words.flatMap((word, at) => (word === '--ro-bind' ? [words[at + 1] ?? ''] : []));
  return Object.assign({}, ...given.filter((path) => path.startsWith(testCache())).map(digestTree));
}

function digestTree(path: string): Record<string, string> {
  const stat = lstatSync(path);
  if (stat.isSymbolicLink()) return { [path]: readlinkSync(path) };
  if (stat.isDirectory()) {
    return Object.assign(
      { [path]: `${stat.mode}` },
      ...readdirSync(path).map((name) => digestTree(`${path}/${name}`)),
    );
  }
  const digest =
    stat.size < 64 * 2 ** 20
      ? createHash('sha256').update(readFileSync(path)).digest('hex')
      : digestWithHoles(path);
  return { [path]: `${stat.mode} ${digest}` };
}

/** Memories and disks are mostly holes, which cost nothing to skip. */
function digestWithHoles(path: string): string {
  const script = 'tar -S -cf - -- "$1" 2>/dev/null | sha256sum';
  return execFileSync('sh', ['-c', script, 'sh', path], { encoding: 'utf8' }).slice(0, 64);
}

/** The project's disk is a hole but for its beginning. */
function digestStart(file: string): string {
  const fd = openSync(file, 'r');
  try {
    const start = Buffer.alloc(4 * 2 ** 20);
    readSync(fd, start, 0, start.length, 0);
    return `${statSync(file).blocks} ${createHash('sha256').update(start).digest('hex')}`;
  } finally {
    closeSync(fd);
  }
}
