/** bash_output and bash_kill: looking at background jobs, and stopping them. */
import { describeEnd, describeTroubles, exitCodeOf } from './command-report.ts';
import { defineTool, refuse } from './define-tool.ts';
import { bashKillInterface } from './interface/bash-kill.ts';
import { bashOutputInterface } from './interface/bash-output.ts';
import type { Job } from './job-table.ts';
import type { Tool, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';

export function createBashOutputTool(state: ToolState): Tool {
  return defineTool(bashOutputInterface, async (input) => {
    const job = requireJob(state, input.job_id);
    const since = input.since ?? job.position;
    if (since > job.run.position) {
      throw refuse(
        `since=${since} is past the end: ${job.id} has written ${job.run.position} characters.`,
        'Leave out "since" for what is new.',
      );
    }
    return report(state, job, since);
  });
}

export function createBashKillTool(state: ToolState): Tool {
  return defineTool(bashKillInterface, async (input) => {
    const job = requireJob(state, input.job_id);
    if (job.state === 'running') await job.run.stop('terminate');
    return { ...report(state, job, job.position), ok: true };
  });
}

function requireJob(state: ToolState, id: string): Job {
  const job = state.jobs.get(id);
  if (job !== undefined) return job;
  const known = state.jobs.all().map((one) => one.id);
  throw refuse(
    `There is no job ${JSON.stringify(id)}.`,
    known.length === 0 ? 'No background job was started in this session.' : `Jobs are: ${known.join(', ')}.`,
  );
}

function report(state: ToolState, job: Job, since: number): ToolResult {
  const { run } = job;
  const { end } = run;
  const { text, lost, truncated } = run.renderSince(since);
  job.position = run.position;
  if (end !== undefined) job.wasReported = true;
  const body = text.replace(/\n+$/, '');
  const lines = [
    body === '' ? '(nothing new)' : body,
    describeState(job),
    ...(lost > 0 ? [`[${lost} earlier characters are no longer held here]`] : []),
    ...describeTroubles(run),
    ...state.jobs.footer(),
  ];
  return {
    ok: true,
    text: lines.join('\n'),
    ...(end === undefined ? {} : { exitCode: exitCodeOf(end) }),
    meta: {
      job: job.id,
      running: job.state === 'running' && end === undefined,
      next: run.position,
      truncated,
    },
  };
}

function describeState({ id, run, state }: Job): string {
  if (run.end !== undefined) return `${id} is over: ${describeEnd(run.end, run.limits)}`;
  if (state === 'lost') return `${id} is lost: the sandbox did not say how it ended`;
  return `[${id} is running; next since=${run.position}]`;
}
