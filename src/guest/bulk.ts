/** The verbs that move many files: CHANGES, FETCH and UNPACK. */
import type { RelPath } from '../base/path-bytes.ts';
import { readChangesEnd } from '../protocol/answers.ts';
import { badFrame } from '../protocol/bad-frame.ts';
import { ByteWriter } from '../protocol/byte-writer.ts';
import { ChangesDecoder, MAX_REPORTED_PATH } from '../protocol/entry-decoder.ts';
import { FetchDecoder } from '../protocol/fetch-decoder.ts';
import { FRAME, MAX_DATA } from '../protocol/frames.ts';
import { encodeChanges, encodeFetch, encodeUnpack } from '../protocol/requests.ts';
import { CHUNKS_END, encodeChunks, encodeUnpackHead } from '../protocol/unpack-encoder.ts';
import { decodeOrFail, fileVerb } from './ask.ts';
import { ChangeOrder } from './change-order.ts';
import type { Connection } from './connection.ts';
import type { FetchResult, Guest, GuestChange, UnpackEntry, Who } from './guest.ts';
import type { WireStream } from './wire-stream.ts';

export async function changes(
  connection: Connection,
  options: Parameters<Guest['changes']>[0],
  onChange: (change: GuestChange) => void,
): Promise<{ entries: number; truncated: boolean }> {
  const order = new ChangeOrder(options.prune);
  const decoder = new ChangesDecoder(options.max, (change) => {
    if (order.admit(change)) onChange(change);
  });
  const stream = connection.open(
    FRAME.changes,
    encodeChanges(options.mode, options.max, options.prune),
    fileVerb(connection, 'list what changed', { onData: (bytes) => decoder.push(bytes) }),
  );
  return decodeOrFail(connection, await stream.ended, (reader) => {
    decoder.finish();
    const end = readChangesEnd(reader);
    if (end.entries !== decoder.count) throw badFrame('a list of changes that does not add up');
    return end;
  });
}

export async function fetch(
  connection: Connection,
  paths: Iterable<RelPath>,
  options: { maxFileBytes: number },
  onContent: (path: RelPath, chunk: Buffer) => void,
  onEnd: (result: FetchResult) => void,
): Promise<void> {
  /** Paths asked for and not answered, oldest first from `next`. */
  let asked: RelPath[] = [];
  let next = 0;
  let count = 0;
  const current = (): RelPath => {
    const path = asked[next];
    if (path === undefined) throw badFrame('a file that nobody asked for');
    return path;
  };
  const decoder = new FetchDecoder(options.maxFileBytes, {
    onContent: (bytes) => onContent(current(), bytes),
    onEnd: (result) => {
      const path = current();
      next += 1;
      if (next === 1024) {
        asked = asked.slice(next);
        next = 0;
      }
      onEnd({ path, ...result });
    },
  });
  const stream = connection.open(
    FRAME.fetch,
    encodeFetch(options.maxFileBytes),
    fileVerb(connection, 'send what changed', { onData: (bytes) => decoder.push(bytes) }),
  );
  const sender = new Gatherer(stream);
  const send = async () => {
    for (const path of paths) {
      asked.push(path);
      count += 1;
      await sender.add(new ByteWriter(path.length + 8).path(path, MAX_REPORTED_PATH).done());
      if (!stream.isOpen) return;
    }
    await sender.flush();
    stream.eof();
  };
  send().catch((error: Error) => stream.abandon(error));
  decodeOrFail(connection, await stream.ended, (reader) => {
    decoder.finish();
    if (reader.count() !== decoder.count || decoder.count !== count) {
      throw badFrame('a count of fetched files that does not add up');
    }
  });
}

export async function unpack(
  connection: Connection,
  directory: string,
  who: Who,
  entries: Iterable<UnpackEntry> | AsyncIterable<UnpackEntry>,
): Promise<number> {
  const stream = connection.open(
    FRAME.unpack,
    encodeUnpack(directory, who),
    fileVerb(connection, 'unpack the project'),
  );
  sendEntries(stream, entries).catch((error: Error) => stream.abandon(error));
  return decodeOrFail(connection, await stream.ended, (reader) => reader.count());
}

async function sendEntries(
  stream: WireStream,
  entries: Iterable<UnpackEntry> | AsyncIterable<UnpackEntry>,
): Promise<void> {
  const sender = new Gatherer(stream);
  for await (const entry of slowly(stream, entries)) {
    await sender.add(encodeUnpackHead(entry));
    if (entry.kind === 'file') {
      for await (const bytes of slowly(stream, entry.content)) {
        for (const part of encodeChunks(bytes)) await sender.add(part);
      }
      await sender.add(CHUNKS_END);
    }
    if (!stream.isOpen) return;
  }
  await sender.flush();
  stream.eof();
}

/** Items of a source that may take its time: meanwhile the guest's silence means nothing. */
async function* slowly<T>(stream: WireStream, source: Iterable<T> | AsyncIterable<T>): AsyncGenerator<T> {
  if (Symbol.iterator in source) {
    yield* source;
    return;
  }
  const iterator = source[Symbol.asyncIterator]();
  try {
    while (true) {
      const { done, value } = await stream.whileHostWorks(() => iterator.next());
      if (done) return;
      yield value;
    }
  } finally {
    await iterator.return?.();
  }
}

/** Gathers small parts into DATA frames of full size. Parts are copied, so their owner may reuse them. */
class Gatherer {
  readonly #stream: WireStream;
  #frame = Buffer.allocUnsafeSlow(MAX_DATA);
  #fill = 0;

  constructor(stream: WireStream) {
    this.#stream = stream;
  }

  async add(part: Uint8Array): Promise<void> {
    let at = 0;
    while (at < part.length) {
      const size = Math.min(part.length - at, MAX_DATA - this.#fill);
      this.#frame.set(part.subarray(at, at + size), this.#fill);
      this.#fill += size;
      at += size;
      if (this.#fill === MAX_DATA) await this.flush();
    }
  }

  async flush(): Promise<void> {
    if (this.#fill === 0) return;
    const frame = this.#frame.subarray(0, this.#fill);
    this.#fill = 0;
    await this.#stream.send(frame);
  }
}
