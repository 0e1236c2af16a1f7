/** The bash tool: a command line in the sandbox, in the foreground or as a background job. */
import { SafeCoderError } from '../base/errors.ts';
import { showPath } from '../base/path-bytes.ts';
import type { SpawnEnd } from '../guest/guest.ts';
import { describeEnd, describeTroubles, exitCodeOf } from './command-report.ts';
import { defineTool, refuse } from './define-tool.ts';
import { explainGuestFailure, guestErrno } from './guest-failure.ts';
import { bashInterface } from './interface/bash.ts';
import { LIMITS } from './limits.ts';
import { RunningCommand } from './running-command.ts';
import { openScratch, type Scratch } from './scratch.ts';
import { folderInWorkspace, plainCommand, readLastFolder, trackedCommand } from './shell-command.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';
import { waitFor } from './wait-for.ts';
import { canonicalWorkspace, toAbsolute } from './workspace-path.ts';

interface Input {
  command: string;
  timeout_ms?: number | undefined;
  background?: boolean | undefined;
  cwd?: string | undefined;
}

export function createBashTool(state: ToolState): Tool {
  return defineTool(bashInterface, async (input, context) => {
    if (input.command.includes('\0'))
      throw refuse('The command holds a NUL byte, which no command line can.');
    if (input.background === true && state.jobs.isFull) throw refuseMoreJobs(state);
    const notes: string[] = [];
    const folder = await chooseFolder(state, context, input.cwd, notes);
    const scratch = await openScratchOnce(context, state);
    const isTracked = scratch.isReady && input.background !== true && input.cwd === undefined;
    const run = await startShell(state, context, scratch, input.command, folder, isTracked);
    return input.background === true
      ? await reportBackground(state, context, run, notes)
      : await awaitForeground(state, context, run, input, isTracked ? scratch : undefined, notes);
  });
}

function refuseMoreJobs(state: ToolState): Error {
  return refuse(
    `${state.jobs.running().length} background jobs are running, the most there may be.`,
    `Stop one with bash_kill first: ${state.jobs
      .running()
      .map((job) => job.id)
      .join(', ')}.`,
  );
}

/** Where the command starts. A remembered directory that is gone is forgotten, with a note. */
async function chooseFolder(
  state: ToolState,
  context: ToolContext,
  cwd: string | undefined,
  notes: string[],
): Promise<string> {
  const { sandbox } = context;
  if (cwd !== undefined) return await requireFolder(context, cwd);
  if (state.shellFolder === undefined) return sandbox.workspace;
  const folder = await folderInWorkspace(sandbox, state.shellFolder);
  if (folder !== undefined) return folder;
  notes.push(`[${showPath(state.shellFolder)} is gone: the command ran in the workspace root]`);
  state.shellFolder = undefined;
  return sandbox.workspace;
}

async function requireFolder(context: ToolContext, cwd: string): Promise<string> {
  const path = toAbsolute(context.sandbox, cwd);
  try {
    const { stat, canonical } = await context.sandbox.stat(path);
    if (stat.kind === 'directory') return canonical;
  } catch (error) {
    throw explainGuestFailure(error, `Can't run in ${showPath(cwd)}`);
  }
  throw refuse(`Can't run in ${showPath(cwd)}: it is not a directory.`);
}

async function openScratchOnce(context: ToolContext, state: ToolState): Promise<Scratch> {
  if (state.scratch?.at.isReady !== true) {
    state.scratch = { in: context.sandbox, at: await openScratch(context.sandbox, context.signal) };
  }
  return state.scratch.at;
}

async function startShell(
  state: ToolState,
  context: ToolContext,
  scratch: Scratch,
  command: string,
  cwd: string,
  isTracked: boolean,
): Promise<RunningCommand> {
  const shells = state.shell === undefined ? (['bash', 'sh'] as const) : ([state.shell] as const);
  let failure: unknown;
  for (const shell of shells) {
    const argv = isTracked
      ? trackedCommand(scratch, shell, command, context.call)
      : plainCommand(shell, command);
    try {
      const plan = { command, argv, cwd, call: context.call, scratch: scratch.folder };
      const run = await RunningCommand.start(context.sandbox, plan, context.onOutput, context.signal);
      state.shell = shell;
      return run;
    } catch (error) {
      failure = error;
      if (guestErrno(error) !== 'ENOENT') break;
    }
  }
  throw explainGuestFailure(failure, "Can't start a shell in the sandbox");
}

