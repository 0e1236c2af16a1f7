/** When to ask a provider again. */
import { setTimeout as delay } from 'node:timers/promises';
import type { SafeCoderError } from '../base/errors.ts';

export interface RetryOptions {
  /** Requests in all, the first included. Default 8. */
  tries?: number;
  /** First wait, ms; each further one is twice as long. Default 1000. */
  baseMs?: number;
  /** Longest wait of ours, ms. Default 30 000. */
  capMs?: number;
  /** Longest wait that a provider may ask for, ms; past it the turn ends and a person decides. Default 10 minutes. */
  longestMs?: number;
  /** Between 0 and 1; for tests. */
  random?: () => number;
  /** For tests. Rejects or resolves early when the signal aborts. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

const TRIES = 8;
const BASE_MS = 1_000;
const CAP_MS = 30_000;
const LONGEST_MS = 600_000;
const JITTER = 0.25;

/** How long to wait after failed attempt `attempt` (from 1), ms, or undefined when there is no point in asking again. */
export function decideWait(
  error: SafeCoderError,
  attempt: number,
  options: RetryOptions = {},
): number | undefined {
  if (error.details?.retryable !== true || attempt >= (options.tries ?? TRIES)) return undefined;
  const asked = error.details.retryAfterMs;
  if (typeof asked === 'number') return asked <= (options.longestMs ?? LONGEST_MS) ? asked : undefined;
  const full = Math.min((options.baseMs ?? BASE_MS) * 2 ** (attempt - 1), options.capMs ?? CAP_MS);
  const random = options.random ?? Math.random;
  return Math.round(full * (1 + JITTER * (2 * random() - 1)));
}

/** Waits; true when the time is over, false when the signal ended the wait. */
export async function waitFor(ms: number, signal: AbortSignal, options: RetryOptions = {}): Promise<boolean> {
  const sleep = options.sleep ?? ((time, stop) => delay(time, undefined, { signal: stop }));
  try {
    await sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return !signal.aborted;
}
