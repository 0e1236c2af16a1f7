/**
 * Limits of a container by the host's control groups, of either version, where this user may make groups: memory,
 * processes and CPUs. A group is made before the container and holds it from its first process on.
 */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { delay } from '../../base/lifetime.ts';
import type { LaunchSpec } from '../backend.ts';

export interface GroupLimits {
  /** Where a process writes its id to join. */
  joinFiles: string[];
  /** What is not limited here, for people: `memory`, `processes`, `CPUs`. */
  missing: string[];
  /** Removes the groups; their processes are gone by then. Never rejects. */
  remove(): Promise<void>;
}

type Limits = Pick<LaunchSpec, 'id' | 'memoryBytes' | 'pids' | 'cpus'>;

/** CPU time is given out in periods of this many microseconds. */
const PERIOD_US = 100_000;
const REMOVE_TRIES = 20;
/** The agent, its supervisors and workers are in the group as well. */
const OWN_PROCESSES = 256;

interface Controller {
  name: string;
  what: string;
  /** File and value, in order, by version; a file that a kernel may lack is optional. */
  v2: [string, string][];
  v1: [string, string][];
}

function controllers({ memoryBytes, pids, cpus }: Limits): Controller[] {
  const processes = String(pids === 0 ? 'max' : pids + OWN_PROCESSES);
  const quota = String(cpus * PERIOD_US);
  return [
    {
      name: 'memory',
      what: 'memory',
      v2: [['memory.max', String(memoryBytes)]],
      v1: [['memory.limit_in_bytes', String(memoryBytes)]],
    },
    { name: 'pids', what: 'processes', v2: [['pids.max', processes]], v1: [['pids.max', processes]] },
    {
      name: 'cpu',
      what: 'CPUs',
      v2: [['cpu.max', `${quota} ${PERIOD_US}`]],
      v1: [
        ['cpu.cfs_period_us', String(PERIOD_US)],
        ['cpu.cfs_quota_us', quota],
      ],
    },
  ];
}

/** `root` is where control groups are mounted, `own` what /proc/self/cgroup says. Never rejects. */
export async function makeGroups(
  limits: Limits,
  { root = '/sys/fs/cgroup', own }: { root?: string; own?: string } = {},
): Promise<GroupLimits> {
  const membership = own ?? (await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
  const name = `safe-coder-${limits.id}`;
  const isUnified =
    (await readFile(join(root, 'cgroup.controllers'), 'utf8').catch(() => undefined)) !== undefined;
  const made: string[] = [];
  const joinFiles: string[] = [];
  const missing: string[] = [];
  for (const controller of controllers(limits)) {
    const places = isUnified
      ? placesOf(membership, '').map((path) => join(root, path))
      : placesOf(membership, controller.name).map((path) => join(root, controller.name, path));
    const group = await makeGroup(places, name, controller, isUnified, made);
    if (group === undefined) missing.push(controller.what);
    else joinFiles.push(join(group, 'cgroup.procs'));
  }
  return { joinFiles: [...new Set(joinFiles)], missing, remove: () => removeAll(made) };
}

/** This process's own group in a hierarchy, and its root, where an administrator may make groups too. */
function placesOf(membership: string, controller: string): string[] {
  const line = membership
    .split('\n')
    .map((text) => /^\d+:([^:]*):(.*)$/.exec(text))
    .find((found) =>
      (found?.[1] ?? '')
        .replace(/^name=/, '')
        .split(',')
        .includes(controller),
    );
  return [...new Set([line?.[2] ?? '/', '/'])];
}

async function makeGroup(
  places: readonly string[],
  name: string,
  { name: controller, v1, v2 }: Controller,
  isUnified: boolean,
  made: string[],
): Promise<string | undefined> {
  for (const place of places) {
    const group = join(place, name);
    try {
      if (isUnified) await writeFile(join(place, 'cgroup.subtree_control'), `+${controller}`);
      if (!made.includes(group)) {
        await mkdir(group);
        made.push(group);
      }
      for (const [file, value] of isUnified ? v2 : v1)
        await writeFile(join(group, file), value, { flag: 'r+' });
      return group;
    } catch {
      // Not allowed here, or a kernel without it: the next place is tried, and what no place gives is named.
    }
  }
  return undefined;
}

async function removeAll(groups: readonly string[]): Promise<void> {
  for (const group of groups) {
    for (let attempt = 0; attempt < REMOVE_TRIES; attempt++) {
      const isGone = await rmdir(group).then(
        () => true,
        () => false,
      );
      if (isGone) break;
      // The kernel takes a moment to forget the last process.
      await delay(25);
    }
  }
}

/** A command that joins the groups before it becomes what it runs. */
export function joiningCommand(joinFiles: readonly string[], command: readonly string[]): string[] {
  if (joinFiles.length === 0) return [...command];
  const script = 'while [ "$1" != -- ]; do echo $$ > "$1" || exit 125; shift; done; shift; exec "$@"';
  return ['/bin/sh', '-c', script, 'sh', ...joinFiles, '--', ...command];
}
