/**
 * The proxy on the host, the guest's only way out. A client speaks HTTP (CONNECT, or a request with an absolute address)
 * or SOCKS 5; what it asks for goes through the {@link Gate}, and what it then sends must fit what it asked for.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { once } from '../base/lifetime.ts';
import { type EgressTarget, parseAuthority, showTarget } from '../policy/egress-target.ts';
import { forward, refuse } from './forward.ts';
import type { Gate, Pass } from './gate.ts';
import { acceptSocks } from './socks.ts';
import { awaitHello, join, type TunnelLimits } from './tunnel.ts';

export interface ProxyLimits extends TunnelLimits {
  /** Clients at once; one more is closed. */
  connections: number;
  /** Bytes of all tunnels together, both ways; then nothing more passes. */
  totalBytes: number;
}

export const DEFAULT_PROXY_LIMITS: ProxyLimits = {
  idleMs: 300_000,
  helloMs: 15_000,
  connections: 96,
  totalBytes: 16 * 1024 ** 3,
};

const SOCKS_VERSION = 5;
const MAX_HEADER_BYTES = 16_384;

/** What a client of the guest is told, in one sentence that an agent can act on. */
export function denial(target: string, reason: string): string {
  return `Safe Coder refused the connection to ${target}: ${reason}. The person can allow it with --allow ${target}.`;
}

export class EgressProxy implements AsyncDisposable {
  readonly #gate: Gate;
  readonly #limits: ProxyLimits;
  readonly #clients = new Set<Duplex>();
  readonly #http: Server;
  /** What a tunnel to port 80 carries: requests for that one target. */
  readonly #inner: Server;
  readonly #innerTargets = new WeakMap<Duplex, Pass>();
  #passed = 0;

  constructor(gate: Gate, limits: Partial<ProxyLimits> = {}) {
    this.#gate = gate;
    this.#limits = { ...DEFAULT_PROXY_LIMITS, ...limits };
    this.#http = createStrictServer((request, response) => this.#onRequest(request, response));
    this.#http.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
      if (head.length > 0) client.unshift(head);
      void this.#onConnect(request, client);
    });
    this.#inner = createStrictServer((request, response) => this.#onInnerRequest(request, response));
  }

  /** Takes over a client's connection. Never throws; the client is closed when it is done or breaks the rules. */
  serve(client: Duplex): void {
    client.on('error', () => undefined);
    if (this.#clients.size >= this.#limits.connections || this.#passed >= this.#limits.totalBytes) {
      client.destroy();
      return;
    }
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    const timer = setTimeout(() => client.destroy(), this.#limits.helloMs);
    client.once('close', () => clearTimeout(timer));
    client.once('readable', () => {
      clearTimeout(timer);
      const first = client.read() as Buffer | null;
      if (first === null) return void client.destroy();
      client.unshift(first);
      if (first[0] === SOCKS_VERSION) void this.#onSocks(client);
      else this.#http.emit('connection', client);
    });
  }

  readonly #end = once(async () => {
    this.#gate.close();
    for (const client of this.#clients) client.destroy();
    this.#http.close();
    this.#inner.close();
  });

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  async #onConnect(request: IncomingMessage, client: Duplex): Promise<void> {
    const authority = request.url ?? '';
    const target = parseAuthority(authority);
    const fault = target === undefined ? 'it is no HOST:PORT' : hostFault(request, target);
    if (target === undefined || fault !== undefined) {
      this.#gate.deny({ host: authority.slice(0, 253), port: target?.port ?? 0 }, fault ?? '');
      client.end(refusal(400, denial(authority.slice(0, 253), fault ?? '')));
      return;
    }
    const leave = await this.#gate.open(target);
    if (!leave.ok) {
      client.end(refusal(403, denial(showTarget(target), leave.reason)));
      return;
    }
    await this.#tunnel(client, leave.pass, {
      granted: 'HTTP/1.1 200 Connection Established\r\n\r\n',
      failed: refusal(502, `Safe Coder could not reach ${showTarget(target)}.`),
    });
  }

  async #onSocks(client: Duplex): Promise<void> {
    const asked = await acceptSocks(client, this.#limits.helloMs);
    if (asked === undefined) return;
    const leave = await this.#gate.open(asked.target);
    if (!leave.ok) {
      client.end(asked.answer('denied'));
      return;
    }
    await this.#tunnel(client, leave.pass, {
      granted: asked.answer('granted'),
      failed: asked.answer('unreachable'),
    });
  }

  /** Nothing goes out before the client's first message fits the target. */
  async #tunnel(
    client: Duplex,
    pass: Pass,
    answers: { granted: string | Buffer; failed: string | Buffer },
  ): Promise<void> {
    const { target } = pass;
    if (target.port === 80) {
      client.write(answers.granted);
      this.#innerTargets.set(client, pass);
      this.#inner.emit('connection', client);
      return;
    }
    let server: Duplex;
    try {
      server = await pass.connect();
    } catch {
      // Which error it was would tell the guest about a network that is not its own.
      client.end(answers.failed);
      return;
    }
    client.once('close', () => server.destroy());
    client.write(answers.granted);
    let first: Buffer = Buffer.alloc(0);
    // Another port than the web's is open by the person's own word, for whatever is spoken there.
    if (target.port === 443) {
      const hello = await awaitHello(client, target, this.#limits);
      if (hello?.fault !== undefined) this.#gate.deny(target, hello.fault);
      if (hello === undefined || hello.fault !== undefined) {
        client.destroy();
        server.destroy();
        return;
      }
      first = hello.first;
    }
    const { sent, received } = await join(client, server, first, this.#limits);
    this.#passed += sent + received;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const asked = /^http:\/\/([^/?#]*)(\/[^#]*)?$/i.exec(request.url ?? '');
    const target = asked?.[1] === undefined ? undefined : parseAuthority(withPort(asked[1]));
    const fault = target === undefined ? 'the address is none that is proxied' : hostFault(request, target);
    if (target === undefined || fault !== undefined) {
      refuse(response, 400, denial((request.url ?? '').slice(0, 253), fault ?? ''));
      return;
    }
    const path = asked?.[2] ?? '/';
    void this.#gate.open(target).then((leave) => {
      if (leave.ok) void forward(request, response, leave.pass, path, this.#limits.idleMs);
      else refuse(response, 403, denial(showTarget(target), leave.reason));
    });
  }

  #onInnerRequest(request: IncomingMessage, response: ServerResponse): void {
    const pass = this.#innerTargets.get(request.socket);
    const fault =
      pass === undefined || !(request.url ?? '').startsWith('/')
        ? 'the address is none that is proxied'
        : hostFault(request, pass.target);
    if (pass === undefined || fault !== undefined) {
      if (pass !== undefined) this.#gate.deny(pass.target, fault ?? '');
      refuse(response, 400, `Safe Coder refused the request: ${fault}.`);
      return;
    }
    void forward(request, response, pass, request.url ?? '/', this.#limits.idleMs);
  }
}

