import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decideWait, waitFor } from '../../../src/agent/backoff.ts';
import { SafeCoderError } from '../../../src/base/errors.ts';

const fails = (details: Record<string, unknown>) =>
  new SafeCoderError('provider/overloaded', 'busy', { details });

describe('the wait before another try', () => {
  it('doubles from one second to at most thirty, give or take a quarter', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 7 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempt, chance) => {
          const full = Math.min(1000 * 2 ** (attempt - 1), 30_000);
          const wait = decideWait(fails({ retryable: true }), attempt, { random: () => chance }) ?? -1;
          expect(wait).toBeGreaterThanOrEqual(Math.floor(full * 0.75));
          expect(wait).toBeLessThanOrEqual(Math.ceil(full * 1.25));
        },
      ),
    );
    const extremes = [0, 1].map((chance) =>
      decideWait(fails({ retryable: true }), 1, { random: () => chance }),
    );
    expect(extremes).toEqual([750, 1250]);
  });

  it('is what the provider asks for', () => {
    expect(decideWait(fails({ retryable: true, retryAfterMs: 42_000 }), 1)).toBe(42_000);
    expect(decideWait(fails({ retryable: true, retryAfterMs: 0 }), 1)).toBe(0);
  });

  it('is none when there is no point: not retryable, too often, too long', () => {
    expect(decideWait(fails({ retryable: false }), 1)).toBeUndefined();
    expect(decideWait(fails({}), 1)).toBeUndefined();
    expect(decideWait(new Error('x') as SafeCoderError, 1)).toBeUndefined();
    expect(decideWait(fails({ retryable: true }), 8)).toBeUndefined();
    expect(decideWait(fails({ retryable: true, retryAfterMs: 600_001 }), 1)).toBeUndefined();
  });

  it('ends early when the signal aborts, at once when it has', async () => {
    const controller = new AbortController();
    const waited = waitFor(3_600_000, controller.signal);
    controller.abort();
    expect(await waited).toBe(false);
    expect(await waitFor(3_600_000, controller.signal)).toBe(false);
    expect(await waitFor(0, new AbortController().signal)).toBe(true);
  });

  it('does not swallow a fault of the clock', async () => {
    const sleep = () => Promise.reject(new Error('broken'));
    await expect(waitFor(1, new AbortController().signal, { sleep })).rejects.toThrow('broken');
  });
});
