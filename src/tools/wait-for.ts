/**
 * Waits until `promise` settles (either way: look at the promise itself), a time is over, or the signal aborts,
 * whichever is first. Never rejects and leaves no timer or listener behind.
 */
export async function waitFor(
  promise: Promise<unknown>,
  ms: number,
  signal?: AbortSignal,
): Promise<'settled' | 'timeout' | 'aborted'> {
  if (signal?.aborted === true) return 'aborted';
  let timer: NodeJS.Timeout | undefined;
  let onAbort: (() => void) | undefined;
  try {
    return await Promise.race([
      promise.then(
        () => 'settled' as const,
        () => 'settled' as const,
      ),
      new Promise<'timeout'>((resolve) => {
        timer = setTimeout(() => resolve('timeout'), ms);
      }),
      new Promise<'aborted'>((resolve) => {
        onAbort = () => resolve('aborted');
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (onAbort !== undefined) signal?.removeEventListener('abort', onAbort);
  }
}
