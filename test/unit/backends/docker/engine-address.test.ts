import { execFileSync } from 'node:child_process';
import { copyFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Engine } from '../../../../src/backends/docker/engine.ts';
import { resolveEngine } from '../../../../src/backends/docker/engine-address.ts';
import type { HostPath } from '../../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../../support/temp.ts';

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
}

const home = '/nowhere' as HostPath;

describe('the address of an engine', () => {
  it('is the usual socket unless DOCKER_HOST says otherwise', () => {
    expect(resolveEngine({ home })).toMatchObject({ socket: '/var/run/docker.sock', isPlain: false });
    expect(resolveEngine({ home, host: '' }).socket).toBe('/var/run/docker.sock');
    expect(resolveEngine({ home, host: 'unix:///run/user/1000/docker.sock' }).socket).toBe(
      '/run/user/1000/docker.sock',
    );
  });

  it('tells what is not encrypted from what never leaves the machine', () => {
    const isPlain = (host: string) => resolveEngine({ home, host }).isPlain;
    expect(isPlain('tcp://far.example:2375')).toBe(true);
    expect(isPlain('http://far.example')).toBe(true);
    expect(isPlain('tcp://127.0.0.1:2375')).toBe(false);
    expect(isPlain('tcp://localhost')).toBe(false);
    expect(isPlain('ssh://me@far.example')).toBe(false);
  });

  it.each([
    'nonsense',
    'unix://relative',
    'tcp://',
    'ftp://far.example',
    'npipe:////./pipe/docker',
    'ssh://',
  ])('is refused when it is %s', (host) => {
    expect(() => resolveEngine({ home, host })).toThrow(expect.objectContaining({ code: 'config/invalid' }));
  });

  it('names the certificate that can’t be read, and never goes on without one', () => {
    const folder = temporaryFolder();
    const settings = { host: 'tcp://far.example:2376', tlsVerify: '1', home: folder };
    expect(() => resolveEngine(settings)).toThrow(join(folder, '.docker/ca.pem'));
    expect(() => resolveEngine({ ...settings, certPath: '/no/folder' })).toThrow('/no/folder/ca.pem');
  });

  it('gives an engine behind TLS, which knows us by our certificate and we it by its own', async () => {
    const folder = temporaryFolder();
    const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
    const issue = (name: string, extension: string) => {
      writeFileSync(join(folder, 'extension'), extension);
      openssl(
        'req',
        '-newkey',
        'rsa:2048',
        '-nodes',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        `${name}.pem`,
        '-out',
        'request',
      );
      openssl(
        ...['x509', '-req', '-in', 'request', '-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial'],
        ...['-days', '1', '-extfile', 'extension', '-out', `${name}-cert.pem`],
      );
    };
    const own = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=authority'];
    openssl(...own, '-keyout', 'ca-key.pem', '-out', 'ca.pem');
    issue('engine', 'subjectAltName=IP:127.0.0.1');
    issue('key', 'extendedKeyUsage=clientAuth');
    renameSync(join(folder, 'key-cert.pem'), join(folder, 'cert.pem'));
    const pem = (name: string) => readFileSync(join(folder, name));
    const server = createHttpsServer(
      { key: pem('engine.pem'), cert: pem('engine-cert.pem'), ca: pem('ca.pem'), requestCert: true },
      (_request, response) => void response.end('OK'),
    );
    const port = await listen(server);
    onTestFinished(() => void server.close());
    const settings = { host: `tcp://127.0.0.1:${port}`, tlsVerify: '1', home };
    const ping = (certPath: string) =>
      new Engine(resolveEngine({ ...settings, certPath })).ask('GET', '/_ping', { timeoutMs: 10_000 });
    expect((await ping(folder)).body.toString()).toBe('OK');
    // An engine of another authority is not spoken to.
    const stranger = temporaryFolder();
    for (const name of ['cert.pem', 'key.pem']) copyFileSync(join(folder, name), join(stranger, name));
    openssl(...own, '-keyout', 'other-key.pem', '-out', join(stranger, 'ca.pem'));
    await expect(ping(stranger)).rejects.toMatchObject({ code: 'backend/unavailable' });
  });

  it('connects to the port that is meant', async () => {
    const server = createServer((socket) => socket.end());
    const port = await listen(server);
    onTestFinished(() => void server.close());
    const stream = resolveEngine({ home, host: `tcp://127.0.0.1:${port}` }).connect();
    await new Promise((resolve, reject) => stream.once('connect', resolve).once('error', reject));
    stream.destroy();
  });
});
