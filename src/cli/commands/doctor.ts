/** `doctor`: what works here, what does not and why, and the exact mend. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { join } from 'node:path';
import { findProgram, SYSTEM_PATH } from '../../backends/programs.ts';
import { describeRequirements } from '../../backends/qemu/requirements.ts';
import { EXIT, toSafeCoderError } from '../../base/errors.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { findApiKey, keyVariables } from '../../config/keys.ts';
import { showSize } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { sizesIn } from '../../session/disk-use.ts';
import { planGc } from '../../session/gc.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { createDocker } from '../docker.ts';
import { proveIsolation } from '../prove-isolation.ts';
import {
  AGENT_BINARY,
  createBackends,
  createFace,
  createVmBackend,
  ripgrepBinary,
} from '../start-session.ts';

interface Finding {
  name: string;
  status: 'available' | 'degraded' | 'unavailable' | 'info';
  detail: string;
  /** A command or sentence that mends it. */
  mend?: string;
}

export type DoctorFlags = CommonFlags & { prove?: boolean };

/**
 * Exit code 0 when sessions can run at the default isolation level, 4 otherwise. With `--prove`: 0 when every wall held
 * everywhere it could be tried and the default level could be.
 */
export async function doctor(flags: DoctorFlags): Promise<void> {
  const context = createContext(flags);
  if (flags.prove) return prove(context);
  const findings = [
    ...(await examineVm(context)),
    ...(await examineOthers(context)),
    await examineDocker(context),
    ...examineModels(context),
    ...examineDisk(context),
  ];
  for (const finding of findings) print(context, finding);
  if (findings.some(({ name, status }) => name === 'vm' && status === 'unavailable'))
    process.exitCode = EXIT.environment;
}

async function examineVm(context: Context): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { program, package: name, reason } of describeRequirements()) {
    const found = await findProgram(program, SYSTEM_PATH);
    findings.push(
      found === undefined
        ? {
            name: program,
            status: 'unavailable',
            detail: `missing; it ${reason}`,
            mend: `apt-get install -y --no-install-recommends ${name}`,
          }
        : { name: program, status: 'available', detail: found },
    );
  }
  findings.push(examineAgent());
  return [await examineBackend(context), ...findings];
}

async function examineBackend(context: Context): Promise<Finding> {
  const face = createFace(context);
  const backend = await createVmBackend(context, face);
  const lack = await backend.missing();
  if (lack !== undefined)
    return { name: 'vm', status: 'unavailable', detail: `qemu: ${lack.reason}`, mend: lack.mend };
  try {
    const { accel, reason } = await backend.accelVerdict();
    face.printer.finishLine();
    const detail = `qemu, ${accel === 'kvm' ? 'hardware virtualisation' : 'emulated: slower, equally isolated'} (${reason})`;
    return { name: 'vm', status: accel === 'kvm' ? 'available' : 'degraded', detail };
  } catch (error) {
    const failure = toSafeCoderError(error);
    return {
      name: 'vm',
      status: 'unavailable',
      detail: `qemu: ${failure.message}`,
      ...(failure.hint ? { mend: failure.hint } : {}),
    };
  }
}

function examineAgent(): Finding {
  try {
    accessSync(AGENT_BINARY, constants.X_OK);
    return { name: 'guest agent', status: 'available', detail: 'built' };
  } catch {
    // Not there or not executable: both are mended by building it.
    return { name: 'guest agent', status: 'unavailable', detail: 'not built', mend: 'make -C guest' };
  }
}

/** The walls, tried. What can't be had here is no failure, except at the default level. */
async function prove(context: Context): Promise<void> {
  await withSignals(async (signal) => {
    let isSound = true;
    let shown = '';
    for await (const row of proveIsolation(context, signal)) {
      if (row.held === false || (row.held === undefined && row.level === 'vm')) isSound = false;
      if (context.json) {
        const fields = { ...row, held: row.held ?? null };
        context.out.write(
          `${toInertJson({ type: 'proof', at: new Date().toISOString(), session: null, ...fields })}\n`,
        );
        continue;
      }
      const { style } = context.out;
      const of = `${row.level}, ${row.backend}`;
      if (of !== shown) context.out.write(`${shown === '' ? '' : '\n'}${style.bold(of)}\n`);
      shown = of;
      const mark = row.held === undefined ? style.cyan('~') : row.held ? style.green('✓') : style.red('✗');
      context.out.write(`${mark} ${row.name.padEnd(20)} ${row.what}: ${escapeForTerminal(row.detail)}\n`);
    }
    if (!isSound) process.exitCode = EXIT.environment;
  });
}

