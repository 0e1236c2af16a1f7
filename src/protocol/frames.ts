/**
 * Frames of the wire, see guest/PROTOCOL.md. The decoder checks a header against the table below before it keeps a
 * single byte of payload, so the memory that a hostile sender can make it hold is one payload.
 */
import { badFrame } from './bad-frame.ts';

export const PROTOCOL_VERSION = 1;
export const HEADER_BYTES = 12;
export const MAX_PAYLOAD = 262_144;
export const MAX_DATA = 65_536;
export const INITIAL_CREDIT = 262_144;
export const MAX_CREDIT = 16_777_216;

export const FRAME = {
  hello: 0x01,
  knock: 0x02,
  fatal: 0x03,
  spawn: 0x10,
  read: 0x11,
  write: 0x12,
  stat: 0x13,
  list: 0x14,
  remove: 0x15,
  changes: 0x16,
  fetch: 0x17,
  unpack: 0x18,
  setup: 0x19,
  clock: 0x1a,
  entropy: 0x1b,
  freeze: 0x1c,
  thaw: 0x1d,
  probe: 0x1e,
  shutdown: 0x1f,
  listen: 0x20,
  accept: 0x21,
  data: 0x40,
  reply: 0x41,
  end: 0x42,
  error: 0x43,
  eof: 0x44,
  credit: 0x45,
  signal: 0x46,
  resize: 0x47,
  cancel: 0x48,
} as const;

export type Side = 'host' | 'guest';

export interface Frame {
  type: number;
  flags: number;
  stream: number;
  /** May share memory with the chunk it came in; copy what is kept for long. */
  payload: Buffer;
}

interface Rule {
  from: 'host' | 'guest' | 'both';
  /** On the connection itself (stream 0) or on a stream of its own. */
  isConnection: boolean;
  min: number;
  max: number;
  flags: number;
}

const RULES: (Rule | undefined)[] = [];
const rule = (
  type: number,
  from: Rule['from'],
  isConnection: boolean,
  min: number,
  max: number,
  flags = 0,
) => {
  RULES[type] = { from, isConnection, min, max, flags };
};
rule(FRAME.hello, 'guest', true, 32, 512);
rule(FRAME.knock, 'host', true, 16, 16);
rule(FRAME.fatal, 'guest', true, 6, 518);
for (let type: number = FRAME.spawn; type <= FRAME.accept; type++) rule(type, 'host', false, 0, MAX_PAYLOAD);
rule(FRAME.data, 'both', false, 1, MAX_DATA, 1);
rule(FRAME.reply, 'guest', false, 0, 256);
rule(FRAME.end, 'guest', false, 0, 16_384);
rule(FRAME.error, 'guest', false, 6, 518);
rule(FRAME.eof, 'both', false, 0, 0);
rule(FRAME.credit, 'both', false, 4, 4);
rule(FRAME.signal, 'host', false, 4, 4);
rule(FRAME.resize, 'host', false, 4, 4);
rule(FRAME.cancel, 'host', false, 0, 0);

/** One frame as bytes; the payload is copied, so the caller may reuse it. */
export function encodeFrame(type: number, stream: number, payload?: Uint8Array, flags = 0): Buffer {
  const size = payload?.length ?? 0;
  if (size > MAX_PAYLOAD) throw new RangeError(`a payload of ${size} bytes is larger than ${MAX_PAYLOAD}`);
  const frame = Buffer.allocUnsafe(HEADER_BYTES + size);
  frame.writeUInt32LE(size, 0);
  frame[4] = type;
  frame[5] = flags;
  frame.writeUInt16LE(0, 6);
  frame.writeUInt32LE(stream, 8);
  if (payload !== undefined) frame.set(payload, HEADER_BYTES);
  return frame;
}

