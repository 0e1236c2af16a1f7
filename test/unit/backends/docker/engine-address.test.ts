import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { resolveEngine } from '../../../../src/backends/docker/engine-address.ts';
import type { HostPath } from '../../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../../support/temp.ts';

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

  it('connects to the port that is meant', async () => {
    const server = createServer((socket) => socket.end());
    const port = await new Promise<number>((resolve) => {
      server.listen(0, '127.0.0.1', () => {
        const address = server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : 0);
      });
    });
    onTestFinished(() => void server.close());
    const stream = resolveEngine({ home, host: `tcp://127.0.0.1:${port}` }).connect();
    await new Promise((resolve, reject) => stream.once('connect', resolve).once('error', reject));
    stream.destroy();
  });
});
