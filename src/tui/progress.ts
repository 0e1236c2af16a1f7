/** Progress of long work: one line that is rewritten, with rate and remaining time; on a terminal only. */
import { showDuration, showSize } from '../config/quantities.ts';
import type { Screen } from './style.ts';

export interface ProgressStep {
  phase: string;
  done: number;
  total?: number;
  unit: 'files' | 'bytes' | 'steps';
  note?: string;
}

export class ProgressLine {
  readonly #screen: Screen;
  readonly #now: () => number;
  #phase = '';
  #since = 0;
  #drawnAt = 0;

  constructor(screen: Screen, now: () => number = () => performance.now()) {
    this.#screen = screen;
    this.#now = now;
  }

  show(step: ProgressStep): void {
    if (!this.#screen.isTerminal) return;
    const now = this.#now();
    if (step.phase !== this.#phase) {
      this.#phase = step.phase;
      this.#since = now;
    } else if (now - this.#drawnAt < 80) return;
    this.#drawnAt = now;
    const line = describeStep(step, now - this.#since).slice(0, this.#screen.columns - 1);
    this.#screen.setStatus(this.#screen.style.dim(line));
  }

  /** Takes the line away; what is printed next starts at its place. */
  clear(): void {
    this.#phase = '';
    this.#screen.setStatus(undefined);
  }
}

/** `Copying the project: 1,200 of 20,000 files, 8,100/s, 2.3 s left`. */
export function describeStep(step: ProgressStep, elapsedMs: number): string {
  const amount = (value: number) => (step.unit === 'bytes' ? showSize(value) : value.toLocaleString('en-US'));
  let text = step.phase;
  if (step.unit !== 'steps') {
    const of = step.total === undefined ? '' : ` of ${amount(step.total)}`;
    text += `: ${amount(step.done)}${of}${step.unit === 'files' ? ' files' : ''}`;
    if (elapsedMs > 300 && step.done > 0) {
      const perMs = step.done / elapsedMs;
      text += `, ${amount(Math.round(perMs * 1000))}/s`;
      if (step.total !== undefined && step.total > step.done) {
        text += `, ${showDuration((step.total - step.done) / perMs)} left`;
      }
    }
  }
  return step.note ? `${text} (${step.note})` : text;
}
