/**
 * A backend for tests: the real agent over a real overlay, in a mount namespace of its own. It isolates no more than the
 * demo backend, and needs root; what it shows is that capture from an upper layer means what the kernel means by it.
 */
import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Backend, Launched } from '../../src/backends/backend.ts';
import { once } from '../../src/base/lifetime.ts';
import type { GuestPath, HostPath } from '../../src/base/path-bytes.ts';
import type { TestProject } from './test-project.ts';

const AGENT = fileURLToPath(new URL('../../guest/build/safe-coder-guest', import.meta.url));

/** Lays the project out as the base, where an image would be mounted. */
export async function layOut(image: HostPath, { entries }: TestProject): Promise<void> {
  mkdirSync(image, { recursive: true });
  for (const entry of entries) {
    const path = `${image}/${entry.path}`;
    if (entry.kind === 'directory') mkdirSync(path);
    else if (entry.kind === 'symlink') symlinkSync(entry.target, path);
    else {
      const parts: Uint8Array[] = [];
      for await (const part of entry.content) parts.push(part);
      writeFileSync(path, Buffer.concat(parts));
      chmodSync(path, entry.mode);
    }
  }
}

export function createOverlayBackend(): Backend {
  return {
    name: 'overlay',
    level: 'demo',
    missing: async () => undefined,
    async launch(spec): Promise<Launched> {
      const { runDir } = spec;
      const workspace = `${runDir}/workspace` as GuestPath;
      const scratch = `${runDir}/scratch`;
      const lower = `${runDir}/lower` as HostPath;
      const agent = spawn('unshare', ['--mount', '--propagation', 'private', AGENT, '--fd', '3'], {
        env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
        stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
      });
      const ended = new Promise<string>((resolve) => agent.once('exit', () => resolve('it ended')));
      const channel = agent.stdio[3];
      if (!(channel instanceof Duplex)) throw new Error('a pipe in both directions was asked for');
      const end = once(async () => {
        channel.destroy();
        await ended;
      });
      const owned = { mode: 0o755, uid: spec.uid, gid: spec.gid };
      const layers = `lowerdir=${lower},upperdir=${scratch}/upper,workdir=${scratch}/work`;
      return {
        channel,
        info: {
          backend: 'overlay',
          level: 'demo',
          accel: 'none',
          workspace,
          capture: 'overlay',
          env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        },
        setup: [
          { op: 'mkdir', path: workspace, ...owned },
          { op: 'mount', source: 'tmpfs', target: scratch, type: 'tmpfs', flags: 0, data: '' },
          { op: 'mkdir', path: `${scratch}/upper`, ...owned },
          { op: 'mkdir', path: `${scratch}/work`, ...owned },
          { op: 'mount', source: 'overlay', target: workspace, type: 'overlay', flags: 0, data: layers },
          { op: 'workspace', path: workspace, upper: `${scratch}/upper` },
        ],
        populate: { by: 'image', file: lower },
        restored: false,
        consoleTail: async () => '',
        ended,
        end,
        [Symbol.asyncDispose]: end,
      };
    },
  };
}
