/** `doctor`: what works here, what does not and why, and the exact mend. */
import { accessSync, constants, statfsSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { SYSTEM_PATH } from '../../backends/qemu/qemu-backend.ts';
import { describeRequirements, findProgram } from '../../backends/qemu/requirements.ts';
import { EXIT, toSafeCoderError } from '../../base/errors.ts';
import { showPath } from '../../base/path-bytes.ts';
import { findApiKey, keyVariables } from '../../config/keys.ts';
import { showSize } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { sizeOnDisk } from '../../session/disk-use.ts';
import { SessionStore } from '../../session/store.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';
import { AGENT_BINARY, createFace, createVmBackend } from '../start-session.ts';

interface Finding {
  name: string;
  status: 'available' | 'degraded' | 'unavailable' | 'info';
  detail: string;
  /** A command or sentence that mends it. */
  mend?: string;
}

/** Exit code 0 when sessions can run at the default isolation level, 4 otherwise. */
export async function doctor(flags: CommonFlags): Promise<void> {
  const context = createContext(flags);
  const findings = [
    ...(await examineVm(context)),
    ...examineOthers(),
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

function examineOthers(): Finding[] {
  return [
    {
      name: 'container',
      status: 'unavailable',
      detail: 'this version has no container backend',
      mend: 'Use the default, --isolation vm.',
    },
    { name: 'demo', status: 'available', detail: 'NOT ISOLATED; only with --demo' },
  ];
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
  const sessions = new SessionStore(state).list();
  return [
    {
      name: 'disk',
      status: free > 2 * 2 ** 30 ? 'available' : 'degraded',
      detail: `${showSize(free)} free in ${showPath(state)}; ${sessions.length} sessions take ${showSize(sizeOnDisk(state))}, the cache ${showSize(sizeOnDisk(cache))}`,
      ...(free > 2 * 2 ** 30 ? {} : { mend: 'Delete sessions with "safe-coder rm ID", or free some space.' }),
    },
    { name: 'memory', status: 'info', detail: `${showSize(freemem())} of ${showSize(totalmem())} free` },
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
