/** The background jobs of a session. */
import { LIMITS } from './limits.ts';
import type { RunningCommand } from './running-command.ts';
import { waitFor } from './wait-for.ts';

export interface Job {
  id: string;
  run: RunningCommand;
  /** How far the model has read. */
  position: number;
  state: 'running' | 'ended' | 'lost';
  /** The model was told that it ended. */
  wasReported: boolean;
}

export class JobTable implements AsyncDisposable {
  readonly #jobs = new Map<string, Job>();
  #next = 1;

  get isFull(): boolean {
    return this.running().length >= LIMITS.runningJobs;
  }

  /** Takes over a command; check {@link isFull} first. `position` is what the model has read already. */
  add(run: RunningCommand, position: number): Job {
    const job: Job = { id: `job-${this.#next}`, run, position, state: 'running', wasReported: false };
    this.#next += 1;
    this.#jobs.set(job.id, job);
    run.ended.then(
      () => this.#close(job, 'ended'),
      () => this.#close(job, 'lost'),
    );
    return job;
  }

  #close(job: Job, state: 'ended' | 'lost'): void {
    job.state = state;
    const ended = [...this.#jobs.values()].filter((one) => one.state !== 'running');
    for (const old of ended.slice(0, -LIMITS.endedJobs)) this.#jobs.delete(old.id);
  }

  get(id: string): Job | undefined {
    return this.#jobs.get(id);
  }

  all(): Job[] {
    return [...this.#jobs.values()];
  }

  running(): Job[] {
    return this.all().filter((job) => job.state === 'running');
  }

  /** Lines for the end of a result: what runs, and once, what has ended. Empty when there is nothing to say. */
  footer(): string[] {
    const lines: string[] = [];
    const running = this.running();
    if (running.length > 0) {
      lines.push(
        `[running jobs: ${running.map((job) => `${job.id} (${shorten(job.run.command)})`).join(', ')}]`,
      );
    }
    for (const job of this.all()) {
      if (job.state === 'running' || job.wasReported) continue;
      job.wasReported = true;
      lines.push(`[${job.id} (${shorten(job.run.command)}) has ended; read the rest with bash_output]`);
    }
    return lines;
  }

  /** Kills what runs and waits for the end, at most a deadline. */
  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.running();
    for (const job of running) job.run.kill();
    await waitFor(Promise.allSettled(running.map((job) => job.run.ended)), LIMITS.killDeadlineMs);
  }
}

function shorten(command: string): string {
  const line = command.trim().replace(/\s+/g, ' ');
  return line.length > 60 ? `${line.slice(0, 57)}...` : line;
}
