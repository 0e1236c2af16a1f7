import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { liveOwner, processIdentity, takeOwnerLock } from '../../../src/base/owner-lock.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../support/temp.ts';

const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
const nameOf = (pid: number) => `lock.${processIdentity(pid)?.replace(' ', '.')}.${boot}`;

describe('an owner lock', () => {
  it('is held by one process and free again after dispose', () => {
    const folder = temporaryFolder();
    const file = join(folder, 'lock') as HostPath;
    const lock = takeOwnerLock(file);
    if ('heldBy' in lock) throw new Error('a fresh lock is held');
    expect(liveOwner(file)).toBe(process.pid);
    expect(takeOwnerLock(file)).toEqual({ heldBy: process.pid });
    expect(readdirSync(folder)).toEqual([nameOf(process.pid)]);
    lock[Symbol.dispose]();
    lock[Symbol.dispose]();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is taken over from a process that is gone', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const folder = temporaryFolder();
    const file = join(folder, 'lock') as HostPath;
    writeFileSync(join(folder, nameOf(child.pid ?? 0)), '');
    expect(takeOwnerLock(file)).toEqual({ heldBy: child.pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect('heldBy' in takeOwnerLock(file)).toBe(false);
    expect(readdirSync(folder)).toEqual([nameOf(process.pid)]);
  });

  it('is not lost by its new owner when the old one ends twice', () => {
    const file = join(temporaryFolder(), 'lock') as HostPath;
    const first = takeOwnerLock(file);
    if ('heldBy' in first) throw new Error('a fresh lock is held');
    first[Symbol.dispose]();
    const second = takeOwnerLock(file);
    first[Symbol.dispose]();
    expect('heldBy' in second).toBe(false);
    expect(liveOwner(file)).toBe(process.pid);
  });

  it.each([
    ['another process with the same id', `lock.${process.pid}.1.${boot}`],
    ['the same process of another boot', nameOf(process.pid).replace(boot, 'ffffffff')],
    ['the lock of another name', nameOf(process.pid).replace('lock', 'lock.more')],
    ['a file that is no lock', 'lock.txt'],
    ['a name without an owner', 'lock'],
  ])('does not take %s for its owner', (_, name) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, name), '');
    expect(liveOwner(join(folder, 'lock') as HostPath)).toBeUndefined();
    expect('heldBy' in takeOwnerLock(join(folder, 'lock') as HostPath)).toBe(false);
  });

  it('is held by at most one of many that find a dead one at the same moment, again and again', async () => {
    const folder = temporaryFolder();
    const module = JSON.stringify(new URL('../../../src/base/owner-lock.ts', import.meta.url).href);
    const script = `
      const { takeOwnerLock } = await import(${module});
      const { writeFileSync, closeSync, openSync, rmSync } = await import('node:fs');
      let held = 0, clashes = 0;
      for (const end = Date.now() + 1200; Date.now() < end; ) {
        const lock = takeOwnerLock('${folder}/lock');
        if ('heldBy' in lock) continue;
        try { closeSync(openSync('${folder}/inside', 'wx')); } catch { clashes++; }
        held++;
        rmSync('${folder}/inside', { force: true });
        writeFileSync('${folder}/lock.99999999' + (held % 9) + '.1.${boot}', '');
        lock[Symbol.dispose]();
      }
      console.log(JSON.stringify({ held, clashes }));`;
    const runs = await Promise.all(
      [1, 2, 3].map(async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script]);
        let out = '';
        child.stdout.on('data', (chunk: Buffer) => {
          out += chunk;
        });
        await once(child, 'close');
        return JSON.parse(out) as { held: number; clashes: number };
      }),
    );
    expect(runs.map(({ clashes }) => clashes)).toEqual([0, 0, 0]);
    expect(runs.every(({ held }) => held > 0)).toBe(true);
  });
});
