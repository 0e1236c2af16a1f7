/**
 * The guest's kernel: Debian's own package, fetched and verified by apt (its signatures, its mirrors), unpacked into
 * the cache without root. Kept are the kernel and the few modules a guest needs.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { type RunResult, runProcess } from '../base/process.ts';
import { extractElfKernel } from './kernel-image.ts';
import { GUEST_MODULES, OPTIONAL_MODULES, resolveModules } from './kernel-modules.ts';
import { makeOnce } from './make-once.ts';

export interface KernelOptions {
  cacheDir: HostPath;
  /** The exact environment of apt: PATH, and a proxy's variables where one is needed. */
  env: Record<string, string>;
  signal?: AbortSignal;
  /** Called with what is being done, when there is something to do. */
  onProgress?: (note: string) => void;
}

export interface PreparedKernel {
  /** The release, as `uname -r` prints it in the guest. */
  release: string;
  /** Package, version and content: changes whenever anything of the kernel does. */
  id: string;
  /** What QEMU starts: an ELF kernel, or a bzImage where none could be extracted. */
  kernel: HostPath;
  /** Module files in load order. */
  modules: HostPath[];
}

interface Manifest {
  format: typeof FORMAT;
  release: string;
  id: string;
  kernel: string;
  /** Name and size of every file, in load order for modules: the cheap check that nothing was lost or cut. */
  files: { name: string; bytes: number }[];
}

/** Raised when what is kept changes. */
const FORMAT = 2;
const META_PACKAGE = 'linux-image-amd64';
const DOWNLOAD_MS = 10 * 60_000;

/**
 * The kernel in the cache; fetches it the first time. Later calls only look at a manifest and file sizes. A damaged
 * cache is made anew. Throws `image/build-failed` (with the mend), `environment/tool-missing`, `cancelled`.
 */
export async function prepareKernel(options: KernelOptions): Promise<PreparedKernel> {
  const folder = `${options.cacheDir}/kernel` as HostPath;
  const found = await readPrepared(folder);
  if (found !== undefined) return found;
  await rm(folder, { recursive: true, force: true });
  await makeOnce(folder, (temporary) => buildKernel(temporary, options), options.signal);
  const made = await readPrepared(folder);
  if (made === undefined) {
    throw new SafeCoderError('image/build-failed', `The guest kernel in ${folder} is incomplete.`, {
      hint: `Remove ${folder} and run "safe-coder setup".`,
    });
  }
  return made;
}

/** What is in the cache, if it is whole. */
async function readPrepared(folder: HostPath): Promise<PreparedKernel | undefined> {
  try {
    const manifest = JSON.parse(await readFile(`${folder}/manifest.json`, 'utf8')) as Manifest;
    if (manifest.format !== FORMAT) return undefined;
    for (const file of manifest.files) {
      if ((await stat(`${folder}/${file.name}`)).size !== file.bytes) return undefined;
    }
    return {
      release: manifest.release,
      id: manifest.id,
      kernel: `${folder}/${manifest.kernel}` as HostPath,
      modules: manifest.files
        .filter((file) => file.name.startsWith('modules/'))
        .map((file) => `${folder}/${file.name}` as HostPath),
    };
  } catch {
    // Missing, cut short or not JSON: whatever it is, it is made anew.
    return undefined;
  }
}

async function buildKernel(temporary: HostPath, options: KernelOptions): Promise<void> {
  const download = `${temporary}/download` as HostPath;
  await mkdir(download, { recursive: true, mode: 0o700 });
  await mkdir(`${temporary}/modules`);
  const name = await concretePackage(options);
  options.onProgress?.(`fetching ${name}`);
  await run('apt-get', ['download', name], download, options);
  const archive = (await readdir(download)).find((file) => file.endsWith('.deb'));
  if (archive === undefined)
    throw buildFailed(`apt-get downloaded no ${name}`, 'Run "apt-get update" and try again.');
  options.onProgress?.(`unpacking ${archive}`);
  const tree = `${temporary}/tree` as HostPath;
  await run('dpkg-deb', ['-x', `${download}/${archive}`, tree], temporary, options);
  await writeKernel(temporary, tree, archive);
  await rm(download, { recursive: true });
  await rm(tree, { recursive: true });
}

async function writeKernel(temporary: HostPath, tree: HostPath, archive: string): Promise<void> {
  const image = (await readdir(`${tree}/boot`)).find((file) => file.startsWith('vmlinuz-'));
  if (image === undefined) throw buildFailed(`${archive} holds no kernel`, 'Report this.');
  const release = image.slice('vmlinuz-'.length);
  const bytes = await readFile(`${tree}/boot/${image}`);
  const elf = await extractElfKernel(bytes);
  const kernel = elf === undefined ? 'vmlinuz' : 'vmlinux';
  const files: Manifest['files'] = [];
  const hash = createHash('sha256').update(bytes);
  const write = async (name: string, content: Buffer) => {
    await writeFile(`${temporary}/${name}`, content, { mode: 0o600 });
    hash.update(name).update(content);
    files.push({ name, bytes: content.length });
  };
  await write(kernel, elf ?? bytes);
  const modules = await resolveModules(
    await modulesFolder(tree, release),
    [...GUEST_MODULES],
    [...OPTIONAL_MODULES],
  );
  for (const [index, module] of modules.entries()) {
    await write(`modules/${String(index).padStart(2, '0')}-${module.name}.ko`, module.bytes);
  }
  const id = `${archive.replace(/\.deb$/, '')}-${hash.digest('hex').slice(0, 16)}`;
  const manifest: Manifest = { format: FORMAT, release, id, kernel, files };
  await writeFile(`${temporary}/manifest.json`, JSON.stringify(manifest), { mode: 0o600 });
}

async function modulesFolder(tree: HostPath, release: string): Promise<HostPath> {
  for (const base of ['lib', 'usr/lib']) {
    const folder = `${tree}/${base}/modules/${release}`;
    const found = await stat(folder).catch(() => undefined); // Absent: the other place is tried.
    if (found !== undefined) return folder as HostPath;
  }
  throw buildFailed(`the kernel package holds no modules for ${release}`, 'Report this.');
}

/** The package with the kernel that the distribution's meta package stands for today. */
async function concretePackage(options: KernelOptions): Promise<string> {
  const shown = await run('apt-cache', ['depends', META_PACKAGE], options.cacheDir, options);
  const name = /Depends: (linux-image-\d\S*)/.exec(shown.stdout.toString('utf8'))?.[1];
  if (name === undefined) {
    throw buildFailed(
      `apt knows no package ${META_PACKAGE}`,
      'Run "apt-get update" (as root) and try again; Debian and its relatives have this package.',
    );
  }
  return name;
}

async function run(
  program: string,
  args: string[],
  cwd: HostPath,
  options: KernelOptions,
): Promise<RunResult> {
  const result = await runProcess(program, args, {
    cwd,
    env: { LC_ALL: 'C', ...options.env },
    timeoutMs: DOWNLOAD_MS,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  if (result.exitCode !== 0) {
    throw new SafeCoderError(
      'image/build-failed',
      `The guest kernel could not be prepared: ${program} ${args[0] ?? ''} failed: ${lastLine(result.stderr)}`,
      {
        hint: 'Check the network and that "apt-get update" works, then run "safe-coder setup".',
        details: { stderr: result.stderr.slice(-2000) },
      },
    );
  }
  return result;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

function buildFailed(what: string, hint: string): SafeCoderError {
  return new SafeCoderError('image/build-failed', `The guest kernel could not be prepared: ${what}.`, {
    hint,
  });
}
