/** Commands outside the agent's turns (`exec`, `shell`, `!command`): run, told as events, recorded. */
import { SafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import { throwIfCancelled } from '../base/lifetime.ts';
import type { SpawnEnd } from '../guest/guest.ts';
import { DiskFullWatch, describeFullDisk, describeLimitsMet } from '../sandbox/limits-met.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { digestInput, type EntryRecorder, type Recorded } from './entry-recorder.ts';
import { KeptOutput } from './kept-output.ts';
import { exitCodeOf } from './session-parts.ts';
import { type ExecRequest, endOf, ToldOutput } from './told-output.ts';

export interface CommandParts {
  sandbox: Sandbox;
  recorder: EntryRecorder;
  emit: Emit;
}

/**
 * Runs a command, captures, records and tells it as events; its output is told too, besides what `onOutput` does with it,
 * when `isTold`. Throws `cancelled` after the command was killed and recorded, `guest/*`, `ledger/*`.
 */
export async function runCommand(
  { sandbox, recorder, emit }: CommandParts,
  { tool, call, turn }: { tool: 'exec' | 'shell'; call: string; turn: number },
  options: ExecRequest,
  signal: AbortSignal,
): Promise<{ end: SpawnEnd; recorded: Recorded }> {
  const { attach, isTold, onOutput, ...spawn } = options;
  const input = { command: spawn.argv.join(' ') };
  const told = isTold ? new ToldOutput(call, emit) : undefined;
  const disk = new DiskFullWatch();
  const kept = new KeptOutput();
  const started = performance.now();
  const process = await sandbox.exec(
    {
      ...spawn,
      onOutput: (chunk, channel) => {
        told?.add(chunk, channel);
        disk.add(chunk);
        kept.add(chunk);
        return onOutput?.(chunk, channel);
      },
    },
    signal,
  );
  emit({ type: 'tool.start', call, tool, input });
  told?.start();
  attach?.(process);
  const end = await endOf(process);
  told?.end();
  if (end !== undefined) {
    const met = describeLimitsMet(end, sandbox.limits);
    if (disk.hasSeen) met.push(await describeFullDisk(sandbox));
    for (const limit of met)
      emit({ type: 'warning', code: 'sandbox/limit', message: `The command met a limit: ${limit}.` });
  }
  const durationMs = Math.round(performance.now() - started);
  const exitCode = end && exitCodeOf(end);
  const ok = exitCode === 0 && !signal.aborted;
  const facts = { tool, call, ok, durationMs, ...(exitCode === undefined ? {} : { exitCode }) };
  const recorded = await recorder.record(
    { title: `Agent executed: ${tool}`, kind: 'tool', turn, inputSha256: digestInput(input), ...facts },
    { sweep: true },
  );
  const { entry, changed, capture } = recorded;
  emit({
    type: 'tool.end',
    ...facts,
    entry: entry.id,
    seq: entry.trailers.seq,
    changed,
    text: kept.toString(),
    skipped: capture.skipped,
  });
  throwIfCancelled(signal);
  if (end === undefined)
    throw new SafeCoderError('bug', 'An execution that nobody cancelled ended as cancelled.');
  return { end, recorded };
}
