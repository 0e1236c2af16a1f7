import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rgPath } from '@vscode/ripgrep';
import type { TestContext } from 'vitest';
import type { LaunchSpec } from '../../src/backends/backend.ts';
import {
  createQemuBackend,
  type QemuBackend,
  type QemuOptions,
} from '../../src/backends/qemu/qemu-backend.ts';
import { encodePath, type GuestPath, type HostPath } from '../../src/base/path-bytes.ts';
import { ErofsWriter, type OpenDirectory } from '../../src/image/erofs.ts';
import type { TestProject } from './test-project.ts';

const agentBinary = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url)) as HostPath;
const rgBinary = rgPath as HostPath;

/** Kernel, images and saved states of tests: kept between runs, because a boot takes seconds and a kernel minutes. */
export function testCache(): HostPath {
  const folder = join(testCacheHome(), 'safe-coder');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // In a folder that everybody can write: somebody else's, or a link, is not used.
  const found = lstatSync(folder);
  if (!found.isDirectory() || found.uid !== process.getuid?.()) {
    throw new Error(`${folder} is not this user's own folder; set SAFE_CODER_TEST_CACHE`);
  }
  chmodSync(folder, 0o700);
  return folder as HostPath;
}

/** The folder above {@link testCache}: what XDG_CACHE_HOME is for the program in tests. */
export function testCacheHome(): HostPath {
  const folder =
    process.env.SAFE_CODER_TEST_CACHE ?? join(tmpdir(), `safe-coder-test-cache-${process.getuid?.()}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder as HostPath;
}

/** A QEMU backend on the tests' cache. */
export function testQemu(options: Partial<QemuOptions> = {}): QemuBackend {
  return createQemuBackend({ cacheDir: testCache(), agentBinary, rgBinary, ...options });
}

let lack: Promise<string | undefined> | undefined;

/**
 * Why no virtual machine can be had here, or undefined; printed once. With SAFE_CODER_REQUIRE_VM=1 it throws instead, so
 * that nothing is skipped where machines are expected to work.
 */
export async function whyNoVm(): Promise<string | undefined> {
  lack ??= findLack();
  const reason = await lack;
  if (reason === undefined) return undefined;
  if (process.env.SAFE_CODER_REQUIRE_VM === '1') throw new Error(`A virtual machine is required: ${reason}`);
  console.log(`skipped, no virtual machine: ${reason}`);
  return reason;
}

/** Skips a test, with the reason, where no virtual machine can be had. Call it first, or in a `beforeEach`. */
export async function vmOrSkip(context: Pick<TestContext, 'skip'>): Promise<void> {
  const reason = await whyNoVm();
  if (reason !== undefined) context.skip(reason);
}

async function findLack(): Promise<string | undefined> {
  const backend = testQemu();
  const missing = await backend.missing();
  if (missing !== undefined) return `${missing.reason} ${missing.mend}`;
  try {
    await backend.prepare(smallMachine);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What VM tests ask for: small, and always the same, so that they share a saved state. */
export const smallMachine = { cpus: 1, memoryBytes: 512 * 2 ** 20, diskBytes: 2 ** 30 };

/** A launch spec for a test, with an EROFS image of `project` already in its run folder when one is given. */
export function vmSpec(runDir: HostPath, project?: HostPath): LaunchSpec {
  if (project !== undefined) {
    execFileSync('mkfs.erofs', ['-x-1', `${runDir}/project.erofs`, project], { stdio: 'ignore' });
  }
  return {
    id: randomBytes(8).toString('hex'),
    runDir,
    workspace: '/home/dev/project' as GuestPath,
    uid: process.getuid?.() ?? 0,
    gid: process.getgid?.() ?? 0,
    ...smallMachine,
    pids: 256,
    env: {},
  };
}

/** Writes a test project as an EROFS image, with the writer that sessions use. */
export async function writeProjectImage(file: HostPath, project: TestProject): Promise<void> {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  using writer = ErofsWriter.create(file, owner);
  const root = writer.openRoot({ mode: 0o755, mtimeNs: 0n });
  const open = new Map<string, OpenDirectory>([['', root]]);
  for (const entry of project.entries) {
    const cut = entry.path.lastIndexOf('/');
    const parent = open.get(cut < 0 ? '' : entry.path.slice(0, cut));
    if (parent === undefined) throw new Error(`no parent for ${entry.path}`);
    const name = encodePath(entry.path.slice(cut + 1)).toString('latin1');
    if (entry.kind === 'directory') open.set(entry.path, writer.openDirectory(parent, name, entry));
    else if (entry.kind === 'symlink') {
      writer.addSymlink(parent, name, entry.mtimeNs, encodePath(entry.target));
    } else {
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry.content) chunks.push(chunk);
      const bytes = Buffer.concat(chunks);
      bytes.copy(writer.content.buffer, writer.content.reserve(bytes.length));
      writer.addFile(parent, name, entry, writer.content.keep(bytes.length));
    }
  }
  for (const directory of [...open.values()].reverse()) writer.closeDirectory(directory);
  writer.finish(root);
}
