/** The verbs of the guest, each a request, its checks and its answer. */
import { SafeCoderError } from '../base/errors.ts';
import { once, throwIfCancelled, withDeadline } from '../base/lifetime.ts';
import { showPath } from '../base/path-bytes.ts';
import {
  decodeAll,
  readListEnd,
  readProbeEnd,
  readReadReply,
  readStatEnd,
  readWriteEnd,
} from '../protocol/answers.ts';
import { badFrame } from '../protocol/bad-frame.ts';
import type { ByteReader } from '../protocol/byte-reader.ts';
import { encodeSetup } from '../protocol/encode-setup.ts';
import { ListDecoder } from '../protocol/entry-decoder.ts';
import { FRAME } from '../protocol/frames.ts';
import type { Hello } from '../protocol/greeting.ts';
import * as requests from '../protocol/requests.ts';
import type { StatRecord } from '../protocol/stat-record.ts';
import { decodeOrFail, fileVerb, settled } from './ask.ts';
import { changes, fetch, unpack } from './bulk.ts';
import type { Connection } from './connection.ts';
import type { Guest } from './guest.ts';
import { Heartbeat } from './heartbeat.ts';
import { acceptClient } from './relayed-client.ts';
import { spawn } from './spawn.ts';

export function createGuest(connection: Connection, hello: Hello): Guest {
  /** A verb without content: a request and the answer in END. */
  const ask = async <T>(
    type: number,
    what: string,
    payload: Uint8Array,
    read: (reader: ByteReader) => T,
  ): Promise<T> => {
    const stream = connection.open(type, payload, fileVerb(connection, what));
    return decodeOrFail(connection, await stream.ended, read);
  };
  const nothing = () => undefined;
  const end = once(async () => {
    connection.fail(new SafeCoderError('guest/lost', 'The sandbox was ended.'));
  });

  const heartbeat = new Heartbeat(connection, () =>
    ask(FRAME.stat, 'answer', requests.encodeStatRequest('/', { uid: 0, gid: 0 }), readStatEnd),
  );

  return {
    hello,
    closed: connection.closed,
    spawn: async (options, signal) => {
      const process = await spawn(connection, options, signal);
      heartbeat.watch(process.ended);
      return process;
    },
    read: (path, options, signal) => read(connection, path, options, signal),
    write: (path, bytes, options, signal) => write(connection, path, bytes, options, signal),
    stat: (path, options) =>
      ask(FRAME.stat, `look at ${showPath(path)}`, requests.encodeStatRequest(path, options), readStatEnd),
    list: (path, options) => list(connection, path, options),
    remove: (path, options) =>
      ask(FRAME.remove, `remove ${showPath(path)}`, requests.encodeRemove(path, options), (reader) =>
        reader.count(),
      ),
    changes: (options, onChange) => changes(connection, options, onChange),
    fetch: (paths, options, onContent, onEnd) => fetch(connection, paths, options, onContent, onEnd),
    unpack: (directory, who, entries) => unpack(connection, directory, who, entries),
    setup: (operations) => ask(FRAME.setup, 'set itself up', encodeSetup(operations), nothing),
    setClock: (realtimeNs) => ask(FRAME.clock, 'set its clock', requests.encodeClock(realtimeNs), nothing),
    addEntropy: (bytes) => ask(FRAME.entropy, 'take entropy', bytes, nothing),
    freeze: () => ask(FRAME.freeze, 'freeze', new Uint8Array(), (reader) => reader.u32()),
    thaw: () => ask(FRAME.thaw, 'thaw', new Uint8Array(), nothing),
    listen: (port) =>
      ask(FRAME.listen, `listen on port ${port}`, requests.encodeListen(port), (reader) => reader.u16()),
    accept: (signal) => acceptClient(connection, signal),
    probe: (port) => ask(FRAME.probe, 'probe its network', requests.encodeProbe(port), readProbeEnd),
    async shutdown(deadlineMs) {
      if (connection.isOver) return;
      connection.open(FRAME.shutdown, new Uint8Array(), fileVerb(connection, 'shut down'));
      await withDeadline(connection.closed, deadlineMs, () => new Error('late')).catch(() => {
        // It didn't go in time, which the caller ends by force; this never rejects.
      });
    },
    [Symbol.asyncDispose]: end,
  };
}

async function read(
  connection: Connection,
  path: string,
  options: Parameters<Guest['read']>[1],
  signal: AbortSignal | undefined,
): Promise<{ stat: StatRecord; bytes: Buffer }> {
  throwIfCancelled(signal);
  let stat: StatRecord | undefined;
  const parts: Buffer[] = [];
  let size = 0;
  const stream = connection.open(
    FRAME.read,
    requests.encodeRead(path, options),
    fileVerb(connection, `read ${showPath(path)}`, {
      onReply: (payload) => {
        stat = decodeAll(payload, readReadReply);
      },
      onData: (bytes) => {
        size += bytes.length;
        if (size > options.maxBytes) throw badFrame('more content than asked for');
        parts.push(bytes);
      },
    }),
  );
  const sent = decodeOrFail(connection, await settled(stream, signal), (reader) => {
    const count = reader.count();
    if (count !== size || stat === undefined) throw badFrame('content that does not add up');
    return stat;
  });
  return { stat: sent, bytes: Buffer.concat(parts, size) };
}

async function write(
  connection: Connection,
  path: string,
  bytes: Uint8Array,
  options: Parameters<Guest['write']>[2],
  signal: AbortSignal | undefined,
): Promise<{ stat: StatRecord; created: boolean }> {
  throwIfCancelled(signal);
  const stream = connection.open(
    FRAME.write,
    requests.encodeWrite(path, options),
    fileVerb(connection, `write ${showPath(path)}`),
  );
  const answer = settled(stream, signal);
  void stream.send(bytes).then(() => stream.eof());
  return decodeOrFail(connection, await answer, readWriteEnd);
}

async function list(
  connection: Connection,
  path: string,
  options: Parameters<Guest['list']>[1],
): Promise<{ entries: { name: string; stat: StatRecord }[]; truncated: boolean }> {
  const decoder = new ListDecoder(options.max);
  const stream = connection.open(
    FRAME.list,
    requests.encodeList(path, options),
    fileVerb(connection, `list ${showPath(path)}`, { onData: (bytes) => decoder.push(bytes) }),
  );
  const { truncated } = decodeOrFail(connection, await stream.ended, (reader) => {
    decoder.finish();
    const end = readListEnd(reader);
    if (end.entries !== decoder.entries.length) throw badFrame('a list that does not add up');
    return end;
  });
  return { entries: decoder.entries, truncated };
}
