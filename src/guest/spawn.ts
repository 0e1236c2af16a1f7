/** SPAWN: a running execution. */
import { SafeCoderError } from '../base/errors.ts';
import { throwIfCancelled } from '../base/lifetime.ts';
import { showPath } from '../base/path-bytes.ts';
import { decodeAll, readSpawnEnd } from '../protocol/answers.ts';
import { FRAME } from '../protocol/frames.ts';
import { encodeSize, encodeSpawn, encodeU32 } from '../protocol/requests.ts';
import { decodeOrFail } from './ask.ts';
import type { Connection } from './connection.ts';
import type { GuestProcess, SpawnEnd, SpawnOptions } from './guest.ts';
import type { WireStream } from './wire-stream.ts';

/**
 * Resolves once the program runs. When the signal aborts, the group is killed: before the program runs this rejects
 * with `cancelled`, later `ended` settles as after a kill.
 */
export async function spawn(
  connection: Connection,
  options: SpawnOptions,
  signal: AbortSignal | undefined,
): Promise<GuestProcess> {
  throwIfCancelled(signal);
  const started = Promise.withResolvers<number>();
  const stream = connection.open(FRAME.spawn, encodeSpawn(options), {
    what: `run ${showPath((options.argv[0] ?? '').slice(0, 200))}`,
    contentMayLead: true,
    cancelMs: connection.deadlines.cancelMs,
    onReply: (payload) => started.resolve(decodeAll(payload, (reader) => reader.u32())),
    onData: (bytes, channel) => options.onOutput(bytes, channel === 0 ? 'out' : 'err'),
    onCancelIgnored: () => {
      const message = `The guest did not stop an execution within ${connection.deadlines.cancelMs} ms.`;
      connection.fail(new SafeCoderError('guest/timeout', message, { details: { phase: 'cancel' } }));
    },
  });
  const ended = stream.ended.then((payload) => decodeOrFail(connection, payload, readSpawnEnd));
  ended.catch((error: Error) => started.reject(error));
  const onAbort = () => stream.cancel();
  signal?.addEventListener('abort', onAbort, { once: true });
  const forgetSignal = () => signal?.removeEventListener('abort', onAbort);
  ended.then(forgetSignal, forgetSignal);
  try {
    return runningProcess(stream, await started.promise, ended, options);
  } catch (error) {
    throwIfCancelled(signal);
    throw error;
  }
}

function runningProcess(
  stream: WireStream,
  pid: number,
  ended: Promise<SpawnEnd>,
  options: SpawnOptions,
): GuestProcess {
  // What the execution has no end for is not sent: the guest would take it for a violation.
  const takesInput = options.stdin === true || options.pty !== undefined;
  let isClosed = !takesInput;
  return {
    pid,
    ended,
    write: async (bytes) => {
      if (!isClosed) await stream.send(bytes);
    },
    closeStdin: () => {
      if (!isClosed) stream.eof();
      isClosed = true;
    },
    signal: (signo) => {
      if (!Number.isInteger(signo) || signo < 1 || signo > 64)
        throw new RangeError(`no such signal: ${signo}`);
      stream.control(FRAME.signal, encodeU32(signo));
    },
    resize: (rows, columns) => {
      if (options.pty !== undefined) stream.control(FRAME.resize, encodeSize(rows, columns));
    },
    kill: () => stream.cancel(),
  };
}
