/**
 * What the guest agent does to turn a fresh machine into a sandbox, as SETUP operations. Paths before ROOT are those
 * of the first root; nothing of it can be seen from the new one.
 */
import { randomBytes } from 'node:crypto';
import type { SetupOperation } from '../../protocol/setup.ts';
import type { LaunchSpec } from '../backend.ts';
import { TREE_TAG } from './machine.ts';

/** mount(2) flags. */
const RDONLY = 1;
const NOSUID = 2;
const NODEV = 4;
const NOEXEC = 8;

const NEW_ROOT = '/newroot';
const SCRATCH = '/scratch';
/** The disks in the order in which the guest's kernel finds them; the machine is always the same. */
const PROJECT_DISK = '/dev/vda';
const SCRATCH_DISK = '/dev/vdb';

export interface GuestUser {
  name: string;
  home: string;
}

/** Who executions run as, by name, and where they are at home. The host's own names stay on the host. */
export function guestUser(uid: number): GuestUser {
  return uid === 0 ? { name: 'root', home: '/root' } : { name: 'user', home: '/home/user' };
}

/** The operations for a sandbox, in order. */
export function planSetup(spec: LaunchSpec): SetupOperation[] {
  return [
    ...planRoot(),
    ...planSystemMounts(),
    ...planWorkspace(spec),
    ...planIdentity(spec),
    { op: 'workspace', path: spec.workspace, upper: `${SCRATCH}/workspace/upper` },
    { op: 'root', path: NEW_ROOT },
    { op: 'cgroup', path: '/sys/fs/cgroup', pids: spec.pids },
  ];
}

function planRoot(): SetupOperation[] {
  return [
    mount(SCRATCH_DISK, SCRATCH, 'ext4', NODEV, ''),
    mount(
      TREE_TAG,
      '/tree-ro',
      '9p',
      RDONLY | NODEV,
      'trans=virtio,version=9p2000.L,msize=512000,cache=loose',
    ),
    ...overlay('/tree-ro', `${SCRATCH}/root`, NEW_ROOT, 0, 0),
  ];
}

function planSystemMounts(): SetupOperation[] {
  const at = (path: string) => `${NEW_ROOT}${path}`;
  return [
    mount('proc', at('/proc'), 'proc', NOSUID | NODEV | NOEXEC, ''),
    mount('sysfs', at('/sys'), 'sysfs', RDONLY | NOSUID | NODEV | NOEXEC, ''),
    mount('cgroup2', at('/sys/fs/cgroup'), 'cgroup2', NOSUID | NODEV | NOEXEC, ''),
    mount('devtmpfs', at('/dev'), 'devtmpfs', NOSUID, ''),
    mount('devpts', at('/dev/pts'), 'devpts', NOSUID | NOEXEC, 'gid=5,mode=620,ptmxmode=666'),
    mount('shm', at('/dev/shm'), 'tmpfs', NOSUID | NODEV, 'mode=1777,size=50%'),
    { op: 'symlink', link: at('/dev/fd'), target: '/proc/self/fd' },
    { op: 'symlink', link: at('/dev/stdin'), target: '/proc/self/fd/0' },
    { op: 'symlink', link: at('/dev/stdout'), target: '/proc/self/fd/1' },
    { op: 'symlink', link: at('/dev/stderr'), target: '/proc/self/fd/2' },
    { op: 'symlink', link: at('/dev/ptmx'), target: 'pts/ptmx' },
    mount('run', at('/run'), 'tmpfs', NOSUID | NODEV, 'mode=755,size=25%'),
    { op: 'mkdir', path: at('/run/lock'), mode: 0o1777, uid: 0, gid: 0 },
    ...['/tmp', '/var/tmp'].map(
      (path): SetupOperation => ({ op: 'mkdir', path: at(path), mode: 0o1777, uid: 0, gid: 0 }),
    ),
  ];
}

function planWorkspace(spec: LaunchSpec): SetupOperation[] {
  return [
    mount(PROJECT_DISK, '/base', 'erofs', RDONLY | NODEV, ''),
    ...overlay('/base', `${SCRATCH}/workspace`, `${NEW_ROOT}${spec.workspace}`, spec.uid, spec.gid),
  ];
}

function planIdentity(spec: LaunchSpec): SetupOperation[] {
  const user = guestUser(spec.uid);
  const hostname = `sandbox-${spec.id
    .replace(/[^A-Za-z0-9]/g, '')
    .slice(0, 8)
    .toLowerCase()}`;
  return [
    { op: 'mkdir', path: `${NEW_ROOT}${user.home}`, mode: 0o700, uid: spec.uid, gid: spec.gid },
    file('/etc/passwd', passwdText(spec, user)),
    file('/etc/group', groupText(spec, user)),
    file('/etc/hostname', `${hostname}\n`),
    file('/etc/hosts', `127.0.0.1 localhost ${hostname}\n::1 localhost ip6-localhost\n`),
    file('/etc/machine-id', `${randomBytes(16).toString('hex')}\n`),
    { op: 'hostname', name: hostname },
    { op: 'loopback' },
  ];
}

function passwdText(spec: LaunchSpec, user: GuestUser): string {
  const lines = [
    'root:x:0:0:root:/root:/bin/bash',
    '_apt:x:42:65534::/nonexistent:/usr/sbin/nologin',
    'nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin',
  ];
  if (spec.uid !== 0) lines.unshift(`${user.name}:x:${spec.uid}:${spec.gid}::${user.home}:/bin/bash`);
  return `${lines.join('\n')}\n`;
}

function groupText(spec: LaunchSpec, user: GuestUser): string {
  const lines = ['root:x:0:', 'tty:x:5:', 'nogroup:x:65534:'];
  if (spec.gid !== 0) lines.unshift(`${user.name}:x:${spec.gid}:`);
  return `${lines.join('\n')}\n`;
}

/** A writable view of `lower`, with what is written kept in `store`/upper. */
function overlay(lower: string, store: string, target: string, uid: number, gid: number): SetupOperation[] {
  return [
    { op: 'mkdir', path: `${store}/upper`, mode: 0o755, uid, gid },
    { op: 'mkdir', path: `${store}/work`, mode: 0o755, uid: 0, gid: 0 },
    mount(
      'overlay',
      target,
      'overlay',
      NODEV,
      `lowerdir=${lower},upperdir=${store}/upper,workdir=${store}/work`,
    ),
  ];
}

function mount(source: string, target: string, type: string, flags: number, data: string): SetupOperation {
  return { op: 'mount', source, target, type, flags, data };
}

function file(path: string, text: string): SetupOperation {
  return { op: 'file', path: `${NEW_ROOT}${path}`, mode: 0o644, uid: 0, gid: 0, bytes: Buffer.from(text) };
}
