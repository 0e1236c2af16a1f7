/** Where state lives: one folder of SAFE_CODER_HOME, or the XDG folders. All are private (0700) and really ours. */
import { lstatSync, mkdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';

export interface Directories {
  config: HostPath;
  /** Sessions, journals, backups: what must not be lost. */
  state: HostPath;
  /** Kernel, images, saved states: what can be made again. */
  cache: HostPath;
}

/** Decides the folders; makes nothing. */
export function resolveDirectories(
  environment: Record<string, string | undefined>,
  home: string,
): Directories {
  const { SAFE_CODER_HOME: own } = environment;
  if (own) {
    if (!isAbsolute(own)) {
      throw new SafeCoderError('config/invalid', `SAFE_CODER_HOME is not an absolute path: ${own}.`);
    }
    return {
      config: join(own, 'config') as HostPath,
      state: join(own, 'state') as HostPath,
      cache: join(own, 'cache') as HostPath,
    };
  }
  const folder = (variable: string, fallback: string) => {
    const value = environment[variable];
    return join(value && isAbsolute(value) ? value : join(home, fallback), 'safe-coder') as HostPath;
  };
  return {
    config: folder('XDG_CONFIG_HOME', '.config'),
    state: folder('XDG_STATE_HOME', '.local/state'),
    cache: folder('XDG_CACHE_HOME', '.cache'),
  };
}

/**
 * Makes a private folder, or accepts an existing one that is a real directory of ours without access for others.
 * Throws `environment/unsafe-state-dir` otherwise, with the mend.
 */
export function makePrivateDirectory(path: HostPath): void {
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const stat = lstatSync(path);
  const uid = process.getuid?.() ?? -1;
  if (!stat.isDirectory()) {
    throw new SafeCoderError(
      'environment/unsafe-state-dir',
      `${path} is not a directory (a symlink is not accepted).`,
      {
        hint: 'Remove it, or set SAFE_CODER_HOME to another folder.',
      },
    );
  }
  if (stat.uid !== uid) {
    throw new SafeCoderError(
      'environment/unsafe-state-dir',
      `${path} belongs to another user (uid ${stat.uid}).`,
      {
        hint: 'Remove it, or set SAFE_CODER_HOME to a folder of your own.',
      },
    );
  }
  if ((stat.mode & 0o077) !== 0) {
    throw new SafeCoderError('environment/unsafe-state-dir', `${path} can be read by other users.`, {
      hint: `Run: chmod 700 ${path}`,
    });
  }
}
