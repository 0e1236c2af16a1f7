/** A tunnel through the proxy: the first bytes must fit what it was opened for, then bytes pass both ways. */
import type { Duplex } from 'node:stream';
import { type EgressTarget, parseHost } from '../policy/egress-target.ts';
import { MAX_HELLO_BYTES, readClientHello } from './client-hello.ts';

export interface TunnelLimits {
  /** Silence on both sides after which a tunnel is closed. */
  idleMs: number;
  /** How long a client may take over its first message. */
  helloMs: number;
}

/** Reads until a whole TLS hello is there and gives it with its fault, if any; undefined when the client went before. */
export async function awaitHello(
  client: Duplex,
  target: EgressTarget,
  limits: TunnelLimits,
): Promise<{ first: Buffer; fault: string | undefined } | undefined> {
  let first = Buffer.alloc(0);
  const timer = setTimeout(() => client.destroy(), limits.helloMs);
  try {
    for (;;) {
      const chunk = await nextChunk(client);
      if (chunk === undefined) return undefined;
      first = Buffer.concat([first, chunk]);
      const verdict = readClientHello(first.subarray(0, MAX_HELLO_BYTES));
      if (verdict.kind === 'partial') continue;
      if (verdict.kind === 'other') return { first, fault: verdict.reason };
      return { first, fault: nameFault(verdict, target) };
    }
  } finally {
    clearTimeout(timer);
  }
}

function nameFault(
  hello: { serverName: string | undefined; isEncrypted: boolean },
  target: EgressTarget,
): string | undefined {
  if (hello.isEncrypted) return 'its TLS server name is encrypted';
  // An address has no name to say.
  if (hello.serverName === undefined) return target.isAddress ? undefined : 'it says no TLS server name';
  return parseHost(hello.serverName)?.host === target.host ? undefined : 'its TLS server name is another one';
}

async function nextChunk(client: Duplex): Promise<Buffer | undefined> {
  for (;;) {
    const chunk = client.read() as Buffer | null;
    if (chunk !== null) return chunk;
    if (client.readableEnded || client.destroyed) return undefined;
    await new Promise<void>((resolve) => {
      const done = () => {
        for (const name of ['readable', 'end', 'close', 'error']) client.off(name, done);
        resolve();
      };
      for (const name of ['readable', 'end', 'close', 'error']) client.once(name, done);
    });
  }
}

/** Joins both; `first` goes ahead. Resolves with the bytes of each way when both are closed. Never rejects. */
export function join(
  client: Duplex,
  server: Duplex,
  first: Buffer,
  limits: TunnelLimits,
): Promise<{ sent: number; received: number }> {
  const count = { sent: first.length, received: 0 };
  return new Promise((resolve) => {
    let open = [client, server].filter((side) => !side.closed).length;
    let timer: NodeJS.Timeout | undefined;
    const stop = () => {
      client.destroy();
      server.destroy();
    };
    const touch = () => {
      clearTimeout(timer);
      timer = setTimeout(stop, limits.idleMs);
    };
    const finish = () => {
      if (open > 0) return;
      clearTimeout(timer);
      resolve(count);
    };
    const closed = () => {
      open -= 1;
      finish();
    };
    client.on('data', (chunk: Buffer) => {
      count.sent += chunk.length;
      touch();
    });
    server.on('data', (chunk: Buffer) => {
      count.received += chunk.length;
      touch();
    });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.once('close', () => {
        // What was half closed is done; what broke takes the other with it.
        if (one.errored || !one.readableEnded) other.destroy();
        closed();
      });
      one.on('error', () => other.destroy());
    }
    touch();
    if (first.length > 0) server.write(first);
    client.pipe(server);
    server.pipe(client);
    if (client.destroyed || server.destroyed) stop();
    finish();
  });
}
