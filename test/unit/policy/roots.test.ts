import { describe, expect, test } from 'vitest';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { unsafeRootReason } from '../../../src/policy/roots.ts';

const AVOID = {
  home: '/home/ann' as HostPath,
  stateFolders: ['/home/ann/.local/state/safe-coder' as HostPath],
};

function isRefused(root: string): boolean {
  return unsafeRootReason(root as HostPath, AVOID) !== undefined;
}

describe('a project folder', () => {
  test.each([
    '/',
    '/home',
    '/home/ann',
    '/usr',
    '/usr/lib',
    '/etc',
    '/var',
    '/tmp',
    '/proc/self',
    '/sys/fs',
    '/dev/shm',
    '/dev/pts',
    '/root',
    '/opt',
    '/home/ann/.ssh',
    '/home/ann/.ssh/keys',
    '/home/ann/.aws',
    '/home/ann/.gnupg',
    '/home/ann/.config',
    '/home/ann/Downloads',
    '/home/ann/.local/state/safe-coder',
    '/home/ann/.local/state/safe-coder/sessions/1',
    '/home/ann/.local/state',
  ])('is refused when it is %s', (root) => {
    expect(isRefused(root)).toBe(true);
  });

  test.each([
    '/home/ann/code',
    '/home/ann/Documents/thesis',
    '/home/annabel',
    '/home/ann-code',
    '/tmp/x',
    '/dev/shm/x',
    '/opt/project',
    '/srv/www',
    '/root/app',
    '/usr/src/linux',
    '/var/www/site',
    '/home/ann/.config/nvim',
    '/home/ann/.local/state/safe-coder-notes',
    '/etcetera',
  ])('may be %s', (root) => {
    expect(unsafeRootReason(root as HostPath, AVOID)).toBeUndefined();
  });

  test('may be anywhere but in the system when there is no home', () => {
    expect(unsafeRootReason('/data/x' as HostPath, { home: undefined, stateFolders: [] })).toBeUndefined();
    expect(unsafeRootReason('/etc' as HostPath, { home: undefined, stateFolders: [] })).toBeDefined();
  });
});
