/** A local HTTP server that speaks the providers' streaming formats and answers from a script, first in, first out. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readAnthropic, writeAnthropic, writeAnthropicError } from './anthropic.ts';
import { readGemini, writeGemini, writeGeminiError } from './gemini.ts';
import { checkConversation, checkStable } from './invariants.ts';
import { readChat, writeChat, writeChatError } from './openai-chat.ts';
import { readResponses, writeResponses, writeResponsesError } from './openai-responses.ts';
import { type Fault, type NumberedReply, numberReply, type Reply } from './script.ts';
import type { ReadRequest } from './turn.ts';

export interface SeenRequest {
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: unknown;
}

export interface FakeModel extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`, without a path. */
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** What clients did wrong; a test asserts that it is empty. */
  readonly violations: readonly string[];
  /** Adds replies at the end of the script. */
  enqueue(...replies: Reply[]): void;
  /** Replies that nobody asked for yet. */
  readonly remaining: number;
}

interface Wire {
  write(reply: NumberedReply): string[];
  read(body: unknown, path: string): ReadRequest;
  error(message: string, code: string, status: number, retryDelay?: string): { body: unknown; event: string };
}

const WIRES: { pattern: RegExp; wire: Wire }[] = [
  {
    pattern: /^\/v1\/messages$/,
    wire: { write: writeAnthropic, read: readAnthropic, error: writeAnthropicError },
  },
  { pattern: /^\/v1\/chat\/completions$/, wire: { write: writeChat, read: readChat, error: writeChatError } },
  {
    pattern: /^\/v1\/responses$/,
    wire: { write: writeResponses, read: readResponses, error: writeResponsesError },
  },
  {
    pattern: /^\/v1beta\/models\/[^/]+:streamGenerateContent$/,
    wire: { write: writeGemini, read: readGemini, error: writeGeminiError },
  },
];

/** Listens on 127.0.0.1; the caller owns the server. */
export async function openFakeModel(script: readonly Reply[] = [], port = 0): Promise<FakeModel> {
  const queue = [...script];
  const requests: SeenRequest[] = [];
  const violations: string[] = [];
  const signatures: string[] = [];
  let serial = 0;
  let before: ReadRequest | undefined;

  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url ?? '/', 'http://fake').pathname;
    if (request.method === 'GET' && path === '/state') {
      return sendJson(response, 200, { violations, requests: requests.length, remaining: queue.length });
    }
    if (request.method === 'GET' && path === '/v1/models') {
      return sendJson(response, 200, { object: 'list', data: [{ id: 'fake', object: 'model' }] });
    }
    const wire = WIRES.find((each) => each.pattern.test(path))?.wire;
    if (request.method !== 'POST' || wire === undefined)
      return sendJson(response, 404, { error: { message: 'no such path' } });
    const text = await readText(request);
    const body: unknown = JSON.parse(text);
    requests.push({ path, headers: request.headers, body });
    const read = wire.read(body, path);
    violations.push(...checkConversation(read.turns), ...checkStable(before, read));
    for (const each of signatures.splice(0))
      if (!text.includes(each)) violations.push(`${each} was not sent back`);
    before = read;
    const reply = queue.shift();
    if (reply === undefined) {
      violations.push('more requests than replies');
      return sendJson(response, 400, wire.error('the script is over', 'invalid_request_error', 400).body);
    }
    if (
      isWhole(reply) &&
      reply.reasoning &&
      (reply.calls?.length ?? 0) > 0 &&
      !path.endsWith('/completions')
    ) {
      signatures.push(reply.reasoning.signature);
    }
    await play(wire, numberReply(reply, serial++), response);
  };

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.destroyed) violations.push(`the fake model failed: ${String(error)}`);
      response.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    violations,
    enqueue: (...replies) => void queue.push(...replies),
    get remaining() {
      return queue.length;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function isWhole(reply: Reply): boolean {
  return reply.fault === undefined || reply.fault.kind === 'split' || reply.fault.kind === 'slow';
}

async function play(wire: Wire, reply: NumberedReply, response: ServerResponse): Promise<void> {
  const { fault } = reply;
  if (fault?.kind === 'hang') return;
  if (fault?.kind === 'status') return sendStatus(wire, fault, response);
  const events = wire.write(reply);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  response.flushHeaders();
  if (fault?.kind === 'split') return writePieces(events.join(''), fault.bytes, response);
  if (fault?.kind === 'slow') {
    for (const event of events) {
      await write(response, event);
      await sleep(fault.ms);
    }
    return void response.end();
  }
  const count = fault === undefined ? events.length : fault.events;
  for (const event of events.slice(0, count)) await write(response, event);
  switch (fault?.kind) {
    case 'stall':
      return;
    case 'reset':
      // Long enough for the client to have read what came before.
      await sleep(20);
      return void response.socket?.resetAndDestroy();
    case 'error-event':
      await write(response, wire.error('the fake model broke', fault.code ?? 'overloaded_error', 529).event);
      return void response.end();
    default:
      return void response.end();
  }
}

function sendStatus(wire: Wire, fault: Extract<Fault, { kind: 'status' }>, response: ServerResponse): void {
  const message = fault.message ?? `fake status ${fault.status}`;
  const { body } = wire.error(message, fault.code ?? 'fake_error', fault.status, fault.retryDelay);
  sendJson(response, fault.status, body, fault.headers);
}

async function writePieces(text: string, size: number, response: ServerResponse): Promise<void> {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length; from += size) {
    await write(response, bytes.subarray(from, from + size));
  }
  response.end();
}

/** Writes and lets the event loop turn, so that each piece leaves as a packet of its own. */
async function write(response: ServerResponse, data: string | Uint8Array): Promise<void> {
  response.write(data);
  await new Promise((resolve) => setImmediate(resolve));
}

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
