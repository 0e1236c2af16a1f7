import { describe, expect, it } from 'vitest';
import {
  type ContainerWish,
  describeContainer,
  environmentOf,
  planAfter,
} from '../../../../src/backends/docker/container.ts';
import type { GuestPath, HostPath } from '../../../../src/base/path-bytes.ts';
import { plainSpec } from '../../../support/plain-spec.ts';

const spec = { ...plainSpec('/run/x' as HostPath, 'id-1'), pids: 100, cpus: 8, uid: 1000, gid: 1000 };
const wish: ContainerWish = {
  spec,
  image: 'sha256:abc',
  engineCpus: 2,
  limitsDisk: true,
  hidesWorkspace: false,
};
const hostConfig = (change: Partial<ContainerWish> = {}) =>
  describeContainer({ ...wish, ...change }).HostConfig as Record<string, unknown>;

describe('what an engine is asked for', () => {
  it('holds every limit of the spec, and no more CPUs than the engine has', () => {
    expect(hostConfig()).toMatchObject({
      Memory: spec.memoryBytes,
      MemorySwap: spec.memoryBytes,
      NanoCpus: 2e9,
      PidsLimit: 356,
      StorageOpt: { size: String(spec.diskBytes) },
    });
    expect(hostConfig({ limitsDisk: false })).not.toHaveProperty('StorageOpt');
  });

  it('gives memory for temporary files, but not over a project that lies there', () => {
    expect(hostConfig().Tmpfs).toEqual({ '/tmp': expect.stringContaining(`size=${spec.memoryBytes / 2}`) });
    const inTemp = { ...spec, workspace: '/tmp/project' as GuestPath };
    expect(hostConfig({ spec: inTemp })).not.toHaveProperty('Tmpfs');
  });

  it('never holds a mount of the host', () => {
    expect(JSON.stringify(describeContainer({ ...wish, hidesWorkspace: true }))).not.toMatch(
      /"bind"|Binds|docker\.sock/,
    );
    expect(hostConfig({ hidesWorkspace: true }).Mounts).toEqual([
      { Type: 'volume', Target: spec.workspace, VolumeOptions: { NoCopy: true } },
    ]);
  });

  it('names a runtime only when one was asked for', () => {
    expect(hostConfig()).not.toHaveProperty('Runtime');
    expect(hostConfig({ runtime: 'runsc' }).Runtime).toBe('runsc');
  });

  it('confines executions: an ordinary user keeps no capability', () => {
    expect(planAfter(spec)).toContainEqual({ op: 'confine', keep: 0n });
    expect(planAfter({ ...spec, uid: 0 })).toContainEqual({ op: 'confine', keep: 251n });
  });
});

describe('variables of executions', () => {
  const user = { name: 'user', home: '/home/user' };

  it('are the image’s, with our tools behind its own PATH', () => {
    const env = environmentOf(
      ['PATH=/usr/local/go/bin:/bin', 'GOPATH=/go', 'A=b=c', 'LANG=de_DE.UTF-8'],
      user,
    );
    expect(env).toMatchObject({
      GOPATH: '/go',
      A: 'b=c',
      LANG: 'de_DE.UTF-8',
      HOME: '/home/user',
      USER: 'user',
    });
    expect(env.PATH).toBe('/usr/local/go/bin:/bin:/opt/safe-coder/bin');
  });

  it('are complete for an image that sets none', () => {
    expect(environmentOf([], user).PATH).toMatch(/^\/usr\/local\/sbin:.*:\/opt\/safe-coder\/bin$/);
  });
});
