/** The container: what the engine is asked for, and what the agent then prepares in it. */
import type { SetupOperation } from '../../protocol/setup.ts';
import type { LaunchSpec } from '../backend.ts';
import { type GuestUser, guestHostname } from '../guest-identity.ts';
import { SYSTEM_PATH } from '../programs.ts';

/** The agent, by its path in the container. */
export const AGENT = '/opt/safe-coder/agent';
export const LABEL = 'safe-coder.sandbox';

/** The agent prepares folders and becomes the execution's user; no mounting, no devices, no network. */
const AGENT_CAPABILITIES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETPCAP',
  'SETUID',
];
/** What executions of root keep of that, by bit: chown, dac_override, fowner, fsetid, kill, setgid, setuid. */
const KEPT_BY_ROOT = 0b1111_1011n;
/** The agent, its supervisors and workers are counted as well. */
const OWN_PROCESSES = 256;
/** Not more than any engine may give: raising its own limit takes a right that it may lack. */
const OPEN_FILES = 4096;
const SHARED_MEMORY = 64 << 20;

export interface ContainerWish {
  spec: LaunchSpec;
  image: string;
  runtime?: string;
  /** The engine's CPUs: it refuses to give more. */
  engineCpus: number;
  /** Whether the storage driver is asked to keep the disk's limit. */
  limitsDisk: boolean;
  /** Whether the image has something where the project goes: then it is hidden. */
  hidesWorkspace: boolean;
}

/** The body of the request that creates it. */
export function describeContainer(wish: ContainerWish): Record<string, unknown> {
  const { spec } = wish;
  return {
    Image: wish.image,
    Hostname: guestHostname(spec),
    User: '0:0',
    WorkingDir: '/',
    Entrypoint: [AGENT],
    Cmd: ['--stdio'],
    Labels: { [LABEL]: spec.id },
    Healthcheck: { Test: ['NONE'] },
    NetworkDisabled: true,
    OpenStdin: true,
    // The container's input ends with our connection, and the agent with its input.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: false,
    HostConfig: hostConfig(wish),
  };
}

function hostConfig({ spec, runtime, engineCpus, limitsDisk, hidesWorkspace }: ContainerWish) {
  // It is memory, and must leave some of it.
  const temp = Math.min(spec.diskBytes, Math.floor(spec.memoryBytes / 2));
  const isInTemp = `${spec.workspace}/`.startsWith('/tmp/');
  return {
    AutoRemove: true,
    NetworkMode: 'none',
    Privileged: false,
    CapDrop: ['ALL'],
    CapAdd: AGENT_CAPABILITIES,
    SecurityOpt: ['no-new-privileges:true'],
    IpcMode: 'private',
    CgroupnsMode: 'private',
    PidsLimit: spec.pids === 0 ? -1 : spec.pids + OWN_PROCESSES,
    Memory: spec.memoryBytes,
    MemorySwap: spec.memoryBytes,
    NanoCpus: Math.min(spec.cpus, engineCpus) * 1e9,
    ShmSize: SHARED_MEMORY,
    Ulimits: [
      { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
      { Name: 'core', Soft: 0, Hard: 0 },
      { Name: 'fsize', Soft: spec.diskBytes, Hard: spec.diskBytes },
    ],
    // What the container says is the wire: the engine must not write it to its disk.
    LogConfig: { Type: 'none', Config: {} },
    ...(isInTemp ? {} : { Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${temp}` } }),
    ...(limitsDisk ? { StorageOpt: { size: String(spec.diskBytes) } } : {}),
    ...(runtime === undefined ? {} : { Runtime: runtime }),
    ...(hidesWorkspace
      ? { Mounts: [{ Type: 'volume', Target: spec.workspace, VolumeOptions: { NoCopy: true } }] }
      : {}),
  };
}

/** Before the project is unpacked: its folder and the user's home. */
export function planBefore({ workspace, uid, gid }: LaunchSpec, user: GuestUser): SetupOperation[] {
  return [
    { op: 'mkdir', path: user.home, mode: uid === 0 ? 0o700 : 0o755, uid, gid },
    { op: 'mkdir', path: workspace, mode: 0o755, uid, gid },
  ];
}

/** After it: what is the workspace, and the confinement of all that runs. */
export function planAfter({ workspace, uid }: LaunchSpec): SetupOperation[] {
  return [
    { op: 'workspace', path: workspace, upper: '' },
    { op: 'confine', keep: uid === 0 ? KEPT_BY_ROOT : 0n },
  ];
}

/** The image's own variables, with who the user is and where our tools are. */
export function environmentOf(imageEnv: readonly string[], user: GuestUser): Record<string, string> {
  const own = Object.fromEntries(
    imageEnv
      .filter((line) => line.indexOf('=') > 0)
      .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
  return {
    LANG: 'C.UTF-8',
    ...own,
    PATH: `${own.PATH ?? SYSTEM_PATH}:/opt/safe-coder/bin`,
    HOME: user.home,
    USER: user.name,
    TERM: 'xterm-256color',
  };
}
