/** A `fetch` that gives up on a silent or endless answer and follows no redirect. */
import { SafeCoderError } from '../base/errors.ts';

export type Fetch = typeof globalThis.fetch;

export interface WatchOptions {
  fetch: Fetch;
  /** Longest wait for the headers or for the next byte, ms. */
  stallMs: number;
  /** Longest answer, bytes. */
  maxBytes: number;
}

/**
 * Wraps `fetch`: `provider/stalled` when nothing arrives for `stallMs` while somebody waits for it (a slow reader of ours is
 * no stall), `provider/bad-response` past `maxBytes`. Redirects come back as they are, because following one would carry
 * the key's header to another host.
 */
export function watchFetch(options: WatchOptions): Fetch {
  return async (input, init) => {
    const controller = new AbortController();
    const outer = init?.signal;
    const signal = outer ? AbortSignal.any([outer, controller.signal]) : controller.signal;
    const sent = options.fetch(input, { ...init, signal, redirect: 'manual' });
    const response = await withinStall(sent, options.stallMs, controller);
    if (response.body === null) return response;
    const { status, statusText, headers } = response;
    return new Response(watchBody(response.body, options, controller), { status, statusText, headers });
  };
}

function watchBody(
  body: ReadableStream<Uint8Array>,
  options: WatchOptions,
  controller: AbortController,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  let total = 0;
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(sink) {
        const next = await withinStall(reader.read(), options.stallMs, controller);
        if (next.done) return sink.close();
        total += next.value.length;
        if (total > options.maxBytes) {
          const error = new SafeCoderError('provider/bad-response', 'The model sent an endless answer.', {
            hint: 'Try again, or use another model.',
            details: { retryable: false, maxBytes: options.maxBytes },
          });
          controller.abort(error);
          throw error;
        }
        sink.enqueue(new Uint8Array(next.value));
      },
      async cancel(reason) {
        controller.abort(reason);
        // The body ends with the request; what cancelling it reports has no reader any more.
        await reader.cancel(reason).catch(() => undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

/** The promise's value, or `provider/stalled` after `stallMs`; the request is aborted then. */
async function withinStall<Value>(
  promise: Promise<Value>,
  stallMs: number,
  controller: AbortController,
): Promise<Value> {
  const { promise: stalled, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const error = new SafeCoderError('provider/stalled', `The model sent nothing for ${stallMs / 1000} s.`, {
      hint: 'Try again; a local model may need a longer time to load.',
      details: { retryable: true, stallMs },
    });
    reject(error);
    controller.abort(error);
  }, stallMs);
  try {
    return await Promise.race([promise, stalled]);
  } finally {
    clearTimeout(timer);
  }
}
