import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Engine } from '../../../../src/backends/docker/engine.ts';
import { type EngineAddress, resolveEngine } from '../../../../src/backends/docker/engine-address.ts';
import { examine, type Wanted } from '../../../../src/backends/docker/missing.ts';
import type { HostPath } from '../../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../../support/temp.ts';

const home = '/nowhere' as HostPath;
const INFO = { OSType: 'linux', NCPU: 4, Runtimes: { runc: {}, kata: {} } };
const IMAGE = { Id: 'sha256:1', Os: 'linux', Architecture: 'amd64', Config: { Env: ['A=1'] } };

/** Something that answers like an engine. */
async function engineOf(answers: { info?: unknown; image?: unknown; raw?: string }): Promise<Engine> {
  const socket = join(temporaryFolder(), 'socket');
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    const found = request.url === '/info' ? (answers.info ?? INFO) : answers.image;
    response.statusCode = found === undefined ? 404 : 200;
    response.end(answers.raw ?? JSON.stringify(found ?? { message: 'none' }));
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
  return new Engine(resolveEngine({ home, host: `unix://${socket}` }));
}

/** An engine that can't be connected to. */
function refusing(address: Partial<EngineAddress>, code: string): Engine {
  const connect = () => {
    const stream = new Duplex({ read: () => undefined });
    process.nextTick(() => stream.destroy(Object.assign(new Error(code), { code })));
    return stream;
  };
  return new Engine({ name: 'tcp://far.example:2376', isPlain: false, connect, ...address });
}

const wanted: Wanted = { image: 'debian:12' };

describe('what is missing for a container', () => {
  it('is nothing when the engine has the image', async () => {
    const engine = await engineOf({ image: IMAGE });
    expect(await examine(engine, wanted)).toEqual({ cpus: 4, imageId: 'sha256:1', imageEnv: ['A=1'] });
    expect(await examine(engine, { ...wanted, runtime: 'kata' })).toHaveProperty('imageId');
  });

  it('is an engine: here it is installed or started, elsewhere DOCKER_HOST is wrong', async () => {
    const local = resolveEngine({ home, host: `unix://${temporaryFolder()}/none` });
    const here = await examine(new Engine(local), wanted);
    expect(here).toMatchObject({
      reason: expect.stringMatching(/No Docker engine answers at unix:.*ENOENT/),
      mend: expect.stringMatching(/apt-get install .*docker\.io.*systemctl start docker.*DOCKER_HOST/),
    });
    expect(await examine(refusing({}, 'ECONNREFUSED'), wanted)).toMatchObject({
      reason: expect.stringContaining('ECONNREFUSED'),
      mend: expect.stringContaining('DOCKER_HOST'),
    });
  });

  it('is permission, and what giving it means', async () => {
    const engine = refusing({ socket: '/var/run/docker.sock' as HostPath }, 'EACCES');
    expect(await examine(engine, wanted)).toMatchObject({
      reason: 'This user may not use the Docker engine at /var/run/docker.sock.',
      mend: expect.stringMatching(/usermod -aG docker .*can become root/),
    });
  });

  it('is the image, with the command that fetches it', async () => {
    const engine = await engineOf({});
    expect(await examine(engine, wanted)).toEqual({
      reason: 'The Docker engine has no image debian:12.',
      mend: `docker -H ${engine.address.name} pull debian:12`,
    });
  });

  it('is an image for this processor and system', async () => {
    const engine = await engineOf({ image: { ...IMAGE, Architecture: 'arm64' } });
    expect(await examine(engine, wanted)).toMatchObject({
      reason: expect.stringContaining('linux/arm64'),
      mend: `docker -H ${engine.address.name} pull --platform linux/amd64 debian:12`,
    });
    const windows = await engineOf({ info: { ...INFO, OSType: 'windows' } });
    expect(await examine(windows, wanted)).toMatchObject({ reason: expect.stringContaining('windows') });
  });

  it('is the runtime, with those that there are', async () => {
    expect(await examine(await engineOf({ image: IMAGE }), { ...wanted, runtime: 'runsc' })).toMatchObject({
      reason: 'The Docker engine has no runtime "runsc"; it has kata, runc.',
    });
  });

  it.each(['../etc/passwd', 'a?b', 'a b', '-x', 'a%2f', ''])(
    'is a name that can be one: %s',
    async (image) => {
      const engine = refusing({}, 'ECONNREFUSED');
      expect(await examine(engine, { image })).toMatchObject({
        reason: expect.stringContaining("no image's name"),
      });
    },
  );

  it('is told from an engine that answers nonsense', async () => {
    await expect(examine(await engineOf({ raw: 'hello' }), wanted)).rejects.toMatchObject({
      code: 'backend/boot-failed',
    });
  });

  it('is not waited for when it is cancelled', async () => {
    const engine = refusing({}, 'ECONNREFUSED');
    await expect(examine(engine, wanted, AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
  });
});
