/** What a sandbox is asked to be, from the settings. */
import type { LaunchSpec } from '../backends/backend.ts';
import type { GuestPath, HostPath } from '../base/path-bytes.ts';
import type { Settings } from '../config/schema.ts';
import type { RunFolder } from './run-folder.ts';

/** The workspace has the project's own absolute path; executions run with the ids of the person who started us. */
export function launchSpec(options: { settings: Settings }, run: RunFolder, root: HostPath): LaunchSpec {
  const { settings } = options;
  return {
    id: run.id,
    runDir: run.path,
    workspace: root as string as GuestPath,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    cpus: settings.cpus,
    memoryBytes: settings.memory,
    diskBytes: settings.disk,
    pids: settings.pids,
    env: { LANG: 'C.UTF-8' },
  };
}
