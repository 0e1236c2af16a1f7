/** `doctor --prove`: each level that can be had here is started, proves its isolation, and is tried to be got out of. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toSafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { attemptEscapes } from '../sandbox/escape-attempts.ts';
import { Session } from '../session/session.ts';
import type { Context } from './context.ts';
import { createBackends, createFace } from './start-session.ts';

export interface ProofRow {
  level: 'vm' | 'container';
  backend: string;
  name: string;
  what: string;
  /** Undefined: it could not be tried, as `detail` says. */
  held: boolean | undefined;
  detail: string;
}

/** A Docker engine is tried where it is named, and nowhere else. */
function engineOf(level: ProofRow['level'], named: string | undefined): { backend?: 'docker' } {
  return level === 'container' && named === 'docker' ? { backend: named } : {};
}

/** Rows as they come in. Never throws but `cancelled`: a level that can't be had is a row that says why. */
export async function* proveIsolation(context: Context, signal: AbortSignal): AsyncGenerator<ProofRow> {
  for (const level of ['vm', 'container'] as const) {
    const { backend: named, ...settings } = context.config.settings;
    const own = {
      ...context,
      config: { ...context.config, settings: { ...settings, ...engineOf(level, named), isolation: level } },
    };
    const backends = await createBackends(own, createFace(own));
    for (const backend of backends) {
      const row = (name: string, what: string, held: boolean | undefined, detail: string): ProofRow => ({
        level,
        backend: backend.name,
        name,
        what,
        held,
        detail,
      });
      const missing = await backend.missing();
      if (missing !== undefined) {
        yield row('start', 'start a sandbox', undefined, `${missing.reason} ${missing.mend}`);
        continue;
      }
      const folder = mkdtempSync(join(tmpdir(), 'safe-coder-prove-')) as HostPath;
      try {
        for (const name of ['project', 'state', 'config']) mkdirSync(join(folder, name), { mode: 0o700 });
        writeFileSync(join(folder, 'project/a.txt'), 'a\n');
        await using session = await Session.start({
          face: 'exec',
          title: 'doctor --prove',
          project: join(folder, 'project') as HostPath,
          home: context.home,
          directories: {
            cache: context.directories.cache,
            state: join(folder, 'state') as HostPath,
            config: join(folder, 'config') as HostPath,
          },
          settings: { ...own.config.settings, network: 'none', allow: [], share: [] },
          backend,
          onEvent: () => undefined,
          signal,
        });
        for (const { name, ok, detail } of session.isolation.proof.checks)
          yield row(
            name,
            'prove its isolation at the start',
            level === 'container' && isKernels(name) ? undefined : ok,
            detail,
          );
        for (const { name, what, held, detail } of await attemptEscapes(session.sandbox, {
          runDir: folder,
          signal,
        }))
          yield row(name, what, held, detail);
      } catch (error) {
        if (signal.aborted) throw error;
        yield row('start', 'start a sandbox', undefined, toSafeCoderError(error).message);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }
  }
}

/** A container has the host's kernel: that is its level, neither held nor broken. */
function isKernels(name: string): boolean {
  return name === 'boot-id' || name === 'kernel';
}
