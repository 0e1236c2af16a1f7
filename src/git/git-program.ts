/**
 * The user's git program, run so that nothing but our own repository and arguments can steer it: found on fixed paths,
 * with an environment made from nothing, away from any worktree.
 */
import { accessSync, constants, realpathSync } from 'node:fs';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { type RunResult, runProcess } from '../base/process.ts';

const FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/opt/homebrew/bin', '/run/current-system/sw/bin'];
let found: HostPath | undefined;

/** Absolute path of git, looked for once. Never from the caller's PATH. Throws `environment/tool-missing`. */
export function resolveGit(): HostPath {
  found ??= findIn(FOLDERS);
  if (found === undefined) {
    throw new SafeCoderError('environment/tool-missing', 'The program git was not found.', {
      hint: 'Install git with your system\'s package manager, or run "safe-coder setup".',
      details: { searched: FOLDERS },
    });
  }
  return found;
}

function findIn(folders: readonly string[]): HostPath | undefined {
  for (const folder of folders) {
    try {
      accessSync(`${folder}/git`, constants.X_OK);
      return realpathSync(`${folder}/git`) as HostPath;
    } catch {
      // Not there or not ours to run: the next folder may have it.
    }
  }
  return undefined;
}

/** The whole environment of every git that we run. */
export const GIT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PATH: '/usr/bin:/bin',
  LC_ALL: 'C',
  HOME: '/nonexistent',
  XDG_CONFIG_HOME: '/nonexistent',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_NO_REPLACE_OBJECTS: '1',
  GIT_NO_LAZY_FETCH: '1',
  GIT_ALLOW_PROTOCOL: 'none',
  GIT_ASKPASS: '/bin/false',
  SSH_ASKPASS: '/bin/false',
};

const SETTINGS = [
  'core.fsmonitor=false',
  'core.hooksPath=/dev/null',
  'core.untrackedCache=false',
  'core.attributesFile=/dev/null',
  'core.excludesFile=/dev/null',
  'core.commitGraph=false',
  'core.autocrlf=false',
  'core.safecrlf=false',
  'core.pager=cat',
  'core.quotePath=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'commit.gpgSign=false',
  'protocol.allow=never',
  'safe.bareRepository=explicit',
];

/** Arguments that put git on `gitDir` and nothing else; the subcommand and its own arguments follow. */
export function gitArguments(gitDir: HostPath, args: readonly string[]): string[] {
  return [`--git-dir=${gitDir}`, '--no-pager', ...SETTINGS.flatMap((setting) => ['-c', setting]), ...args];
}

export interface GitRunOptions {
  gitDir: HostPath;
  /** Subcommand and arguments. Paths that a guest or a repository named don't belong here: pass them as input. */
  args: readonly string[];
  input?: Uint8Array;
  signal?: AbortSignal;
  /** Default 120,000. */
  timeoutMs?: number;
  maxOutputBytes?: number;
}

/** Runs git to its end in `/`. A non-zero exit is a result. Throws as {@link runProcess} does. */
export function runGit(options: GitRunOptions): Promise<RunResult> {
  return runProcess(resolveGit(), gitArguments(options.gitDir, options.args), {
    cwd: '/',
    env: { ...GIT_ENVIRONMENT },
    timeoutMs: options.timeoutMs ?? 120_000,
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.maxOutputBytes === undefined ? {} : { maxOutputBytes: options.maxOutputBytes }),
  });
}
