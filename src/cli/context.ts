/** What every command starts from: folders, settings, the screen, and the signals of this process. */
import { existsSync, realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { type Directories, makePrivateDirectory, resolveDirectories } from '../config/directories.ts';
import { type LoadedConfig, loadConfig } from '../config/load.ts';
import { compileUserRules, type UserRules } from '../policy/risk/user-rules.ts';
import { createScreens, type Screen } from '../tui/style.ts';

export interface CommonFlags {
  path?: string;
  config?: string;
  json?: boolean;
  plain?: boolean;
  quiet?: boolean;
  demo?: boolean;
  isolation?: string;
  backend?: string;
  image?: string;
  runtime?: string;
  cpus?: string;
  memory?: string;
  disk?: string;
  pids?: string;
  network?: string;
  allow?: string[];
  share?: string[];
  model?: string;
  baseUrl?: string;
  maxTurns?: number;
  maxCost?: string;
  timeout?: string;
}

export interface Context {
  directories: Directories;
  home: HostPath;
  /** The project's root, absolute; not checked. */
  project: HostPath;
  config: LoadedConfig;
  /** Where the person's own settings are, or would be. */
  userFile: HostPath;
  /** Standard output, for what was asked for. */
  out: Screen;
  /** Standard error, for everything else. */
  err: Screen;
  json: boolean;
  quiet: boolean;
  plain: boolean;
  environment: Record<string, string | undefined>;
}

const SETTING_FLAGS = [
  'isolation',
  'backend',
  'image',
  'cpus',
  'memory',
  'disk',
  'pids',
  'network',
  'allow',
  'share',
  'model',
  'baseUrl',
  'maxTurns',
  'maxCost',
  'timeout',
] as const;

export function createContext(flags: CommonFlags): Context {
  const environment = process.env;
  const home = homedir() as HostPath;
  const directories = resolveDirectories(environment, home);
  for (const folder of [directories.config, directories.state, directories.cache])
    makePrivateDirectory(folder);
  const named = resolve(flags.path ?? '.');
  // Sessions are kept under the project's real path, however it was named.
  const project = (existsSync(named) ? realpathSync(named) : named) as HostPath;
  const userFile = resolve(flags.config ?? join(directories.config, 'config.jsonc')) as HostPath;
  const config = loadConfig({
    userFile,
    userFileIsRequired: flags.config !== undefined,
    project: existsSync(project) ? project : undefined,
    environment,
    flags: settingFlags(flags),
  });
  const plain = flags.plain === true;
  return {
    directories,
    home,
    project,
    config,
    userFile,
    ...createScreens({ out: process.stdout, err: process.stderr }, { plain, environment }),
    json: flags.json === true,
    quiet: flags.quiet === true,
    plain,
    environment,
  };
}

/** The settings' own risk rules, for whoever lists changes. */
export function userRulesOf({ config }: Pick<Context, 'config'>): UserRules {
  return compileUserRules(config.settings.risk.rules);
}

function settingFlags(flags: CommonFlags): Record<string, unknown> {
  if (flags.demo && (flags.isolation ?? 'demo') !== 'demo') {
    throw new SafeCoderError(
      'usage/bad-argument',
      `--demo and --isolation ${flags.isolation} exclude each other.`,
    );
  }
  if (!flags.demo && (flags.isolation === 'demo' || flags.backend === 'demo')) {
    throw new SafeCoderError('usage/bad-argument', 'The demo runs only when it is asked for by --demo.', {
      hint: 'It has no isolation: tools run on this machine.',
    });
  }
  const given: Record<string, unknown> = flags.demo ? { isolation: 'demo', backend: 'demo' } : {};
  for (const name of SETTING_FLAGS) if (flags[name] !== undefined) given[name] = flags[name];
  if (flags.runtime !== undefined) given.dockerRuntime = flags.runtime;
  return given;
}

/**
 * Runs a command under a signal that SIGINT, SIGTERM and SIGHUP abort. A second SIGINT ends the process at once; what
 * it left (a guest dies with us, a journal is finished at the next start) is safe.
 */
export async function withSignals<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals) => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new SafeCoderError('cancelled', `Cancelled by ${name}.`));
  };
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const name of names) process.on(name, onSignal);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of names) process.off(name, onSignal);
  }
}
