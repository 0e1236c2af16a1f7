/**
 * What other tools do after each tool call, and what each attack must hurt: `git add -A` and a commit, in a repository beside
 * the workspace, with the user's own settings.
 */
import { type ExecFileSyncOptions, execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '../support/temp.ts';

const PATIENCE_MS = 4_000;

export interface ShadowRepository {
  workspace: string;
  /** The user's home, with the user's own git settings. */
  home: string;
  /** Runs a script in the workspace, as the guest would. */
  sh(script: string): void;
  /** Throws when git fails, or does not come back. */
  snapshot(): void;
  /** A file as the last snapshot has it, or undefined. */
  read(path: string): string | undefined;
  /** All paths of the last snapshot. */
  paths(): string[];
}

/** `through`: a command that becomes the user whose repository it is. */
export function makeShadowRepository(through: readonly string[] = []): ShadowRepository {
  const folder = temporaryFolder();
  const [workspace, home, store] = [join(folder, 'workspace'), join(folder, 'home'), join(folder, 'store')];
  mkdirSync(workspace);
  mkdirSync(home);
  const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: home };
  const run = (argv: readonly string[], options: ExecFileSyncOptions) => {
    const [file = '', ...args] = [...through, ...argv];
    return execFileSync(file, args, { env, ...options });
  };
  const git = (...args: string[]) =>
    String(
      run(['git', `--git-dir=${store}`, `--work-tree=${workspace}`, ...args], {
        cwd: workspace,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: PATIENCE_MS,
        killSignal: 'SIGKILL',
        encoding: 'latin1',
      }),
    );
  if (through.length > 0) for (const path of [folder, workspace, home]) chmodSync(path, 0o777);
  run(['git', 'init', '-q', '--bare', store], { cwd: folder });
  git('config', 'core.bare', 'false');
  return {
    workspace,
    home,
    sh: (script) => {
      run(['sh', '-ec', script], { cwd: workspace, stdio: 'pipe' });
    },
    snapshot: () => {
      git('add', '-A');
      git(
        '-c',
        'user.name=t',
        '-c',
        'user.email=t@example.com',
        'commit',
        '-q',
        '--allow-empty',
        '-m',
        'step',
      );
    },
    paths: () =>
      git('ls-tree', '-r', '-z', '--name-only', 'HEAD')
        .split('\0')
        .filter((path) => path !== ''),
    read: (path) => {
      try {
        return git('cat-file', 'blob', `HEAD:${path}`);
      } catch {
        // There is no such file in the snapshot.
        return undefined;
      }
    },
  };
}
