/** One plain HTTP request, written anew: what was parsed goes out, not what came in. */
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { showTarget } from '../policy/egress-target.ts';
import type { Pass } from './gate.ts';

/** Fields of one connection, not of the message (RFC 9110, 7.6.1), and what only a proxy reads. */
const OWN_TO_A_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
const READING = new Set(['GET', 'HEAD', 'OPTIONS']);

/** Never rejects: what goes wrong is the response's. */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  pass: Pass,
  path: string,
  idleMs: number,
): Promise<void> {
  const { target } = pass;
  const name = showTarget(target);
  if (pass.isReadOnly && !READING.has(request.method ?? '')) {
    refuse(
      response,
      403,
      `Safe Coder refused to send ${request.method} to ${name}: packages are only read from it.`,
    );
    return;
  }
  let socket: Awaited<ReturnType<Pass['connect']>>;
  try {
    socket = await pass.connect();
  } catch {
    // Which error it was would tell the guest about a network that is not its own.
    refuse(response, 502, `Safe Coder could not reach ${name}.`);
    return;
  }
  response.once('close', () => socket.destroy());
  const outgoing = httpRequest({
    createConnection: () => socket,
    method: request.method,
    path,
    headers: { ...endToEnd(request), host: target.port === 80 ? bare(name) : name, connection: 'close' },
    setHost: false,
    timeout: idleMs,
  });
  outgoing.on('timeout', () => outgoing.destroy());
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once('response', resolve);
    outgoing.once('error', reject);
    outgoing.once('close', () => reject(new Error('closed')));
  });
  const sending = pipeline(request, outgoing);
  sending.catch(() => undefined);
  try {
    const incoming = await answered;
    response.writeHead(incoming.statusCode ?? 502, { ...endToEnd(incoming) });
    await pipeline(incoming, response);
  } catch {
    // The server broke off, or the client did: the client sees the end of its connection.
    if (!response.headersSent) refuse(response, 502, `Safe Coder lost the connection to ${name}.`);
    else response.destroy();
  }
}

export function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain', connection: 'close' });
  response.end(`${text.replace(/[^\x20-\x7e]/g, '?')}\n`);
}

function endToEnd(message: IncomingMessage): Record<string, string | string[]> {
  const named = (message.headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  const kept: Record<string, string | string[]> = {};
  for (const [name, value] of Object.entries(message.headersDistinct)) {
    if (value === undefined || OWN_TO_A_CONNECTION.has(name) || named.includes(name)) continue;
    kept[name] = value.length === 1 && value[0] !== undefined ? value[0] : value;
  }
  return kept;
}

function bare(name: string): string {
  return name.replace(/:80$/, '');
}
