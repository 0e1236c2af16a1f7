/** Sessions in a real VM on a project with one file, for measuring. Nothing of them is kept. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createQemuBackend } from '../src/backends/qemu/qemu-backend.ts';
import type { HostPath } from '../src/base/path-bytes.ts';
import { resolveDirectories } from '../src/config/directories.ts';
import { defaults } from '../src/config/schema.ts';
import { Session } from '../src/session/session.ts';

export const PROGRAM_ROOT = fileURLToPath(new URL('../', import.meta.url));

export interface BenchFolder extends Disposable {
  /** A small machine; `allow` names hosts that it may reach. */
  /** Makes what the first start would: the saved state. */
  prepare(): Promise<void>;
  start(options?: { useSavedStates?: boolean; allow?: string[] }): Promise<Session>;
}

/** Images and saved states come from the user's own cache, made by "safe-coder setup". */
export function openBenchFolder(): BenchFolder {
  const path = mkdtempSync(join(tmpdir(), 'sc-bench-')) as HostPath;
  const project = join(path, 'project') as HostPath;
  mkdirSync(project);
  writeFileSync(join(project, 'a.txt'), 'a\n');
  const { cache } = resolveDirectories(process.env, process.env.HOME ?? '/');
  const directories = {
    cache,
    state: join(path, 'state') as HostPath,
    config: join(path, 'config') as HostPath,
  };
  for (const folder of Object.values(directories)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const rg = createRequire(import.meta.url).resolve('@vscode/ripgrep-linux-x64/package.json');
  const settings = { ...defaults, cpus: 1, memory: 512 * 2 ** 20, disk: 2 ** 30 };
  const backend = (useSavedStates: boolean) =>
    createQemuBackend({
      cacheDir: cache,
      agentBinary: join(PROGRAM_ROOT, 'guest/build/safe-coder-guest') as HostPath,
      rgBinary: join(dirname(rg), 'bin/rg') as HostPath,
      useSavedStates,
    });
  return {
    prepare: () =>
      backend(true).prepare({
        cpus: settings.cpus,
        memoryBytes: settings.memory,
        diskBytes: settings.disk,
      }),
    start: ({ useSavedStates = true, allow = [] } = {}) =>
      Session.start({
        face: 'exec',
        title: 'bench',
        project,
        home: '/nonexistent' as HostPath,
        directories,
        settings: { ...settings, allow },
        backend: backend(useSavedStates),
        onEvent: () => undefined,
        signal: new AbortController().signal,
      }),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
