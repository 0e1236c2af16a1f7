import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { parseEgressRule } from '../../../src/policy/egress-policy.ts';
import { openEcho, openOrigin, openProxy, talk } from '../../support/egress.ts';

const allow = (...rules: string[]) => ({ mode: 'none' as const, rules: rules.map(parseEgressRule) });
const connectTo = (authority: string, more = '') =>
  `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n\r\n${more}`;

/** A real TLS client behind CONNECT; resolves with what the proxy answered to CONNECT, and whether the hello arrived. */
function helloThrough(port: number, authority: string, servername: string | undefined): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('error', () => undefined);
    socket.once('data', (answer: Buffer) => {
      const tls = connectTls({ socket, ...(servername === undefined ? {} : { servername }) });
      tls.on('error', () => socket.destroy());
      socket.on('close', () => resolve(answer.toString('latin1')));
    });
    socket.write(connectTo(authority));
  });
}

describe('the egress proxy', () => {
  it('tunnels TLS whose server name is the target’s, to the address that was checked', async () => {
    const echo = await openEcho();
    const { port, events, dials } = await openProxy({ server: echo.port, policy: allow('good.test') });
    const answer = await helloThrough(port, 'good.test:443', 'good.test');
    expect(answer).toContain('200');
    expect(echo.received()[0]).toBe(22);
    expect(echo.received().toString('latin1')).toContain('good.test');
    expect(dials).toEqual(['93.184.215.14 443']);
    expect(events).toEqual([
      { type: 'egress', host: 'good.test', port: 443, decision: 'allowed', rule: 'allowed good.test' },
    ]);
  });

  it('carries bytes both ways and each side’s end, on a port of the person’s own', async () => {
    const echo = await openEcho();
    const { port } = await openProxy({ server: echo.port, policy: allow('good.test:9000') });
    const said = await talk(port, connectTo('good.test:9000', 'hello'), /HELLO/);
    expect(said).toMatch(/^HTTP\/1\.1 200 [^\r]*\r\n\r\nHELLO$/);
  });

  it('answers a refusal with one sentence that says how to allow it', async () => {
    const { port, events, lookups } = await openProxy({ policy: allow('good.test') });
    const said = await talk(port, connectTo('evil.test:443'));
    expect(said).toMatch(/^HTTP\/1\.1 403 Forbidden\r\n/);
    expect(said).toContain(
      'Safe Coder refused the connection to evil.test:443: network none. The person can allow it with --allow evil.test:443.',
    );
    expect(lookups).toEqual([]);
    expect(events).toMatchObject([{ host: 'evil.test', decision: 'denied', rule: 'network none' }]);
  });

  it('forwards a plain request anew, without what belongs to one connection', async () => {
    const origin = await openOrigin();
    const { port, dials } = await openProxy({ server: origin.port, policy: allow('good.test') });
    const said = await talk(
      port,
      'POST http://good.test/a?b=c HTTP/1.1\r\nHost: good.test\r\nProxy-Authorization: Basic c2VjcmV0\r\n' +
        'Connection: close, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\nContent-Length: 5\r\n\r\nhello',
    );
    expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
    expect(said).toContain('POST /a?b=c 5');
    expect(dials).toEqual(['93.184.215.14 80']);
    const fields = origin.seen[0]?.fields.join('\n').toLowerCase() ?? '';
    expect(fields).toContain('x-end\n2');
    expect(fields).toContain('host\ngood.test');
    expect(fields).not.toMatch(/proxy|x-hop|c2vjcmv0/);
  });

  it('serves a tunnel to port 80 request by request', async () => {
    const origin = await openOrigin();
    const { port } = await openProxy({ server: origin.port, policy: allow('good.test') });
    const get = 'GET /x HTTP/1.1\r\nHost: good.test\r\nConnection: close\r\n\r\n';
    expect(await talk(port, connectTo('good.test:80', get))).toContain('GET /x 0');
  });

  it('speaks SOCKS 5, by name and with the same rules', async () => {
    const echo = await openEcho();
    const { port, events } = await openProxy({ server: echo.port, policy: allow('good.test:9000') });
    const request = (name: string, toPort: number) =>
      Buffer.concat([
        Buffer.from([5, 1, 0, 5, 1, 0, 3, name.length]),
        Buffer.from(name),
        Buffer.from([toPort >> 8, toPort & 255]),
        Buffer.from('hello'),
      ]);
    const said = await talk(port, request('good.test', 9000), /HELLO/);
    expect(Buffer.from(said, 'latin1').subarray(0, 4)).toEqual(Buffer.from([5, 0, 5, 0]));
    const denied = await talk(port, request('evil.test', 9000));
    expect(Buffer.from(denied, 'latin1').subarray(0, 4)).toEqual(Buffer.from([5, 0, 5, 2]));
    expect(events.map(({ decision }) => decision)).toEqual(['allowed', 'denied']);
  });

  it('asks once for what comes together, and remembers the answer as long as it was given for', async () => {
    const echo = await openEcho();
    const questions: string[] = [];
    const kept: string[] = [];
    const answers = ['once', 'session', 'always', 'deny'] as const;
    const { port, events } = await openProxy({
      server: echo.port,
      policy: { mode: 'ask', rules: [] },
      ask: async ({ host }) => {
        questions.push(host);
        await new Promise((resolve) => setTimeout(resolve, 50));
        return answers.find((answer) => host.startsWith(answer)) ?? 'deny';
      },
      keep: ({ host }) => kept.push(host),
    });
    for (const answer of answers) {
      const get = `CONNECT ${answer}.test:443 HTTP/1.1\r\n\r\n`;
      await Promise.all([talk(port, get, /HTTP/), talk(port, get, /HTTP/)]);
      await talk(port, get, /HTTP/);
    }
    expect(questions).toEqual([
      'once.test',
      'once.test',
      'session.test',
      'always.test',
      'deny.test',
      'deny.test',
    ]);
    expect(kept).toEqual(['always.test']);
    expect(events.filter(({ decision }) => decision === 'denied').map(({ host }) => host)).toEqual(
      Array(3).fill('deny.test'),
    );
  });

  it('denies what it would have to ask when nobody is there', async () => {
    const { port, events } = await openProxy({ policy: { mode: 'ask', rules: [] } });
    expect(await talk(port, connectTo('any.test:443'))).toContain('nobody is there to ask');
    expect(events).toMatchObject([{ decision: 'denied' }]);
  });

  it('only reads from the package registries', async () => {
    const origin = await openOrigin();
    const policy = {
      mode: 'registries' as const,
      rules: [{ host: 'packages.test', origin: 'registries' as const }],
    };
    const { port } = await openProxy({ server: origin.port, policy });
    const ask = (method: string) =>
      talk(
        port,
        `${method} http://packages.test/p HTTP/1.1\r\nHost: packages.test\r\nConnection: close\r\n\r\n`,
      );
    expect(await ask('GET')).toContain('GET /p');
    expect(await ask('PUT')).toContain('403');
    expect(origin.seen.map(({ line }) => line)).toEqual(['GET /p']);
  });

  it('looks a name up once, and again only when nothing answers there', async () => {
    const echo = await openEcho();
    const { port, lookups } = await openProxy({ server: echo.port, policy: allow('good.test:9000') });
    for (let i = 0; i < 3; i++) await talk(port, connectTo('good.test:9000', 'x'), /X/);
    expect(lookups).toEqual(['good.test']);
    const gone = await openProxy({ policy: allow('good.test:9000') });
    for (let i = 0; i < 2; i++) expect(await talk(gone.port, connectTo('good.test:9000'))).toContain('502');
    expect(gone.lookups).toEqual(['good.test', 'good.test']);
  });

  it('closes clients beyond its limits, slow ones and idle tunnels', async () => {
    const echo = await openEcho();
    const { port } = await openProxy({
      server: echo.port,
      policy: allow('good.test:9000'),
      limits: { helloMs: 200, idleMs: 200, connections: 2 },
    });
    expect(await talk(port, '')).toBe('');
    expect(await talk(port, connectTo('good.test:9000', 'x'))).toMatch(/X$/);
    const slow = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
    await Promise.all(slow.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await talk(port, connectTo('good.test:9000', 'x'))).toBe('');
    for (const socket of slow) socket.destroy();
  });
});
