/** SOCKS 5 (RFC 1928), as much of it as a way out needs: no authentication, CONNECT by name or address. */
import type { Duplex } from 'node:stream';
import { type EgressTarget, toTarget } from '../policy/egress-target.ts';

const VERSION = 5;
const CONNECT = 1;
const IPV4 = 1;
const NAME = 3;
const IPV6 = 4;
const CODES = { granted: 0, denied: 2, unreachable: 4 } as const;

export interface SocksRequest {
  target: EgressTarget;
  /** The reply's bytes. */
  answer(result: keyof typeof CODES): Buffer;
}

/** The client's request; undefined after a client that doesn't keep to the protocol was answered and closed. */
export async function acceptSocks(client: Duplex, patienceMs: number): Promise<SocksRequest | undefined> {
  const timer = setTimeout(() => client.destroy(), patienceMs);
  try {
    const [, methods = 0] = await take(client, 2);
    const offered = await take(client, methods);
    if (!offered.includes(0)) {
      client.end(Buffer.from([VERSION, 0xff]));
      return undefined;
    }
    client.write(Buffer.from([VERSION, 0]));
    const [version, command, reserved, kind] = await take(client, 4);
    if (version !== VERSION || reserved !== 0) return fail(client, 1);
    const host = await readHost(client, kind);
    const port = (await take(client, 2)).readUInt16BE();
    if (command !== CONNECT) return fail(client, 7);
    if (host === undefined) return fail(client, 8);
    const target = toTarget(host, port);
    if (target === undefined) return fail(client, CODES.denied);
    return { target, answer: (result) => reply(CODES[result]) };
  } catch {
    // It ended or was too slow in the middle of its request: there is nobody to answer.
    client.destroy();
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

async function readHost(client: Duplex, kind: number | undefined): Promise<string | undefined> {
  if (kind === IPV4) return [...(await take(client, 4))].join('.');
  if (kind === IPV6) {
    const bytes = await take(client, 16);
    const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
    return `[${groups.join(':')}]`;
  }
  if (kind !== NAME) return undefined;
  const [size = 0] = await take(client, 1);
  return (await take(client, size)).toString('latin1');
}

function fail(client: Duplex, code: number): undefined {
  client.end(reply(code));
}

function reply(code: number): Buffer {
  return Buffer.from([VERSION, code, 0, IPV4, 0, 0, 0, 0, 0, 0]);
}

async function take(client: Duplex, size: number): Promise<Buffer> {
  if (size === 0) return Buffer.alloc(0);
  for (;;) {
    const bytes = client.read(size) as Buffer | null;
    if (bytes !== null) {
      if (bytes.length === size) return bytes;
      throw new Error('cut short');
    }
    if (client.readableEnded || client.destroyed) throw new Error('ended');
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const name of ['readable', 'end', 'close']) client.off(name, done);
        resolve();
      };
      for (const name of ['readable', 'end', 'close']) client.once(name, done);
    });
  }
}
