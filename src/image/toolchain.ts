/**
 * The tree that a guest gets as its read-only root: the machine's own /usr, links into it, and an /etc made up from
 * what tools need. Nothing of a home directory, no credentials, no host name, no user's or administrator's settings.
 */
import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { exists, makeOnce } from './make-once.ts';

export interface ToolchainOptions {
  cacheDir: HostPath;
  /** ripgrep, to be offered where the machine has none. */
  rgBinary: HostPath;
  /** Further folders to show read-only at their own paths, such as a Node version manager's. The user's choice. */
  folders: readonly HostPath[];
}

export interface PreparedToolchain {
  /** The made-up part of the tree. */
  base: HostPath;
  /** What is bound read-only into it, in order: host path and path in the tree. */
  binds: { from: string; at: string }[];
  /** Folders of programs to put before the usual ones in PATH. */
  path: string[];
}

/** Links at the root of a merged-/usr system; a folder of that name is bound instead. */
const ROOT_LINKS = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'];
const EMPTY_FOLDERS = ['usr', 'proc', 'sys', 'dev', 'run', 'tmp', 'home', 'root', 'mnt', 'srv', 'var'];
/** Files and folders of /etc that hold no secret and no personal setting, and that common tools read. */
const ETC_COPIED = [
  'alternatives',
  'bash.bashrc',
  'ca-certificates.conf',
  'debian_version',
  'java-17-openjdk',
  'java-21-openjdk',
  'ld.so.cache',
  'ld.so.conf',
  'ld.so.conf.d',
  'localtime',
  'locale.alias',
  'lsb-release',
  'magic',
  'magic.mime',
  'mime.types',
  'os-release',
  'perl',
  'profile',
  'protocols',
  'python3',
  'rpc',
  'services',
  'shells',
  'ssl/certs',
  'ssl/openssl.cnf',
  'terminfo',
  'timezone',
];
const ETC_WRITTEN: Record<string, string> = {
  passwd: 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  group: 'root:x:0:\nnogroup:x:65534:\n',
  hosts: '127.0.0.1 localhost\n::1 localhost ip6-localhost\n',
  'nsswitch.conf':
    'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nservices: files\nprotocols: files\n',
  'resolv.conf': '',
  'host.conf': 'multi on\n',
  fstab: '',
  'login.defs': 'UMASK 022\nUID_MIN 1000\nGID_MIN 1000\n',
  inputrc: 'set bell-style none\n',
};
/** Raised when what is made below changes. */
const LAYOUT = 2;

/**
 * The made-up part of the tree, made once and again when the machine's own files changed (its dynamic linker's cache,
 * alternatives or certificates), and what to bind into it.
 */
export async function prepareToolchain(
  options: ToolchainOptions,
  signal?: AbortSignal,
): Promise<PreparedToolchain> {
  const key = await sourceKey(options);
  const base = `${options.cacheDir}/toolchain/${key}` as HostPath;
  await makeOnce(base, (temporary) => buildBase(temporary, options), signal);
  const binds = [{ from: '/usr', at: '/usr' }];
  for (const name of ROOT_LINKS) {
    const kind = await lstatOrNothing(`/${name}`);
    if (kind?.isDirectory()) binds.push({ from: `/${name}`, at: `/${name}` });
  }
  // The package database makes dpkg and apt work; it says what is installed in /usr, which the guest sees anyway.
  if (await exists('/var/lib/dpkg/status')) binds.push({ from: '/var/lib/dpkg', at: '/var/lib/dpkg' });
  for (const folder of options.folders) binds.push({ from: await realpath(folder), at: folder });
  const path = options.folders.map((folder) => `${folder}/bin`);
  return { base, binds, path };
}

async function sourceKey(options: ToolchainOptions): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([LAYOUT, options.folders]));
  for (const path of [options.rgBinary, ...ETC_COPIED.map((name) => `/etc/${name}`)]) {
    const found = await stat(path, { bigint: true }).catch(() => undefined); // Absent: that is part of the key.
    hash.update(`${path} ${found?.size} ${found?.mtimeNs}\n`);
  }
  return hash.digest('hex').slice(0, 24);
}

async function buildBase(base: HostPath, options: ToolchainOptions): Promise<void> {
  await makeFolder(base);
  for (const folder of [...EMPTY_FOLDERS, 'var/lib/dpkg', 'var/cache', 'var/log', 'var/tmp', 'etc']) {
    await makeFolder(`${base}/${folder}`);
  }
  for (const name of ROOT_LINKS) await buildRootLink(base, name);
  for (const folder of options.folders) await makeFolder(`${base}${folder}`);
  for (const [name, text] of Object.entries(ETC_WRITTEN)) await writeShared(`${base}/etc/${name}`, text);
  for (const name of ETC_COPIED) await copyPlain(`/etc/${name}`, `${base}/etc/${name}`);
  await makeFolder(`${base}/opt/safe-coder/bin`);
  await copyFile(options.rgBinary, `${base}/opt/safe-coder/bin/rg`);
  await chmod(`${base}/opt/safe-coder/bin/rg`, 0o755);
}

async function buildRootLink(base: string, name: string): Promise<void> {
  const found = await lstatOrNothing(`/${name}`);
  if (found?.isSymbolicLink()) await symlink(await readlink(`/${name}`), `${base}/${name}`);
  else if (found?.isDirectory()) await makeFolder(`${base}/${name}`);
}

/** Copies files, folders and links as they are. What can't be read by everybody is not for a guest: it is left out. */
async function copyPlain(from: string, to: string): Promise<void> {
  const found = await lstatOrNothing(from);
  if (found === undefined) return;
  if (found.isSymbolicLink()) {
    await makeFolder(dirname(to));
    await symlink(await readlink(from), to);
  } else if (found.isDirectory() && (found.mode & 0o005) === 0o005) {
    await makeFolder(to);
    for (const name of await readdir(from)) await copyPlain(`${from}/${name}`, `${to}/${name}`);
  } else if (found.isFile() && (found.mode & 0o004) !== 0) {
    await makeFolder(dirname(to));
    await writeShared(to, await readFile(from));
  }
}

/** The umask of whoever runs us must not decide what a guest's users can read. */
async function writeShared(path: string, content: string | Buffer): Promise<void> {
  await writeFile(path, content);
  await chmod(path, 0o644);
}

async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o755 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755);
}

async function lstatOrNothing(path: string) {
  try {
    return await lstat(path);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
