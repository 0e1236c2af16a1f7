import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { parseEgressRule } from '../../src/policy/egress-policy.ts';
import { openEcho, openOrigin, openProxy, talk } from '../support/egress.ts';

/** What a proxy without our care would do with a target: take it for a name, and let the system make sense of it. */
function naiveConnect(authority: string, port: number): Promise<boolean> {
  const host = authority.slice(0, authority.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

const allow = (...rules: string[]) => ({ mode: 'none' as const, rules: rules.map(parseEgressRule) });
const connectTo = (authority: string) => `CONNECT ${authority} HTTP/1.1\r\n\r\n`;

describe('egress reaches only what is allowed', () => {
  it('no spelling of an address gets through, in any mode (E01, E02)', async () => {
    const echo = await openEcho();
    const { port, dials, lookups } = await openProxy({ server: echo.port });
    let fooled = 0;
    for (const host of [
      ...['2130706433', '127.1', '0x7f.1', '0177.0.0.1', '017700000001', '0', '127.0.0.1', '0.0.0.0'],
      ...['[::1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]'],
      ...['１２７.0.0.1', '①②⑦.0.0.1', '127。0。0。1', '127.0.0.1.', '1.1.1.1', '[2606:4700::1111]'],
    ]) {
      // Raw bytes, as a client in the guest may send them.
      const said = await talk(port, Buffer.from(connectTo(`${host}:443`)));
      expect([host, said.slice(0, 13)]).toEqual([host, expect.stringMatching(/^HTTP\/1\.1 40[03] ?$/)]);
      if (/^[ -~]+$/.test(host) && (await naiveConnect(`${host}:443`, echo.port))) fooled += 1;
    }
    expect(dials).toEqual([]);
    expect(lookups).toEqual([]);
    expect(fooled).toBeGreaterThan(5);
  });

  it('a name that resolves to anything but public addresses is refused, one bad address among good ones too (E03)', async () => {
    const echo = await openEcho();
    const places = [
      '10.0.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '127.0.0.1',
      'fd00::1',
      '::ffff:10.0.0.1',
      '::1',
    ];
    const names = Object.fromEntries(
      places.map((address, index) => [`n${index}.test`, ['1.1.1.1', address]]),
    );
    const { port, dials, events } = await openProxy({ server: echo.port, names });
    for (const name of Object.keys(names)) {
      expect(await talk(port, connectTo(`${name}:443`))).toContain('403');
    }
    expect(dials).toEqual([]);
    expect(events).toHaveLength(places.length);
    expect(
      events.every(({ decision, rule }) => decision === 'denied' && rule.startsWith('resolves to')),
    ).toBe(true);
  });

  it('a name is resolved once: a second answer that points inside is never used (E03)', async () => {
    const echo = await openEcho();
    const { port, dials } = await openProxy({
      server: echo.port,
      policy: allow('rebind.test:9000'),
      names: { 'rebind.test': [['1.1.1.1'], ['127.0.0.1']] },
    });
    for (let i = 0; i < 3; i++) await talk(port, `${connectTo('rebind.test:9000')}x`, /X/);
    expect(new Set(dials)).toEqual(new Set(['1.1.1.1 9000']));
  });

  it('a name that was allowed when asked leads to no inner address later, after its first one failed (E03)', async () => {
    const { port, dials, events } = await openProxy({
      policy: { mode: 'ask', rules: [] },
      ask: async () => 'session',
      names: { 'rebind.test': [['1.1.1.1'], ['10.0.0.1']] },
    });
    for (let i = 0; i < 3; i++) await talk(port, connectTo('rebind.test:443'));
    expect(dials).toEqual(['1.1.1.1 443']);
    expect(events.map(({ decision }) => decision)).toEqual(['allowed', 'denied', 'denied']);
  });

  it('bytes that cut or hide a name, suffix traps and empty lists let nothing through (E04, E05, E06, E17)', async () => {
    const policy = allow('allowed.test');
    const { port, lookups } = await openProxy({ policy });
    for (const host of [
      'attacker.test\0.allowed.test',
      'evilallowed.test',
      'allowed.test.evil.test',
      'allowed.test@evil.test',
      'evil.test#allowed.test',
      'evil.test\\.allowed.test',
      'evil.test%2eallowed.test',
      'evil.test\tallowed.test',
    ]) {
      const said = await talk(port, connectTo(`${host}:443`));
      expect([host, said.slice(0, 12)]).toEqual([host, expect.stringMatching(/^HTTP\/1\.1 40[03]$/)]);
    }
    expect(lookups).toEqual([]);
    const empty = await openProxy({ policy: { mode: 'none', rules: [] } });
    expect(await talk(empty.port, connectTo('allowed.test:443'))).toContain('403');
  });

  it('a request decides by its target, and its Host field must agree (E07)', async () => {
    const origin = await openOrigin();
    const { port } = await openProxy({ server: origin.port, policy: allow('allowed.test') });
    const cases = [
      'GET http://evil.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n',
      'GET http://allowed.test/ HTTP/1.1\r\nHost: evil.test\r\n\r\n',
      'GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\nHost: evil.test\r\n\r\n',
      'GET http://allowed.test/ HTTP/1.1\r\nHost: allowed.test:8080\r\n\r\n',
      'GET http://user@allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n',
      'GET https://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: allowed.test\r\n\r\n',
      'GET //allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n\r\n',
    ];
    for (const request of cases) {
      const said = await talk(port, request.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'));
      expect([request, said.slice(0, 12)]).toEqual([request, expect.stringMatching(/^HTTP\/1\.1 40[03]$/)]);
    }
    expect(origin.seen).toEqual([]);
  });

  it('every request of a kept connection is decided, inside a tunnel as well (E08, E10)', async () => {
    const origin = await openOrigin();
    const { port } = await openProxy({ server: origin.port, policy: allow('allowed.test') });
    const get = (url: string, host: string, more = '') =>
      `GET ${url} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
    const said = await talk(
      port,
      get('http://allowed.test/1', 'allowed.test') +
        get('http://evil.test/2', 'evil.test', 'Connection: close\r\n'),
    );
    expect(said).toContain('GET /1');
    expect(said).toContain('403');
    const inner = await talk(
      port,
      connectTo('allowed.test:80') +
        get('/3', 'allowed.test') +
        get('/4', 'evil.test', 'Connection: close\r\n'),
    );
    expect(inner).toContain('GET /3');
    expect(inner).toContain('400');
    expect(origin.seen.map(({ line }) => line)).toEqual(['GET /1', 'GET /3']);
  });

  it('requests that two parsers read differently are refused (E09)', async () => {
    const origin = await openOrigin();
    const { port } = await openProxy({ server: origin.port, policy: allow('allowed.test') });
    const head = 'POST http://allowed.test/ HTTP/1.1\r\nHost: allowed.test\r\n';
    for (const request of [
      `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello`,
      `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`,
      `${head}Content-Length : 5\r\n\r\nhello`,
      `${head}X: a\r\n b\r\nContent-Length: 0\r\n\r\n`.replace('X: a\r\n b', 'X: a\n\tContent-Length: 9'),
    ]) {
      const said = await talk(port, request, /HTTP\/1\.1 \d+/);
      expect([request, said.slice(0, 12)]).toEqual([request, 'HTTP/1.1 400']);
    }
    expect(origin.seen).toEqual([]);
  });

  it('a tunnel whose TLS names another server, hides the name or is no TLS is closed before a byte goes out (E10)', async () => {
    const echo = await openEcho();
    const { port, events } = await openProxy({ server: echo.port, policy: allow('front.test') });
    const hello = (servername: string) =>
      new Promise<void>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port });
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
        socket.once('data', () => {
          const tls = connectTls({ socket, servername });
          tls.on('error', () => socket.destroy());
        });
        socket.write(connectTo('front.test:443'));
      });
    await hello('hidden.test');
    await hello('');
    await talk(port, `${connectTo('front.test:443')}GET / HTTP/1.1\r\nHost: hidden.test\r\n\r\n`);
    expect(echo.received().length).toBe(0);
    expect(events.filter(({ decision }) => decision === 'denied').map(({ rule }) => rule)).toEqual([
      'its TLS server name is another one',
      'it says no TLS server name',
      'it is not TLS',
    ]);
  });

  it('ports other than the web’s, and this machine’s own services, need a rule of their own (E11, E12)', async () => {
    const { port, dials } = await openProxy({ names: { 'me.test': ['127.0.0.1'] } });
    for (const to of [
      'any.test:22',
      'any.test:25',
      'any.test:2375',
      'any.test:6379',
      'me.test:443',
      `localhost:${port}`,
    ])
      expect(await talk(port, connectTo(to))).toMatch(/^HTTP\/1\.1 403/);
    expect(dials).toEqual([]);
  });

  it('a refused name is never looked up, so that a name carries nothing out (E15)', async () => {
    const { port, lookups } = await openProxy({ policy: allow('allowed.test') });
    await talk(port, connectTo('c2VjcmV0.evil.test:443'));
    await talk(
      port,
      'GET http://c2VjcmV0.evil.test/ HTTP/1.1\r\nHost: c2VjcmV0.evil.test\r\nConnection: close\r\n\r\n',
    );
    await talk(
      port,
      Buffer.concat([Buffer.from([5, 1, 0, 5, 1, 0, 3, 9]), Buffer.from('evil.test'), Buffer.from([1, 187])]),
    );
    expect(lookups).toEqual([]);
  });

  it('line breaks and controls in a target come back as nothing but text (E18)', async () => {
    const { port } = await openProxy({ policy: allow('allowed.test') });
    const said = await talk(port, `CONNECT a.test:443\x1b]0;x\x07 HTTP/1.1\r\n\r\n`);
    expect(said).toMatch(/^HTTP\/1\.1 400/);
    expect(said).not.toContain('\x1b');
  });
});
