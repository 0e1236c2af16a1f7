/** The bubblewrap backend: a container for each sandbox, made without any privilege. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { SafeCoderError } from '../../base/errors.ts';
import { once, throwIfCancelled, withDeadline } from '../../base/lifetime.ts';
import type { HostPath } from '../../base/path-bytes.ts';
import { killGroup, runProcess } from '../../base/process.ts';
import { prepareToolchain } from '../../image/toolchain.ts';
import type { Backend, BackendMissing, Launched, LaunchSpec } from '../backend.ts';
import { onlyThese } from '../inherited.ts';
import { findProgram, GUEST_PATH, SYSTEM_PATH } from '../programs.ts';
import { readRootLinks } from '../root-links.ts';
import {
  BASE,
  CONTAINER_ROOT,
  type ContainerParts,
  containerArguments,
  findClosedProc,
  planAfter,
  planBefore,
} from './container.ts';
import { type GroupLimits, joiningCommand, makeGroups } from './limits.ts';

export interface BubblewrapOptions {
  cacheDir: HostPath;
  /** The guest agent, built statically. */
  agentBinary: HostPath;
  /** ripgrep, static. */
  rgBinary: HostPath;
  /** Folders of further toolchains that the guest may read, at their own paths; their `bin` joins PATH. */
  toolchainFolders?: readonly HostPath[];
  /** Where bwrap is looked for. Default: the system's folders. */
  path?: string;
  /** Called when a container runs without a limit that was asked for. */
  onWarning?: (message: string) => void;
}

const TRY_MS = 10_000;
const LEAVE_MS = 3_000;
const TAIL_BYTES = 8192;
/** Mounting an overlay is what an old or a locked-down kernel refuses. */
const TRY_SCRIPT =
  'mkdir /s/u /s/w /s/l /s/m && mount -t overlay overlay -o lowerdir=/s/l,upperdir=/s/u,workdir=/s/w,userxattr /s/m';

/** Creates the backend; looks at nothing yet. */
export function createBubblewrapBackend(options: BubblewrapOptions): Backend {
  const path = options.path ?? SYSTEM_PATH;
  return {
    name: 'bubblewrap',
    level: 'container',
    missing: async () => findMissing(await findProgram('bwrap', path)),
    async launch(spec, signal) {
      throwIfCancelled(signal);
      const bwrap = await findProgram('bwrap', path);
      const missing = await findMissing(bwrap);
      if (bwrap === undefined || missing !== undefined) {
        throw new SafeCoderError('backend/unavailable', missing?.reason ?? '', { hint: missing?.mend ?? '' });
      }
      const { cacheDir, rgBinary, toolchainFolders = [], agentBinary } = options;
      const [toolchain, rootLinks, closedProc] = await Promise.all([
        prepareToolchain({ cacheDir, rgBinary, folders: toolchainFolders }, signal),
        readRootLinks(),
        findClosedProc(),
      ]);
      throwIfCancelled(signal);
      const groups = await makeGroups(spec);
      if (groups.missing.length > 0) {
        options.onWarning?.(
          `The container's ${groups.missing.join(', ')} are not limited: this user can't make control groups here.`,
        );
      }
      return launchContainer(bwrap, groups, { spec, toolchain, rootLinks, agentBinary, closedProc });
    },
  };
}

async function findMissing(bwrap: string | undefined): Promise<BackendMissing | undefined> {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  if (bwrap === undefined) {
    return {
      reason: 'Missing: bwrap (makes the container).',
      mend: `${sudo}apt-get install -y --no-install-recommends bubblewrap`,
    };
  }
  const { exitCode, stderr } = await runProcess(
    bwrap,
    [
      ...[
        '--unshare-all',
        '--die-with-parent',
        '--clearenv',
        '--uid',
        '0',
        '--gid',
        '0',
        '--cap-add',
        'CAP_SYS_ADMIN',
        ...['--cap-add', 'CAP_DAC_OVERRIDE'],
      ],
      ...['--ro-bind', '/', '/', '--tmpfs', '/mnt', '--chdir', '/', '--setenv', 'PATH', SYSTEM_PATH],
      ...['sh', '-c', TRY_SCRIPT.replaceAll('/s/', '/mnt/')],
    ],
    { env: {}, timeoutMs: TRY_MS },
  );
  if (exitCode === 0) return undefined;
  return {
    reason: `A container can't be made here: ${stderr.trim().split('\n')[0] ?? `bwrap ended with ${exitCode}`}.`,
    mend: 'It needs user namespaces for everybody (sysctl kernel.unprivileged_userns_clone=1) and a kernel from 6.6 on. A virtual machine needs neither: --isolation vm.',
  };
}

async function launchContainer(bwrap: string, groups: GroupLimits, parts: ContainerParts): Promise<Launched> {
  const { spec, toolchain } = parts;
  const [program = bwrap, ...args] = joiningCommand(groups.joinFiles, [bwrap, ...containerArguments(parts)]);
  const cover = openSync('/dev/null', 'r');
  const child = spawn(program, args, {
    cwd: '/',
    env: {},
    detached: true,
    stdio: onlyThese(['ignore', 'ignore', 'pipe', 'pipe'] as const, cover),
  });
  closeSync(cover);
  const tail = keepTail(child);
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(`bwrap could not be started: ${error.message}`));
    child.once('exit', (code, signal) => resolve(`the container ended (${signal ?? `exit code ${code}`})`));
  });
  const channel = child.stdio[3];
  if (child.pid === undefined || !(channel instanceof Duplex)) {
    await groups.remove();
    throw new SafeCoderError(
      'backend/boot-failed',
      `The bubblewrap backend failed: ${await ended} (phase: start).`,
    );
  }
  const end = once(async () => {
    // The agent ends when its connection does, and bwrap takes the whole namespace with it; force is for one that doesn't.
    channel.destroy();
    await withDeadline(ended, LEAVE_MS, () => new Error('late')).catch(() => killGroup(child.pid));
    await ended;
    await groups.remove();
  });
  return {
    channel,
    info: {
      backend: 'bubblewrap',
      level: 'container',
      accel: 'none',
      workspace: spec.workspace,
      capture: 'overlay',
      env: {
        PATH: [...toolchain.path, GUEST_PATH].join(':'),
        HOME: '/root',
        USER: 'root',
        LANG: 'C.UTF-8',
        TERM: 'xterm-256color',
      },
      who: CONTAINER_ROOT,
    },
    setup: planBefore(parts),
    populate: { by: 'unpack', into: BASE as LaunchSpec['workspace'], after: planAfter(parts) },
    restored: false,
    consoleTail: async () => tail(),
    ended,
    end,
    [Symbol.asyncDispose]: end,
  };
}

/** The last that bwrap and the agent said on standard error, fit to show. */
function keepTail(child: ChildProcess): () => string {
  let kept = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    kept = (kept + chunk.toString('utf8')).slice(-TAIL_BYTES);
  });
  return () =>
    kept
      .replace(/[^\x20-\x7e\n]/g, '')
      .trim()
      .split('\n')
      .slice(-20)
      .join('\n');
}
