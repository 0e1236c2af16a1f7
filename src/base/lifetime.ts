/**
 * Lifetimes. Whatever holds a process, socket, file, folder, timer or listener is `AsyncDisposable`; ending is
 * idempotent, bounded by a deadline, and never hides the first error.
 */
import { SafeCoderError } from './errors.ts';

/** Resolves after `ms`, or rejects with the signal's reason as soon as it aborts. */
export function delay(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, ms);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The promise's outcome, or the error that `late` makes once `ms` have passed. The promise itself goes on. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), ms);
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** Throws a `cancelled` error when the signal has aborted. */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw signal.reason instanceof SafeCoderError
      ? signal.reason
      : new SafeCoderError('cancelled', 'Cancelled.', { cause: signal.reason });
  }
}

/** Runs a clean-up step once, however often and from wherever it is called; later callers wait for the first. */
export function once(step: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => {
    running ??= step();
    return running;
  };
}
