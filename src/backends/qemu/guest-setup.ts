/**
 * What the guest agent does to turn a fresh machine into a sandbox, as SETUP operations. Paths before ROOT are those
 * of the first root; nothing of it can be seen from the new one.
 */
import type { SetupOperation } from '../../protocol/setup.ts';
import type { LaunchSpec } from '../backend.ts';
import { guestHostname, guestUser, identityFiles } from '../guest-identity.ts';
import { TREE_TAG } from './machine.ts';

/** mount(2) flags. */
const RDONLY = 1;
const NOSUID = 2;
const NODEV = 4;
const NOEXEC = 8;

const NEW_ROOT = '/newroot';
const SCRATCH = '/scratch';
const ROOT_STORE = `${SCRATCH}/root`;
const WORKSPACE_STORE = `${SCRATCH}/workspace`;
const UPPER = `${ROOT_STORE}/upper`;
const MOUNT_POINTS = ['/proc', '/sys', '/dev', '/run'];
/** The disks in the order in which the guest's kernel finds them; the machine is always the same. */
const PROJECT_DISK = '/dev/vda';
const SCRATCH_DISK = '/dev/vdb';

/**
 * What is the same for every sandbox: done before a machine's state is saved, so that a restored one finds it done.
 * Nothing of 9p, which can't be saved while it is mounted, and nothing of the project or the person.
 */
export function planPrepared(kernelRelease: string): SetupOperation[] {
  return [
    // Zeroing inode tables in the background would write to the host's disk what is a hole there, and reads as zeros.
    mount(SCRATCH_DISK, SCRATCH, 'ext4', NODEV, 'noinit_itable'),
    folder(`${ROOT_STORE}/work`, 0o755),
    folder(`${WORKSPACE_STORE}/work`, 0o755),
    ...['', '/etc', '/var', ...MOUNT_POINTS].map((path) => folder(`${UPPER}${path}`, 0o755)),
    folder(`${UPPER}/tmp`, 0o1777),
    folder(`${UPPER}/var/tmp`, 0o1777),
    { op: 'loopback' },
    // The kernel has one tree of groups: what is made of it here is there wherever it is mounted later.
    mountGroups('/cgroup', kernelRelease),
    { op: 'cgroup', path: '/cgroup', pids: 0 },
  ];
}

/**
 * The operations for a sandbox, in order, for a machine that is prepared or fresh. What the new root needs beside the
 * tree is written to the upper layer before the overlay is mounted: through the overlay, each would first be looked up
 * and copied over 9p.
 */
export function planSetup(
  spec: LaunchSpec,
  { kernelRelease, isPrepared }: { kernelRelease: string; isPrepared: boolean },
): SetupOperation[] {
  return [
    ...(isPrepared ? [] : planPrepared(kernelRelease)),
    ...planFolders(spec),
    ...identityFiles(spec).map(({ path, text }) => file(path, text)),
    { op: 'hostname', name: guestHostname(spec) },
    mount(
      TREE_TAG,
      '/tree-ro',
      '9p',
      RDONLY | NODEV,
      'trans=virtio,version=9p2000.L,msize=512000,cache=loose',
    ),
    mountOverlay('/tree-ro', ROOT_STORE, NEW_ROOT),
    ...planSystemMounts(kernelRelease),
    mount(PROJECT_DISK, '/base', 'erofs', RDONLY | NODEV, ''),
    mountOverlay('/base', WORKSPACE_STORE, `${NEW_ROOT}${spec.workspace}`),
    { op: 'workspace', path: spec.workspace, upper: `${WORKSPACE_STORE}/upper` },
    { op: 'root', path: NEW_ROOT },
    { op: 'cgroup', path: '/sys/fs/cgroup', pids: spec.pids },
  ];
}

function planFolders(spec: LaunchSpec): SetupOperation[] {
  const home = guestUser(spec.uid).home;
  return [
    folder(`${WORKSPACE_STORE}/upper`, 0o755, spec.uid, spec.gid),
    folder(`${UPPER}${home}`, 0o700, spec.uid, spec.gid),
    // After the home folder, which it may well be below; parents are root's, as above a project on the host.
    folder(`${UPPER}${spec.workspace}`, 0o755),
  ];
}

function planSystemMounts(kernelRelease: string): SetupOperation[] {
  const at = (path: string) => `${NEW_ROOT}${path}`;
  return [
    mount('proc', at('/proc'), 'proc', NOSUID | NODEV | NOEXEC, ''),
    mount('sysfs', at('/sys'), 'sysfs', RDONLY | NOSUID | NODEV | NOEXEC, ''),
    mountGroups(at('/sys/fs/cgroup'), kernelRelease),
    mount('devtmpfs', at('/dev'), 'devtmpfs', NOSUID, ''),
    mount('devpts', at('/dev/pts'), 'devpts', NOSUID | NOEXEC, 'gid=5,mode=620,ptmxmode=666'),
    mount('shm', at('/dev/shm'), 'tmpfs', NOSUID | NODEV, 'mode=1777,size=50%'),
    { op: 'symlink', link: at('/dev/fd'), target: '/proc/self/fd' },
    { op: 'symlink', link: at('/dev/stdin'), target: '/proc/self/fd/0' },
    { op: 'symlink', link: at('/dev/stdout'), target: '/proc/self/fd/1' },
    { op: 'symlink', link: at('/dev/stderr'), target: '/proc/self/fd/2' },
    { op: 'symlink', link: at('/dev/ptmx'), target: 'pts/ptmx' },
    mount('run', at('/run'), 'tmpfs', NOSUID | NODEV, 'mode=755,size=25%'),
    folder(at('/run/lock'), 0o1777),
  ];
}

/**
 * The tree of groups. `favordynmods` spares every execution the kernel's waiting for a moment when nobody forks, which
 * is a third of a short command's time; kernels before 6.0 don't know it. The last mount decides, so each one says it.
 */
function mountGroups(target: string, kernelRelease: string): SetupOperation {
  const isKnown = Number.parseInt(kernelRelease, 10) >= 6;
  return mount('cgroup2', target, 'cgroup2', NOSUID | NODEV | NOEXEC, isKnown ? 'favordynmods' : '');
}

/** A writable view of `lower`, with what is written kept in `store`/upper. */
function mountOverlay(lower: string, store: string, target: string): SetupOperation {
  const data = `lowerdir=${lower},upperdir=${store}/upper,workdir=${store}/work`;
  return mount('overlay', target, 'overlay', NODEV, data);
}

function folder(path: string, mode: number, uid = 0, gid = 0): SetupOperation {
  return { op: 'mkdir', path, mode, uid, gid };
}

function mount(source: string, target: string, type: string, flags: number, data: string): SetupOperation {
  return { op: 'mount', source, target, type, flags, data };
}

function file(path: string, text: string): SetupOperation {
  return { op: 'file', path: `${UPPER}${path}`, mode: 0o644, uid: 0, gid: 0, bytes: Buffer.from(text) };
}
