/** `setup`: everything that sessions need, made ready ahead. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { SafeCoderError } from '../../base/errors.ts';
import { showDuration } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { type CommonFlags, createContext, withSignals } from '../context.ts';
import { createFace, createVmBackend, PROGRAM_ROOT } from '../start-session.ts';

export async function setup(flags: CommonFlags): Promise<void> {
  const context = createContext(flags);
  const { settings } = context.config;
  if (settings.isolation !== 'vm') {
    if (!context.json) context.err.write('There is nothing to set up for the demo.\n');
    return;
  }
  const face = createFace(context);
  const backend = await createVmBackend(context, face);
  if ((await backend.missing()) !== undefined) installMissing();
  const lack = await backend.missing();
  if (lack !== undefined)
    throw new SafeCoderError('backend/unavailable', lack.reason, { hint: `Run: ${lack.mend}` });
  const started = performance.now();
  const { accel, reason } = await withSignals(async (signal) => {
    const verdict = await backend.accelVerdict(signal);
    await backend.prepare(
      { cpus: settings.cpus, memoryBytes: settings.memory, diskBytes: settings.disk },
      signal,
    );
    return verdict;
  });
  face.printer.finishLine();
  const took = performance.now() - started;
  if (context.json) {
    context.out.write(
      `${toInertJson({ type: 'setup', at: new Date().toISOString(), session: null, accel, reason, durationMs: Math.round(took) })}\n`,
    );
  } else if (!context.quiet) {
    const { style } = context.err;
    context.err.write(
      `${style.green('✓')} Ready (${accel === 'kvm' ? 'hardware virtualisation' : `emulated: ${reason}`}; ${showDuration(took)})\n`,
    );
  }
}

/** Installs system packages as the launcher does, in a clone: it says what and why, and asks on a terminal. */
function installMissing(): void {
  const script = join(PROGRAM_ROOT, 'scripts/bootstrap.sh');
  if (existsSync(script)) spawnSync(script, ['run'], { stdio: ['inherit', 2, 'inherit'] });
}