/** Node's own parser, strict as it is by default; a client whose bytes it refuses is answered and closed. */
function createStrictServer(onRequest: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, insecureHTTPParser: false }, onRequest);
  server.on('clientError', (_error, client) => {
    client.end(refusal(400, 'Safe Coder could not read the request.'));
  });
  // Without this, a request to change the protocol would be handed on with the change in it.
  server.on('upgrade', (_request, client: Duplex) => {
    client.end(refusal(501, 'Safe Coder passes on no change of protocol over plain HTTP; use https.'));
  });
  return server;
}

/** The Host field must say what the target says: it is what the server will believe. */
function hostFault(request: IncomingMessage, target: EgressTarget): string | undefined {
  const fields = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  if (fields.filter((name) => name === 'host').length > 1) return 'it has two Host fields';
  const { host } = request.headers;
  if (host === undefined) return undefined;
  const said = parseAuthority(host.endsWith(']') || !/:[0-9]+$/.test(host) ? `${host}:${target.port}` : host);
  return said?.host === target.host && said.port === target.port ? undefined : 'its Host field names another';
}

function withPort(authority: string): string {
  return /:[0-9]+$/.test(authority) ? authority : `${authority}:80`;
}

function refusal(status: 400 | 403 | 501 | 502, text: string): string {
  const reasons = { 400: 'Bad Request', 403: 'Forbidden', 501: 'Not Implemented', 502: 'Bad Gateway' };
  // One line without control characters: what the guest wrote comes back to it, and to nobody else.
  const body = `${text.replace(/[^\x20-\x7e]/g, '?')}\n`;
  return (
    `HTTP/1.1 ${status} ${reasons[status]}\r\nContent-Type: text/plain\r\n` +
    `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`
  );
}
