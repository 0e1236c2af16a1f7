/** A proxy on a real port with names that resolve as a test says, and servers that say who asked. */
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import type { EventBody } from '../../src/base/events.ts';
import { Gate, type GateOptions } from '../../src/egress/gate.ts';
import { EgressProxy, type ProxyLimits } from '../../src/egress/proxy.ts';

export type EgressEvent = Extract<EventBody, { type: 'egress' }>;

export interface ProxyUnderTest {
  port: number;
  events: EgressEvent[];
  /** Every name that was looked up, in order. */
  lookups: string[];
  /** Every address and port that was connected to. */
  dials: string[];
  proxy: EgressProxy;
}

export interface ProxyOptions extends Partial<Pick<GateOptions, 'policy' | 'ask' | 'keep'>> {
  /** What names resolve to, by look-up; the last answer stays. */
  names?: Record<string, string[] | string[][]>;
  /** Where every connection really goes. */
  server?: number;
  limits?: Partial<ProxyLimits>;
}

export async function openProxy(options: ProxyOptions = {}): Promise<ProxyUnderTest> {
  const events: EgressEvent[] = [];
  const lookups: string[] = [];
  const dials: string[] = [];
  const gate = new Gate({
    policy: options.policy ?? { mode: 'open', rules: [] },
    emit: (event) => {
      if (event.type === 'egress') events.push(event);
    },
    ...(options.ask === undefined ? {} : { ask: options.ask }),
    ...(options.keep === undefined ? {} : { keep: options.keep }),
    resolve: async (host) => {
      lookups.push(host);
      const known = options.names?.[host] ?? ['93.184.215.14'];
      const answers = Array.isArray(known[0]) ? (known as string[][]) : [known as string[]];
      const count = lookups.filter((name) => name === host).length;
      const answer = answers[Math.min(count, answers.length) - 1];
      if (answer === undefined || answer.length === 0) throw new Error('ENOTFOUND');
      return answer;
    },
    dial: (address, port) => {
      dials.push(`${address} ${port}`);
      return connect({ host: '127.0.0.1', port: options.server ?? 1 });
    },
  });
  const proxy = new EgressProxy(gate, options.limits);
  const front = createTcpServer({ allowHalfOpen: true }, (client) => proxy.serve(client));
  const port = await listen(front);
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]();
    front.close();
  });
  return { port, events, lookups, dials, proxy };
}

/** An HTTP server that answers with what it saw of each request. */
export async function openOrigin(): Promise<{ port: number; seen: { line: string; fields: string[] }[] }> {
  const seen: { line: string; fields: string[] }[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    seen.push({ line: `${request.method} ${request.url}`, fields: request.rawHeaders });
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
    });
    request.on('end', () => response.end(`${request.method} ${request.url} ${size}`));
  });
  const port = await listen(server);
  onTestFinished(() => void server.close());
  return { port, seen };
}

/** A server that takes connections and gives back, in upper case, what it is sent. */
export async function openEcho(): Promise<{ port: number; received: () => Buffer; connections: Socket[] }> {
  const parts: Buffer[] = [];
  const connections: Socket[] = [];
  const server = createTcpServer((socket) => {
    connections.push(socket);
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      parts.push(chunk);
      socket.write(chunk.toString('latin1').toUpperCase(), 'latin1');
    });
  });
  const port = await listen(server);
  onTestFinished(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return { port, received: () => Buffer.concat(parts), connections };
}

function listen(server: {
  listen(port: number, host: string, done: () => void): unknown;
  address(): unknown;
}) {
  return new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

/** Sends bytes to the proxy and collects what comes back until it closes, or until `enough` matches. */
export function talk(port: number, bytes: string | Buffer, enough?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const socket = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    const timer = setTimeout(() => socket.destroy(new Error(`no end after: ${said}`)), 10_000);
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (enough?.test(said)) socket.destroy();
    });
    socket.on('end', () => socket.end());
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      resolve(said);
    });
  });
}