async function examineContainer(context: Context): Promise<Finding[]> {
  const settings = { ...context.config.settings, isolation: 'container' as const };
  const own = { ...context, config: { ...context.config, settings } };
  const backends = await createBackends(own, createFace(own));
  return Promise.all(
    backends.map(async ({ name, missing }): Promise<Finding> => {
      const lack = await missing();
      return lack === undefined
        ? {
            name: 'container',
            status: 'available',
            detail: `${name}: shares this machine's kernel; only when asked for`,
          }
        : { name: 'container', status: 'unavailable', detail: `${name}: ${lack.reason}`, mend: lack.mend };
    }),
  );
}

async function examineOthers(context: Context): Promise<Finding[]> {
  return [
    ...(await examineContainer(context)),
    { name: 'demo', status: 'available', detail: 'NOT ISOLATED; only with --demo' },
  ];
}

/** Optional: a machine without an engine lacks nothing. */
async function examineDocker(context: Context): Promise<Finding> {
  const programs = { agentBinary: AGENT_BINARY, rgBinary: ripgrepBinary() };
  const lack = await createDocker(context, programs, () => undefined)
    .then((backend) => backend.missing())
    .catch((error: unknown) => {
      const { message, hint = '' } = toSafeCoderError(error);
      return { reason: message, mend: hint };
    });
  if (lack !== undefined) return { name: 'docker', status: 'info', detail: lack.reason, mend: lack.mend };
  const detail = `container of ${context.config.settings.image}; only with --isolation container --backend docker`;
  return { name: 'docker', status: 'available', detail };
}

function examineModels(context: Context): Finding[] {
  const { settings } = context.config;
  return ['anthropic', 'openai', 'google', 'openrouter'].map((provider) => {
    const has = findApiKey(provider, settings, context.environment) !== undefined;
    const detail = has ? 'there is a key' : `no key; set ${keyVariables(provider)[0]}`;
    return { name: provider, status: has ? ('available' as const) : ('info' as const), detail };
  });
}

function examineDisk(context: Context): Finding[] {
  const { state, cache } = context.directories;
  const { bavail, bsize } = statfsSync(state);
  const free = bavail * bsize;
  const isLow = free < 2 * 2 ** 30;
  return [
    {
      name: 'disk',
      status: isLow ? 'degraded' : 'available',
      detail: `${showSize(free)} free in ${showPath(state)}`,
      ...(isLow ? { mend: 'Run "safe-coder gc", with --older-than 30d also for old sessions.' } : {}),
    },
    ...describeUse(state, cache),
    { name: 'memory', status: 'info', detail: `${showSize(freemem())} of ${showSize(totalmem())} free` },
  ];
}

/** Where our own bytes are, and the command that frees them. */
function describeUse(state: HostPath, cache: HostPath): Finding[] {
  const sessions = sizesIn(join(state, 'sessions') as HostPath);
  const others = sizesIn(state).filter(({ name }) => name !== 'sessions');
  const list = (sizes: { name: string; bytes: number }[], most: number) =>
    sizes
      .filter(({ bytes }) => bytes > 0)
      .slice(0, most)
      .map(({ name, bytes }) => `${name} ${showSize(bytes)}`)
      .join(', ');
  const total = (sizes: { bytes: number }[]) => showSize(sizes.reduce((sum, { bytes }) => sum + bytes, 0));
  const caches = sizesIn(cache);
  const back = planGc({ state, cache, now: Date.now() });
  const freeing = (command: string, sizes: unknown[]) => (sizes.length > 0 ? { mend: command } : {});
  const largest = list(sessions, 3);
  return [
    {
      name: 'sessions',
      status: 'info',
      detail: `${sessions.length} take ${total(sessions)}${largest ? `; the largest: ${largest}` : ''}`,
      ...freeing('safe-coder rm ID, or safe-coder gc --older-than 30d', sessions),
    },
    {
      name: 'cache',
      status: 'info',
      detail: `${total(caches)}${caches.length > 0 ? `: ${list(caches, 6)}` : ''}`,
      ...freeing('safe-coder gc removes what was not used for two weeks', caches),
    },
    {
      name: 'other state',
      status: 'info',
      detail: `${total(others)}${others.length > 0 ? `: ${list(others, 6)}` : ''}`,
    },
    ...(back.length > 0
      ? [
          {
            name: 'to give back',
            status: 'info' as const,
            detail: `${back.length} things of ${total(back)} can be removed or packed`,
            mend: 'safe-coder gc',
          },
        ]
      : []),
  ];
}

const MARK = { available: '✓', degraded: '~', unavailable: '✗', info: '·' } as const;

function print(context: Context, finding: Finding): void {
  if (context.json) {
    context.out.write(
      `${toInertJson({ type: 'check', at: new Date().toISOString(), session: null, ...finding })}\n`,
    );
    return;
  }
  const { style } = context.out;
  const paint = { available: style.green, degraded: style.cyan, unavailable: style.red, info: style.dim }[
    finding.status
  ];
  context.out.write(`${paint(MARK[finding.status])} ${finding.name.padEnd(20)} ${finding.detail}\n`);
  if (finding.mend) context.out.write(`${' '.repeat(23)}${style.dim('mend:')} ${finding.mend}\n`);
}
