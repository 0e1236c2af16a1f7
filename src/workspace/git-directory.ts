/**
 * What of a `.git` directory goes into the guest, and how. History, index and references come as they are; hooks, locks and
 * the state of other worktrees stay; configuration is written anew; and text that may quote a URL loses the passwords in it.
 */
import { redactCredentials } from '../policy/credentials.ts';
import { type GitSetting, sanitiseGitConfig } from './git-config.ts';

/**
 * - `copy`: bytes as they are
 * - `config`: see {@link sanitiseGitFile}
 * - `text`: the same
 * - `drop`: does not come along
 */
export type GitTreatment = 'copy' | 'config' | 'text' | 'drop';

/** Text larger than this is dropped: it can't be checked as a whole. */
export const MAX_GIT_TEXT_BYTES = 1 << 20;

/** Folders of content named by its hash, in which nobody writes text. */
const OBJECT_STORES = /(?:^|\/)(?:objects|lfs\/objects|annex\/objects)\//;

/** Indices hold paths and ids, packs of references hold names and ids. */
const BINARY = /(?:^|\/)(?:index|sharedindex\.[0-9a-f]+|packed-refs|shallow)$|(?:^|\/)(?:refs|reftable)\//;

const DROPPED_NAMES =
  /\.lock$|^(?:hooks|worktrees|credentials?|credential-store|\.git-credentials|fsmonitor--daemon(?:\.ipc)?|gk|cookies(?:\.txt)?|askpass.*)$/i;

/** How to treat `path` in a `.git` directory (relative to it, one byte per character). */
export function treatGitPath(path: string, kind: 'file' | 'directory' | 'symlink'): GitTreatment {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (/(?:^|\/)objects\/info\/(?:http-)?alternates$/.test(path)) return 'drop';
  if (OBJECT_STORES.test(path)) return 'copy';
  const isReference = /(?:^|\/)(?:refs|logs)\//.test(path);
  if (isReference ? kind === 'file' && name.endsWith('.lock') : DROPPED_NAMES.test(name)) return 'drop';
  const isConfig = /^config(?:\.|$)/.test(name) && !isReference;
  if (kind === 'directory') return 'copy';
  // A link could make git in the guest read a file that nobody has cleaned.
  if (kind === 'symlink') return isConfig ? 'drop' : 'copy';
  if (isConfig) return 'config';
  // Logs of references lie in folders named like the references themselves, and quote the addresses fetched from.
  const isLog = /(?:^|\/)logs\//.test(path);
  return BINARY.test(path) && !isLog ? 'copy' : 'text';
}

/** A file of `.git` as the guest gets it. `extra` settings go into configuration. */
export function sanitiseGitFile(
  treatment: 'config' | 'text',
  bytes: Uint8Array,
  extra: readonly GitSetting[],
): Buffer {
  const text = Buffer.from(bytes).toString('latin1');
  const clean = treatment === 'config' ? sanitiseGitConfig(text, extra).text : redactCredentials(text);
  return Buffer.from(clean, 'latin1');
}

/**
 * In the guest every file has a new inode and a new ctime, so git would read the whole project again at its first
 * `status`. These settings let it trust times (in seconds) and sizes.
 */
export const GUEST_GIT_SETTINGS: readonly GitSetting[] = [
  { section: 'core', subsection: undefined, key: 'trustctime', value: 'false' },
  { section: 'core', subsection: undefined, key: 'checkstat', value: 'minimal' },
];

/** A repository without history, for a project whose own is elsewhere. Paths are relative to `.git`, parents first. */
export function emptyGitDirectory(
  branch: string,
  objectFormat: 'sha1' | 'sha256',
): [string, string | undefined][] {
  const config =
    objectFormat === 'sha1'
      ? '[core]\n\trepositoryformatversion = 0\n'
      : '[core]\n\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n';
  return [
    ['HEAD', `ref: refs/heads/${branch}\n`],
    ['config', `${config}[core]\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n`],
    ['objects', undefined],
    ['refs', undefined],
  ];
}
