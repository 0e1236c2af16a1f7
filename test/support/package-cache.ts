/** Packed packages from the registry that npm is set up with, kept in the tests' cache and checked before every use. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestContext } from 'vitest';
import { testCacheHome } from './vm.ts';

const FETCH_MS = 90_000;
let unreachable: string | undefined;

/**
 * The packed file of one version. Skips the test, with the reason, where it can't be had; with SAFE_CODER_REQUIRE_VM=1, where
 * everything must run, that is a failure. A file that is not the pinned one is a failure everywhere.
 */
export async function fetchPackage(
  context: Pick<TestContext, 'skip'>,
  name: string,
  { version, sha512 }: { version: string; sha512: string },
): Promise<Buffer> {
  const file = join(cacheFolder(), `${name}-${version}.tgz`);
  if (!existsSync(file)) {
    unreachable ??= await fetch(name, version, file);
    if (unreachable !== undefined) {
      if (process.env.SAFE_CODER_REQUIRE_VM === '1')
        throw new Error(`The registry is required: ${unreachable}`);
      context.skip(`no package registry: ${unreachable}`);
    }
  }
  const bytes = readFileSync(file);
  const found = createHash('sha512').update(bytes).digest('base64');
  if (found === sha512) return bytes;
  rmSync(file);
  throw new Error(`${name} ${version} is not the pinned file: its SHA-512 is ${found}.`);
}

/** Why it could not be fetched, or undefined. */
async function fetch(name: string, version: string, file: string): Promise<string | undefined> {
  const folder = mkdtempSync(join(cacheFolder(), 'fetch-'));
  try {
    const argv = ['pack', `${name}@${version}`, '--ignore-scripts', '--silent', '--pack-destination', folder];
    await promisify(execFile)('npm', argv, { cwd: folder, timeout: FETCH_MS });
    renameSync(join(folder, `${name}-${version}.tgz`), file);
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.message.split('\n')[0] ?? error.message) : String(error);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function cacheFolder(): string {
  const folder = join(testCacheHome(), 'packages');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}
