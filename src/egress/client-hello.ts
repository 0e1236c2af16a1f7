/**
 * The server name of a TLS ClientHello (RFC 8446, 4.1.2; RFC 6066, 3), read from the first bytes of a connection without
 * deciphering anything.
 */

export type HelloVerdict =
  /** More bytes are needed. */
  | { kind: 'partial' }
  /** Not TLS, or not as a client begins. */
  | { kind: 'other'; reason: string }
  | { kind: 'hello'; serverName: string | undefined; isEncrypted: boolean };

/** A hello with post-quantum key shares is about 2 KB. */
export const MAX_HELLO_BYTES = 16_384;
const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ENCRYPTED_CLIENT_HELLO = 0xfe0d;

/** Bytes with a place in them; reading beyond the end makes it bad. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;
  isBad = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  take(size: number): Buffer {
    if (this.#at + size > this.#bytes.length) this.isBad = true;
    const taken = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return taken;
  }

  number(width: 1 | 2 | 3): number {
    const bytes = this.take(width);
    return bytes.length === width ? bytes.readUIntBE(0, width) : 0;
  }

  /** A block that begins with its own length. */
  block(width: 1 | 2 | 3): Cursor {
    const inner = new Cursor(this.take(this.number(width)));
    inner.isBad = this.isBad;
    return inner;
  }
}

export function readClientHello(bytes: Buffer): HelloVerdict {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return { kind: 'other', reason: 'it is not TLS' };
  const message = joinRecords(bytes);
  if (message === 'bad') return { kind: 'other', reason: 'it is no TLS handshake' };
  if (message.length > 0 && message[0] !== CLIENT_HELLO)
    return { kind: 'other', reason: 'it does not begin as a client does' };
  if (message.length < 4 || message.length < 4 + message.readUIntBE(1, 3)) {
    return bytes.length >= MAX_HELLO_BYTES
      ? { kind: 'other', reason: 'its first message is too long' }
      : { kind: 'partial' };
  }
  return readExtensions(message.subarray(4, 4 + message.readUIntBE(1, 3)));
}

/** The handshake's bytes out of the records that carry them, as far as they are there. */
function joinRecords(bytes: Buffer): Buffer | 'bad' {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const size = bytes.readUInt16BE(at + 3);
    if (bytes[at] !== HANDSHAKE || bytes[at + 1] !== 3 || size === 0 || size > MAX_HELLO_BYTES) return 'bad';
    parts.push(bytes.subarray(at + 5, at + 5 + size));
    at += 5 + size;
  }
  return Buffer.concat(parts);
}

function readExtensions(body: Buffer): HelloVerdict {
  const hello = new Cursor(body);
  hello.take(2 + 32);
  hello.block(1);
  hello.block(2);
  hello.block(1);
  const extensions = hello.isAtEnd ? new Cursor(Buffer.alloc(0)) : hello.block(2);
  let serverName: string | undefined;
  let isEncrypted = false;
  const bad: HelloVerdict = { kind: 'other', reason: 'its first message is malformed' };
  while (!extensions.isAtEnd && !extensions.isBad) {
    const type = extensions.number(2);
    const content = extensions.block(2);
    if (type === ENCRYPTED_CLIENT_HELLO) isEncrypted = true;
    if (type !== SERVER_NAME) continue;
    const names = content.block(2);
    const isHost = names.number(1) === 0;
    const name = names.take(names.number(2));
    // One name, and nothing behind it: two would leave it open which one counts.
    if (!isHost || names.isBad || !names.isAtEnd || !content.isAtEnd || serverName !== undefined) return bad;
    serverName = name.toString('latin1').toLowerCase();
  }
  return hello.isBad || extensions.isBad ? bad : { kind: 'hello', serverName, isEncrypted };
}
