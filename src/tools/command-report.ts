/** How a command ended, in words for the model. */
import type { SpawnEnd } from '../guest/guest.ts';
import { describeLimitsMet } from '../sandbox/limits-met.ts';
import type { SandboxLimits } from '../sandbox/sandbox.ts';
import type { RunningCommand } from './running-command.ts';
import { signalName } from './signal-names.ts';

/** Always states the exit code or the signal. */
export function describeEnd(end: SpawnEnd, limits: SandboxLimits): string {
  const met = describeLimitsMet(end, limits);
  if (met.length === 0) return `[${shortEnd(end)}]`;
  return `[${shortEnd(end)}: ${met.join('; ')}. Use less at once, e.g. fewer parallel jobs]`;
}

function shortEnd(end: SpawnEnd): string {
  if (end.signal !== undefined) return `killed by ${signalName(end.signal)} (signal ${end.signal})`;
  const code = end.exitCode ?? -1;
  if (code === 127) return 'exit code 127: command not found';
  if (code > 128 && code <= 128 + 64) return `exit code ${code}: ended by ${signalName(code - 128)}`;
  return `exit code ${code}`;
}

/** The exit code as shells report it. */
export function exitCodeOf(end: SpawnEnd): number {
  return end.exitCode ?? (end.signal === undefined ? 1 : 128 + end.signal);
}

/** Notes that go with a command's output, apart from its end: the log, and a full disk. */
export function describeTroubles(run: RunningCommand): string[] {
  const notes: string[] = [];
  if (run.logNote !== undefined) notes.push(run.logNote);
  if (run.hasDiskFull) {
    const full = run.fullDisk ?? "the sandbox's disk is full";
    notes.push(`[No space left on device: ${full}. Remove what is not needed, e.g. caches or build output]`);
  }
  return notes;
}