/** Throws `guest/bad-frame` when a frame with this header may not come from this side. */
function checkHeader(from: Side, header: Uint8Array, size: number, stream: number): void {
  const type = header[4] ?? 0;
  const flags = header[5] ?? 0;
  const known = RULES[type];
  if (known === undefined) throw badFrame(`unknown frame type ${type}`);
  if (known.from !== 'both' && known.from !== from) throw badFrame(`frame type ${type} from the wrong side`);
  if (size < known.min || size > known.max) throw badFrame(`a frame of type ${type} with ${size} bytes`);
  // Standard error is the guest's alone.
  const allowed = from === 'guest' ? known.flags : 0;
  if ((flags & ~allowed) !== 0) throw badFrame(`unknown flags ${flags} in a frame of type ${type}`);
  if (header[6] !== 0 || header[7] !== 0) throw badFrame('reserved bits are set');
  if ((stream === 0) !== known.isConnection) throw badFrame(`frame type ${type} on stream ${stream}`);
}

/**
 * Cuts a byte stream into frames. Feed it chunks as they arrive; a chunk must not be changed afterwards, as payloads
 * that lie whole in one chunk are handed on without a copy. After it threw it must not be used again.
 */
export class FrameDecoder {
  readonly #from: Side;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFill = 0;
  #payload: Buffer | undefined;
  #payloadFill = 0;

  /** `from` is the side whose frames these are. */
  constructor(from: Side) {
    this.#from = from;
  }

  /** True while a frame has begun and isn't complete. */
  get isPartial(): boolean {
    return this.#headerFill > 0;
  }

  /** Calls `onFrame` for each frame that is complete now, in order. Throws `guest/bad-frame`. */
  push(chunk: Buffer, onFrame: (frame: Frame) => void): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFill === 0 && chunk.length - at >= HEADER_BYTES) {
        const next = this.#takeWhole(chunk, at, onFrame);
        if (next > at) {
          at = next;
          continue;
        }
      }
      at = this.#takePart(chunk, at, onFrame);
    }
  }

  /** A frame that lies whole in the chunk: no copy. Returns the offset after it, or `at` when it isn't whole. */
  #takeWhole(chunk: Buffer, at: number, onFrame: (frame: Frame) => void): number {
    const size = chunk.readUInt32LE(at);
    const stream = chunk.readUInt32LE(at + 8);
    checkHeader(this.#from, chunk.subarray(at, at + HEADER_BYTES), size, stream);
    const end = at + HEADER_BYTES + size;
    if (end > chunk.length) return at;
    onFrame({
      type: chunk[at + 4] ?? 0,
      flags: chunk[at + 5] ?? 0,
      stream,
      payload: chunk.subarray(at + HEADER_BYTES, end),
    });
    return end;
  }

  /** Takes what the chunk has of a frame that spans chunks. */
  #takePart(chunk: Buffer, from: number, onFrame: (frame: Frame) => void): number {
    let at = from;
    if (this.#payload === undefined) {
      const part = Math.min(HEADER_BYTES - this.#headerFill, chunk.length - at);
      chunk.copy(this.#header, this.#headerFill, at, at + part);
      this.#headerFill += part;
      at += part;
      if (this.#headerFill < HEADER_BYTES) return at;
      const size = this.#header.readUInt32LE(0);
      checkHeader(this.#from, this.#header, size, this.#header.readUInt32LE(8));
      this.#payload = Buffer.allocUnsafe(size);
      this.#payloadFill = 0;
    }
    const payload = this.#payload;
    const part = Math.min(payload.length - this.#payloadFill, chunk.length - at);
    chunk.copy(payload, this.#payloadFill, at, at + part);
    this.#payloadFill += part;
    at += part;
    if (this.#payloadFill === payload.length) {
      this.#payload = undefined;
      this.#headerFill = 0;
      onFrame({
        type: this.#header[4] ?? 0,
        flags: this.#header[5] ?? 0,
        stream: this.#header.readUInt32LE(8),
        payload,
      });
    }
    return at;
  }
}
