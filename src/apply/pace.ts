/** How far a run is, and its chance to stop. */
import { throwIfCancelled } from '../base/lifetime.ts';
import type { RelPath } from '../base/path-bytes.ts';

export interface Progress {
  phase: 'keep' | 'stage' | 'publish';
  done: number;
  total: number;
}

interface Pace {
  onProgress?: (progress: Progress) => void;
  signal?: AbortSignal;
}

/** Runs a generator to its end, letting the event loop breathe, reporting progress and obeying the signal. */
export async function paced(
  context: Pace,
  phase: Progress['phase'],
  total: number,
  steps: Iterable<RelPath>,
): Promise<void> {
  const pace = pacer(context, phase, total);
  for (const _ of steps) await pace();
}

/** Reports one thing done of `total` each time that it is called. Throws `cancelled`. */
export function pacer(
  { onProgress, signal }: Pace,
  phase: Progress['phase'],
  total: number,
): () => Promise<void> {
  let done = 0;
  let last = performance.now();
  return async () => {
    throwIfCancelled(signal);
    onProgress?.({ phase, done: done++, total });
    if (performance.now() - last < 16) return;
    await new Promise((resolve) => setImmediate(resolve));
    last = performance.now();
  };
}
