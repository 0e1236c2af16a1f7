/** An empty git repository in the guest, so that the agent's git commands work in a project that has none. */
import { isSafeCoderError } from '../base/errors.ts';
import type { GuestPath } from '../base/path-bytes.ts';
import type { Guest, Who } from '../guest/guest.ts';

/** Does nothing when the guest has no git. A git that fails leaves the project without a repository, as it was. */
export async function initGit(
  guest: Guest,
  workspace: GuestPath,
  who: Who,
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<void> {
  const argv = ['git', 'init', '--quiet', '--initial-branch=main', '--template='];
  try {
    const process = await guest.spawn(
      { argv, env, cwd: workspace, ...who, onOutput: () => undefined },
      signal,
    );
    await process.ended;
  } catch (error) {
    if (!isSafeCoderError(error, 'guest/failed')) throw error;
  }
}
