/** Which modules a guest needs and in which order they load, read from the modules themselves: depmod isn't needed. */
import { readdir, readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { runProcess } from '../base/process.ts';

/**
 * In load order: checksums first, because ext4 and erofs ask for them by name; then the transports and devices; then
 * the file systems.
 */
export const GUEST_MODULES = [
  'crc32c_generic',
  'virtio_mmio',
  'virtio_console',
  'virtio_blk',
  'virtio_rng',
  '9pnet_virtio',
  '9p',
  'overlay',
  'erofs',
  'ext4',
] as const;

/** Faster where they exist, never necessary. */
export const OPTIONAL_MODULES = ['crc32c_intel'] as const;

export interface KernelModule {
  /** With `_` for `-`, as the kernel names it. */
  name: string;
  /** Decompressed. */
  bytes: Buffer;
}

/**
 * The wanted modules and all they depend on, each after its dependencies. What is built into the kernel is left out.
 * Throws `image/build-failed` when one is neither there nor built in.
 */
export async function resolveModules(
  folder: HostPath,
  wanted: readonly string[],
  optional: readonly string[],
): Promise<KernelModule[]> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const name = /^(.*)\.ko(?:\.xz|\.zst|\.gz)?$/.exec(entry.name)?.[1];
    if (name !== undefined && entry.isFile())
      files.set(kernelName(name), `${entry.parentPath}/${entry.name}`);
  }
  const builtin = await builtinModules(folder);
  const loaded = new Map<string, KernelModule>();
  const visit = async (name: string, isNeeded: boolean): Promise<void> => {
    if (loaded.has(name) || builtin.has(name)) return;
    const file = files.get(name);
    if (file === undefined) {
      if (!isNeeded) return;
      throw new SafeCoderError('image/build-failed', `The guest kernel has no module ${name}.`, {
        hint: 'Remove the folder "kernel" in the cache ("safe-coder doctor" names it), then run "safe-coder setup".',
        details: { module: name },
      });
    }
    const bytes = await readModule(file);
    for (const dependency of moduleDependencies(bytes)) await visit(dependency, true);
    loaded.set(name, { name, bytes });
  };
  for (const name of wanted) await visit(kernelName(name), true);
  for (const name of optional) await visit(kernelName(name), false);
  return [...loaded.values()];
}

/** The names a module says it depends on, from the `depends=` line of its `.modinfo` section. */
export function moduleDependencies(bytes: Buffer): string[] {
  const mark = Buffer.from('\0depends=');
  const start = bytes.indexOf(mark);
  if (start < 0) return [];
  const end = bytes.indexOf(0, start + mark.length);
  const list = bytes.toString('latin1', start + mark.length, end);
  return list === '' ? [] : list.split(',').map(kernelName);
}

function kernelName(name: string): string {
  return name.replaceAll('-', '_');
}

async function builtinModules(folder: string): Promise<Set<string>> {
  const text = await readFile(`${folder}/modules.builtin`, 'latin1');
  return new Set(
    text
      .split('\n')
      .filter((line) => line.endsWith('.ko'))
      .map((line) => kernelName(basename(line, '.ko'))),
  );
}

async function readModule(file: string): Promise<Buffer> {
  const bytes = await readFile(file);
  if (file.endsWith('.ko')) return bytes;
  if (file.endsWith('.zst')) return zstdDecompressSync(bytes);
  return decompress(file.endsWith('.xz') ? 'xz' : 'gzip', bytes);
}

/** Runs one of the usual decompressors over bytes. Throws `image/build-failed` with what it said. */
export async function decompress(program: 'xz' | 'gzip', bytes: Uint8Array): Promise<Buffer> {
  const args = program === 'xz' ? ['-dc', '--single-stream'] : ['-dc'];
  const result = await runProcess(program, args, {
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' },
    input: bytes,
    timeoutMs: 120_000,
    maxOutputBytes: 512 << 20,
  });
  if (result.exitCode !== 0) {
    throw new SafeCoderError(
      'image/build-failed',
      `${program} could not unpack a part of the guest kernel.`,
      {
        details: { stderr: result.stderr.slice(-500) },
      },
    );
  }
  return result.stdout;
}