async function reportBackground(
  state: ToolState,
  context: ToolContext,
  run: RunningCommand,
  notes: string[],
): Promise<ToolResult> {
  const waited = await waitFor(run.ended, LIMITS.earlyExitMs, context.signal);
  if (waited === 'settled') return reportEnd(state, run, await run.ended, notes);
  if (waited === 'aborted') await stopForGood(run);
  return moveToBackground(state, run, notes, 'started as background job');
}

/** The call is cancelled: nothing of it may stay. */
async function stopForGood(run: RunningCommand): Promise<never> {
  await run.stop('interrupt');
  throw new SafeCoderError('cancelled', 'Cancelled: the command was stopped.');
}

function moveToBackground(state: ToolState, run: RunningCommand, notes: string[], why: string): ToolResult {
  run.detach();
  const { text, truncated } = run.render();
  const job = state.jobs.add(run, run.position);
  const lines = [
    bodyOf(text),
    `[${why} ${job.id}: read it with bash_output, stop it with bash_kill]`,
    ...describeTroubles(run),
    ...notes,
    ...state.jobs.footer(),
  ];
  return { ok: true, text: joinLines(lines), meta: { job: job.id, truncated, bytes: run.rawBytes } };
}

async function awaitForeground(
  state: ToolState,
  context: ToolContext,
  run: RunningCommand,
  input: Input,
  scratch: Scratch | undefined,
  notes: string[],
): Promise<ToolResult> {
  const timeoutMs = Math.min(input.timeout_ms ?? LIMITS.bashDefaultMs, LIMITS.bashMaxMs);
  const waited = await waitFor(run.ended, timeoutMs, context.signal);
  if (waited === 'aborted') await stopForGood(run);
  if (waited === 'timeout' && !state.jobs.isFull) {
    return moveToBackground(
      state,
      run,
      notes,
      `still running after ${timeoutMs} ms: moved to the background as`,
    );
  }
  if (waited === 'timeout') {
    await run.stop('interrupt');
    notes.push(`[stopped after ${timeoutMs} ms: there are too many background jobs to make it one]`);
  }
  const end = await run.ended;
  if (scratch !== undefined) await followFolder(state, context, scratch, notes);
  return reportEnd(state, run, end, notes);
}

/** The next command starts where this one ended, unless that is outside the workspace. */
async function followFolder(
  state: ToolState,
  context: ToolContext,
  scratch: Scratch,
  notes: string[],
): Promise<void> {
  const { sandbox, call } = context;
  const root = await canonicalWorkspace(sandbox);
  const last = await readLastFolder(sandbox, scratch, call);
  if (last === undefined || last === (state.shellFolder ?? root)) return;
  const folder = await folderInWorkspace(sandbox, last);
  if (folder === undefined) {
    notes.push(
      `[the command ended in ${showPath(last)}, outside the workspace: the next one starts in the workspace root]`,
    );
  }
  state.shellFolder = folder === root ? undefined : folder;
}

function reportEnd(state: ToolState, run: RunningCommand, end: SpawnEnd, notes: string[]): ToolResult {
  const { text, truncated } = run.render();
  const lines = [
    bodyOf(text),
    describeEnd(end, run.limits),
    ...describeTroubles(run),
    ...notes,
    ...state.jobs.footer(),
  ];
  return {
    ok: end.exitCode === 0,
    text: joinLines(lines),
    exitCode: exitCodeOf(end),
    meta: {
      truncated,
      bytes: run.rawBytes,
      durationMs: end.wallMs,
      cpuMs: end.cpuMs,
      peakMemoryBytes: end.peakMemoryBytes,
      ...(end.signal === undefined ? {} : { signal: end.signal }),
      ...(end.wasKilledForMemory ? { outOfMemory: true } : {}),
    },
  };
}

function bodyOf(text: string): string {
  const body = text.replace(/\n+$/, '');
  return body === '' ? '(no output)' : body;
}

function joinLines(lines: string[]): string {
  return lines.join('\n');
}
