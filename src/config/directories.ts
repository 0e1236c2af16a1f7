/** Where state lives: one folder of SAFE_CODER_HOME, or the XDG folders. All are private (0700) and really ours. */
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
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
 * Throws `environment/unsafe-state-dir` otherwise, and when it can't be made, with the mend.
 */
export function makePrivateDirectory(path: HostPath): void {
  try {
    makeFolders(path);
  } catch (error) {
    const errno = errnoOf(error);
    // A file in its place is told below, like everything else that can't be it.
    if (errno !== 'EEXIST') {
      throw new SafeCoderError(
        'environment/unsafe-state-dir',
        `${path} can't be made (${errno ?? 'no reason given'}).`,
        {
          hint: 'Set SAFE_CODER_HOME to a folder of your own that can be written.',
          cause: error,
        },
      );
    }
  }
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

/**
 * One folder after another: Node's own recursion does not come back from file systems that refuse in odd ways. Throws the
 * system's error.
 */
function makeFolders(path: HostPath): void {
  const missing: string[] = [];
  for (let folder: string = path; !existsSync(folder) && dirname(folder) !== folder; folder = dirname(folder))
    missing.unshift(folder);
  for (const folder of missing) {
    try {
      mkdirSync(folder, { mode: 0o700 });
    } catch (error) {
      // Another start made it at the same time.
      if (errnoOf(error) !== 'EEXIST') throw error;
    }
  }
}
