/** The part of Docker's HTTP interface that the backend uses. */
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Duplex } from 'node:stream';
import { errnoOf, isSafeCoderError, SafeCoderError } from '../../base/errors.ts';
import { throwIfCancelled } from '../../base/lifetime.ts';
import type { EngineAddress } from './engine-address.ts';

export interface Call {
  query?: Record<string, string>;
  json?: unknown;
  tar?: Uint8Array;
  signal?: AbortSignal | undefined;
  /** Default 30 s. 0: as long as it takes. */
  timeoutMs?: number;
}

export interface Answer {
  status: number;
  headers: IncomingMessage['headers'];
  body: Buffer;
}

const TIMEOUT_MS = 30_000;
const MAX_BODY = 32 << 20;

export class Engine {
  readonly address: EngineAddress;

  constructor(address: EngineAddress) {
    this.address = address;
  }

  /** Any answer of the engine. Throws `backend/unavailable` when there is none, `cancelled`. */
  async ask(method: string, path: string, call: Call = {}): Promise<Answer> {
    const sent = this.#send(method, path, call);
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      sent.once('response', resolve);
      sent.once('error', reject);
    }).catch((error: unknown) => {
      throw this.#explain(error, call.signal);
    });
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      body: await this.#read(response, call),
    };
  }

  /** As {@link ask}, and throws `backend/boot-failed` with the engine's own words when it refuses. */
  async call(method: string, path: string, call: Call = {}): Promise<Buffer> {
    const answer = await this.ask(method, path, call);
    if (answer.status >= 200 && answer.status < 300) return answer.body;
    throw new SafeCoderError('backend/boot-failed', `The Docker engine refused: ${messageOf(answer)}`, {
      details: { status: answer.status },
    });
  }

  async get(path: string, call: Call = {}): Promise<Record<string, unknown>> {
    return objectOf(await this.call('GET', path, call));
  }

  /** A container's standard streams: the connection, and what was already read from it. */
  async attach(id: string, signal: AbortSignal): Promise<{ connection: Duplex; head: Buffer }> {
    const query = { stream: '1', stdin: '1', stdout: '1', stderr: '1' };
    const sent = this.#send('POST', `/containers/${id}/attach`, { query, signal }, true);
    return new Promise((resolve, reject) => {
      sent.once('upgrade', (_response: IncomingMessage, connection: Duplex, head: Buffer) => {
        resolve({ connection, head });
      });
      sent.once('response', (response: IncomingMessage) => {
        response.resume();
        const message = `The Docker engine did not attach (status ${response.statusCode}).`;
        reject(new SafeCoderError('backend/boot-failed', message));
      });
      sent.once('error', (error) => reject(this.#explain(error, signal)));
    });
  }

  #send(method: string, path: string, call: Call, isUpgrade = false): ClientRequest {
    const query = new URLSearchParams(call.query).toString();
    const body = call.tar ?? (call.json === undefined ? undefined : Buffer.from(JSON.stringify(call.json)));
    const timeoutMs = call.timeoutMs ?? TIMEOUT_MS;
    const sent = request({
      method,
      path: query === '' ? path : `${path}?${query}`,
      host: 'docker',
      createConnection: () => this.address.connect(),
      headers: {
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        'content-type': call.tar === undefined ? 'application/json' : 'application/x-tar',
        ...(isUpgrade ? { connection: 'Upgrade', upgrade: 'tcp' } : {}),
      },
    });
    const give = () => sent.destroy(new Error(`no answer for ${timeoutMs} ms`));
    const timer = timeoutMs === 0 ? undefined : setTimeout(give, timeoutMs);
    const onAbort = () => sent.destroy();
    // An attached stream outlives the request that made it.
    const settle = () => {
      clearTimeout(timer);
      call.signal?.removeEventListener('abort', onAbort);
    };
    sent.once('close', settle);
    sent.once('upgrade', settle);
    if (call.signal?.aborted) queueMicrotask(onAbort);
    else call.signal?.addEventListener('abort', onAbort, { once: true });
    sent.end(body);
    return sent;
  }

  async #read(response: IncomingMessage, { signal }: Call): Promise<Buffer> {
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length;
        if (size > MAX_BODY) throw new Error(`an answer of more than ${MAX_BODY} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw this.#explain(error, signal);
    }
    return Buffer.concat(chunks);
  }

  #explain(error: unknown, signal: AbortSignal | undefined): SafeCoderError | Error {
    throwIfCancelled(signal);
    if (isSafeCoderError(error)) return error;
    const why = errnoOf(error) ?? (error instanceof Error ? error.message : String(error));
    return new SafeCoderError(
      'backend/unavailable',
      `No Docker engine answers at ${this.address.name}: ${why}.`,
      {
        cause: error,
        details: { errno: errnoOf(error) },
      },
    );
  }
}

/** The engine's own words, fit to show. */
export function messageOf({ status, body }: Pick<Answer, 'status' | 'body'>): string {
  let words: unknown;
  try {
    words = (JSON.parse(body.toString('utf8')) as { message?: unknown }).message;
  } catch {
    // Not its usual form: what it sent is shown as it is.
    words = body.toString('utf8');
  }
  const text = String(words ?? '')
    .replace(/[^\x20-\x7e]/g, ' ')
    .trim()
    .slice(0, 500);
  return text === '' ? `status ${status}` : text;
}

/** A JSON object; throws `backend/boot-failed` for anything else. */
export function objectOf(body: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    // Told apart below.
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw new SafeCoderError('backend/boot-failed', 'The Docker engine sent an answer that is no JSON object.');
}
