import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { liveOwner, processIdentity, takeOwnerLock } from '../../../src/base/owner-lock.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../support/temp.ts';

describe('an owner lock', () => {
  it('is held by one process and free again after dispose', () => {
    const file = join(temporaryFolder(), 'lock') as HostPath;
    const lock = takeOwnerLock(file);
    if ('heldBy' in lock) throw new Error('a fresh lock is held');
    expect(liveOwner(file)).toBe(process.pid);
    expect(takeOwnerLock(file)).toEqual({ heldBy: process.pid });
    lock[Symbol.dispose]();
    lock[Symbol.dispose]();
    expect(existsSync(file)).toBe(false);
  });

  it('is taken over from a process that is gone', async () => {
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    const file = join(temporaryFolder(), 'lock') as HostPath;
    writeFileSync(file, processIdentity(child.pid ?? 0) ?? '');
    expect(takeOwnerLock(file)).toEqual({ heldBy: child.pid });
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect('heldBy' in takeOwnerLock(file)).toBe(false);
    expect(readFileSync(file, 'latin1')).toBe(processIdentity(process.pid));
  });

  it('is not lost by its new owner when the old one ends twice', () => {
    const file = join(temporaryFolder(), 'lock') as HostPath;
    const first = takeOwnerLock(file);
    if ('heldBy' in first) throw new Error('a fresh lock is held');
    first[Symbol.dispose]();
    const second = takeOwnerLock(file);
    first[Symbol.dispose]();
    expect('heldBy' in second).toBe(false);
    expect(existsSync(file)).toBe(true);
  });

  it('leaves nothing beside it', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'lock') as HostPath;
    writeFileSync(file, '999999999 1');
    const lock = takeOwnerLock(file);
    takeOwnerLock(file);
    expect(readdirSync(folder)).toEqual(['lock']);
    if (!('heldBy' in lock)) lock[Symbol.dispose]();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('does not take another process with the same id for its owner', () => {
    const file = join(temporaryFolder(), 'lock') as HostPath;
    writeFileSync(file, `${process.pid} 1`);
    expect(liveOwner(file)).toBeUndefined();
  });

  it.each(['', 'x', '-1 5', '99999999999 1', '1\n2'])('treats the content %j as nobody', (content) => {
    const file = join(temporaryFolder(), 'lock') as HostPath;
    writeFileSync(file, content);
    expect(liveOwner(file)).toBeUndefined();
  });
});
