/**
 * The container: bubblewrap's namespaces around the guest agent, which puts the guest's root together from overlays in
 * memory and then confines every execution. The kernel is the host's: that is the level's name and its limit.
 */
import type { HostPath } from '../../base/path-bytes.ts';
import { exists } from '../../image/make-once.ts';
import type { PreparedToolchain } from '../../image/toolchain.ts';
import type { SetupOperation } from '../../protocol/setup.ts';
import type { LaunchSpec } from '../backend.ts';
import { guestHostname, guestUser, identityFiles } from '../guest-identity.ts';
import { hideProject } from '../hide-project.ts';

/** mount(2) flags. */
const RDONLY = 1;
const NOSUID = 2;
const NODEV = 4;
const NOEXEC = 8;
const REMOUNT = 32;
const BIND = 4096;
const RECURSIVE = 16_384;

const TREE = '/tree';
const AGENT = '/agent';
const SCRATCH = '/scratch';
const NEW_ROOT = '/newroot';
/** Where the project is unpacked to, below what executions write. */
export const BASE = `${SCRATCH}/base`;
/** Root of the container, who is nobody but the person outside of it. */
export const CONTAINER_ROOT = { uid: 0, gid: 0 };

/** What the agent needs while it puts the root together, by name. */
const AGENT_CAPABILITIES = [
  'CAP_SYS_ADMIN',
  'CAP_SYS_CHROOT',
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_SETUID',
];
/** What executions keep of that, by bit: chown, dac_override, fowner, fsetid, kill, setgid, setuid. */
const KEPT = 0b1111_1011n;

export interface ContainerParts {
  spec: LaunchSpec;
  toolchain: PreparedToolchain;
  rootLinks: { name: string; target: string | undefined }[];
  agentBinary: HostPath;
  /** What of /proc is to be closed: see {@link findClosedProc}. */
  closedProc: string[];
}

/** Arguments for bwrap, the agent's command included; the agent speaks on descriptor 3. */
export function containerArguments({ spec, toolchain, rootLinks, agentBinary }: ContainerParts): string[] {
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session', '--clearenv', '--uid', '0', '--gid', '0'],
    ...['--hostname', guestHostname(spec), '--cap-drop', 'ALL'],
    ...AGENT_CAPABILITIES.flatMap((name) => ['--cap-add', name]),
    ...['--proc', '/proc', '--dev', '/dev', '--size', String(spec.diskBytes), '--tmpfs', SCRATCH],
    ...['--dir', NEW_ROOT, '--ro-bind', agentBinary, AGENT, '--ro-bind', toolchain.base, TREE],
    ...toolchain.binds.flatMap((bind) => ['--ro-bind', bind.from, `${TREE}${bind.at}`]),
    ...hideProject({ toolchain, rootLinks, project: spec.workspace }, TREE),
    ...['--chdir', '/', '--', AGENT, '--fd', '3'],
  ];
}

/** Before the project is unpacked: folders in memory, and what the guest is to itself. */
export function planBefore({ spec, toolchain }: ContainerParts): SetupOperation[] {
  const root = layer('root');
  return [
    folder(BASE, 0o755),
    ...overlaid(toolchain).flatMap(({ name }) => [
      folder(`${layer(name)}/upper`, 0o755),
      folder(`${layer(name)}/work`, 0o755),
    ]),
    ...[`${layer('workspace')}/upper`, `${layer('workspace')}/work`].map((path) => folder(path, 0o755)),
    ...['/proc', '/dev', '/run', '/etc', '/var'].map((path) => folder(`${root}/upper${path}`, 0o755)),
    ...['/tmp', '/var/tmp', '/run/lock'].map((path) => folder(`${root}/upper${path}`, 0o1777)),
    folder(`${root}/upper${guestUser(0).home}`, 0o700),
    folder(`${root}/upper${spec.workspace}`, 0o755),
    // There is one user only: apt has no other to become.
    file(`${root}/upper/etc/apt/apt.conf.d/80container`, 'APT::Sandbox::User "root";\n'),
    ...identityFiles({ ...spec, ...CONTAINER_ROOT }).map(({ path, text }) =>
      file(`${root}/upper${path}`, text),
    ),
  ];
}

/** After it: the overlays, the new root, and the confinement of all that runs in it. */
export function planAfter({ spec, toolchain, closedProc }: ContainerParts): SetupOperation[] {
  return [
    ...overlaid(toolchain).map(({ name, at }) => overlay(`${TREE}${at}`, name, `${NEW_ROOT}${at}`)),
    bind('/proc', `${NEW_ROOT}/proc`),
    ...closedProc.flatMap(closePath),
    bind('/dev', `${NEW_ROOT}/dev`),
    overlay(BASE, 'workspace', `${NEW_ROOT}${spec.workspace}`),
    { op: 'workspace', path: spec.workspace, upper: `${layer('workspace')}/upper` },
    { op: 'root', path: NEW_ROOT },
    { op: 'confine', keep: KEPT },
  ];
}

/** An overlay shows nothing that is mounted below its lower folder: each part of the tree gets one of its own. */
function overlaid(toolchain: PreparedToolchain): { name: string; at: string }[] {
  return [
    { name: 'root', at: '' },
    ...toolchain.binds.map(({ at }, index) => ({ name: `part${index}`, at })),
  ];
}

function layer(name: string): string {
  return `${SCRATCH}/${name}`;
}

function overlay(lower: string, name: string, target: string): SetupOperation {
  const store = layer(name);
  const data = `lowerdir=${lower},upperdir=${store}/upper,workdir=${store}/work,userxattr`;
  return { op: 'mount', source: 'overlay', target, type: 'overlay', flags: NODEV, data };
}

function bind(source: string, target: string): SetupOperation {
  return { op: 'mount', source, target, type: '', flags: BIND | RECURSIVE, data: '' };
}

/**
 * What of the kernel's own /proc only its owner may write, or nobody in a container needs to read. For a container that
 * root starts, its root is that owner.
 */
export async function findClosedProc(): Promise<string[]> {
  const names = [
    'sys',
    'sysrq-trigger',
    'fs',
    'acpi',
    'scsi',
    'kcore',
    'keys',
    'timer_list',
    'sched_debug',
    'latency_stats',
  ];
  const found = await Promise.all(names.map((name) => exists(`/proc/${name}`)));
  return names.filter((_, index) => found[index]);
}

/** Read-only for good: executions may not mount. */
function closePath(name: string): SetupOperation[] {
  const at = `${NEW_ROOT}/proc/${name}`;
  const flags = BIND | REMOUNT | RDONLY | NOSUID | NODEV | NOEXEC;
  const isSetting = name === 'sys' || name === 'fs';
  const isFolder = isSetting || name === 'acpi' || name === 'scsi';
  if (isFolder && !isSetting) {
    return [
      {
        op: 'mount',
        source: 'tmpfs',
        target: at,
        type: 'tmpfs',
        flags: RDONLY | NOSUID | NODEV | NOEXEC,
        data: '',
      },
    ];
  }
  return [
    bind(isSetting ? at : '/dev/null', at),
    { op: 'mount', source: '', target: at, type: '', flags, data: '' },
  ];
}

function folder(path: string, mode: number): SetupOperation {
  return { op: 'mkdir', path, mode, ...CONTAINER_ROOT };
}

function file(path: string, text: string): SetupOperation {
  return { op: 'file', path, mode: 0o644, ...CONTAINER_ROOT, bytes: Buffer.from(text) };
}
