/**
 * The demo backend: the guest agent as an ordinary process in a temporary folder. It isolates NOTHING; it is for trying
 * the program out and for tests, and is only ever used when asked for by name.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { Duplex } from 'node:stream';
import { SafeCoderError } from '../../base/errors.ts';
import { once, throwIfCancelled, withDeadline } from '../../base/lifetime.ts';
import type { GuestPath, HostPath } from '../../base/path-bytes.ts';
import { showPath } from '../../base/path-bytes.ts';
import { killGroup } from '../../base/process.ts';
import type { Backend, BackendMissing, Launched, LaunchSpec } from '../backend.ts';

export interface DemoOptions {
  /** The guest agent, built for this machine. */
  agentBinary: HostPath;
  /** PATH of executions. */
  path: string;
}

/** How long the agent may take to go by itself once its connection is closed. */
const LEAVE_MS = 2000;
const TAIL_BYTES = 4096;

export function createDemoBackend(options: DemoOptions): Backend {
  const missing = async (): Promise<BackendMissing | undefined> => {
    try {
      await access(options.agentBinary, constants.X_OK);
      return undefined;
    } catch {
      // Not there or not executable: both are mended by building it.
      return { reason: `The guest agent ${options.agentBinary} was not built.`, mend: 'make -C guest' };
    }
  };
  return {
    name: 'demo',
    level: 'demo',
    missing,
    async launch(spec, signal) {
      throwIfCancelled(signal);
      const lack = await missing();
      if (lack !== undefined) {
        throw new SafeCoderError('backend/unavailable', lack.reason, { hint: `Run: ${lack.mend}` });
      }
      return launchDemo(options, spec);
    },
  };
}

async function launchDemo(options: DemoOptions, spec: LaunchSpec): Promise<Launched> {
  const workspace = `${spec.runDir}/workspace/${basename(spec.workspace) || 'project'}` as GuestPath;
  const home = `${spec.runDir}/home`;
  const temp = `${spec.runDir}/tmp`;
  for (const folder of [workspace, home, temp]) await mkdir(folder, { recursive: true, mode: 0o700 });
  const agent = spawn(options.agentBinary, ['--fd', '3'], {
    cwd: spec.runDir,
    env: { PATH: options.path },
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const tail = keepTail(agent);
  const exited = new Promise<string>((resolve) => {
    agent.once('error', (error) => resolve(`the guest agent could not be started: ${error.message}`));
    agent.once('exit', (code, signal) => resolve(`the guest agent ended (${signal ?? `exit code ${code}`})`));
  });
  if (agent.pid === undefined) {
    throw new SafeCoderError(
      'backend/boot-failed',
      `The demo backend failed: ${await exited} (phase: start).`,
    );
  }
  const channel = agent.stdio[3];
  if (!(channel instanceof Duplex)) throw new Error('a pipe in both directions was asked for');
  const end = once(async () => {
    // The agent ends its executions and itself when its connection closes; force is for one that doesn't.
    channel.destroy();
    await withDeadline(exited, LEAVE_MS, () => new Error('late')).catch(() => killGroup(agent.pid));
    await exited;
  });
  return {
    channel,
    info: {
      backend: 'demo',
      level: 'demo',
      accel: 'none',
      workspace,
      capture: 'walk',
      env: { PATH: options.path, HOME: home, TMPDIR: temp, LANG: 'C.UTF-8' },
    },
    setup: [{ op: 'workspace', path: workspace, upper: '' }],
    populate: { by: 'unpack', into: workspace, after: [] },
    restored: false,
    consoleTail: async () => tail(),
    ended: exited,
    end,
    [Symbol.asyncDispose]: end,
  };
}

/** The last that the agent said on standard error, fit to show. */
function keepTail(agent: ChildProcess): () => string {
  let kept = '';
  agent.stderr?.on('data', (chunk: Buffer) => {
    kept = (kept + chunk.toString('utf8')).slice(-TAIL_BYTES);
  });
  return () => {
    const lines = kept.split('\n').filter((line) => line !== '');
    return lines.map((line) => showPath(line)).join('\n');
  };
}
