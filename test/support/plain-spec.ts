import type { LaunchSpec } from '../../src/backends/backend.ts';
import type { GuestPath, HostPath } from '../../src/base/path-bytes.ts';

/** A launch spec for guests that are ordinary processes: run as this user, without limits that they can't keep. */
export function plainSpec(runDir: HostPath, id: string, env: Record<string, string> = {}): LaunchSpec {
  return {
    id,
    runDir,
    workspace: '/home/me/project' as GuestPath,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    cpus: 1,
    memoryBytes: 1 << 30,
    diskBytes: 1 << 30,
    pids: 0,
    env,
  };
}
