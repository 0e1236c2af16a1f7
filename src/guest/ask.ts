/** What every verb does: watch its stream, await its end, decode its answer. */
import { SafeCoderError } from '../base/errors.ts';
import { decodeAll } from '../protocol/answers.ts';
import type { ByteReader } from '../protocol/byte-reader.ts';
import type { Connection } from './connection.ts';
import type { StreamHandler, WireStream } from './wire-stream.ts';

/** The end of a stream, or `cancelled` as soon as the signal aborts; the guest is told to stop then. */
export async function settled(stream: WireStream, signal: AbortSignal | undefined): Promise<Buffer> {
  if (signal === undefined) return stream.ended;
  const onAbort = () => {
    stream.abandon(new SafeCoderError('cancelled', 'Cancelled.', { cause: signal.reason }));
  };
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await stream.ended;
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** How a file verb's stream is watched. */
export function fileVerb(
  connection: Connection,
  what: string,
  more: Partial<StreamHandler> = {},
): StreamHandler {
  const { silenceMs, cancelMs } = connection.deadlines;
  return { what, silenceMs, cancelMs, ...more };
}

/** Decodes an answer; one that breaks the protocol ends the connection. */
export function decodeOrFail<T>(connection: Connection, payload: Buffer, read: (reader: ByteReader) => T): T {
  try {
    return decodeAll(payload, read);
  } catch (error) {
    if (error instanceof Error) connection.fail(error);
    throw error;
  }
}
