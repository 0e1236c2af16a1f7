import { Duplex } from 'node:stream';
import { connect } from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readClientHello } from '../../../src/egress/client-hello.ts';

/** The first bytes of a real client. */
function realHello(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        resolve(Buffer.from(chunk));
        done();
      },
    });
    connect({ socket, servername }).on('error', () => undefined);
  });
}

describe('the first message of TLS', () => {
  it('gives the server name, however it is cut into records', async () => {
    const hello = await realHello('Name.Example');
    expect(readClientHello(hello)).toEqual({ kind: 'hello', serverName: 'name.example', isEncrypted: false });
    const body = hello.subarray(5);
    const records: Buffer[] = [];
    for (let at = 0; at < body.length; at += 37) {
      const part = body.subarray(at, at + 37);
      records.push(Buffer.from([22, 3, 1, 0, part.length]), part);
    }
    expect(readClientHello(Buffer.concat(records))).toMatchObject({
      kind: 'hello',
      serverName: 'name.example',
    });
  });

  it('waits for the rest of a message that began well', async () => {
    const hello = await realHello('name.example');
    for (let size = 0; size < hello.length; size += 11)
      expect(readClientHello(hello.subarray(0, size))).toEqual({ kind: 'partial' });
  });

  it('has no name when the client says none', async () => {
    expect(readClientHello(await realHello(''))).toMatchObject({ kind: 'hello', serverName: undefined });
  });

  it('takes two names, or an encrypted one, for what they are', async () => {
    const hello = await realHello('name.example');
    const twice = insertExtension(hello, Buffer.from('0000000e000c00000965' + '76696c2e74657374', 'hex'));
    expect(readClientHello(twice)).toMatchObject({ kind: 'other' });
    expect(readClientHello(insertExtension(hello, Buffer.from('fe0d000400000000', 'hex')))).toMatchObject({
      kind: 'hello',
      isEncrypted: true,
    });
  });

  it('refuses what is not TLS at its first byte', () => {
    expect(readClientHello(Buffer.from('G'))).toMatchObject({ kind: 'other' });
    expect(readClientHello(Buffer.from([22, 2, 0, 0, 5, 1]))).toMatchObject({ kind: 'other' });
  });

  it('reads or refuses tampered bytes, and never throws', async () => {
    const hello = await realHello('name.example');
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: hello.length - 1 }), fc.nat({ max: 255 })), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.nat({ max: hello.length }),
        (changes, cut) => {
          const bytes = Buffer.from(hello);
          for (const [at, value] of changes) bytes[at] = value;
          const verdict = readClientHello(bytes.subarray(0, bytes.length - (cut % 7)));
          expect(['partial', 'other', 'hello']).toContain(verdict.kind);
        },
      ),
      { numRuns: 3000 },
    );
  });
});

/** One more extension at the end, with every length above it set right. */
function insertExtension(hello: Buffer, extension: Buffer): Buffer {
  const out = Buffer.concat([hello, extension]);
  const grow = (at: number, width: number) =>
    out.writeUIntBE(out.readUIntBE(at, width) + extension.length, at, width);
  grow(3, 2);
  grow(6, 3);
  let at = 9 + 2 + 32;
  at += 1 + (out[at] ?? 0);
  at += 2 + out.readUInt16BE(at);
  at += 1 + (out[at] ?? 0);
  grow(at, 2);
  return out;
}
