import { describe, expect, it, onTestFinished } from 'vitest';
import type { EventBody } from '../../../src/base/events.ts';
import { Network } from '../../../src/session/network.ts';

function open(
  network: 'none' | 'registries',
  allow: string[],
): { network: Network | undefined; events: EventBody[] } {
  const events: EventBody[] = [];
  const opened = Network.open({
    settings: { network, allow },
    home: '/nonexistent',
    environment: { PATH: '/nonexistent' },
    emit: (event) => events.push(event),
  });
  onTestFinished(async () => {
    await opened?.[Symbol.asyncDispose]();
  });
  return { network: opened, events };
}

describe('the way out of a session', () => {
  it('is none at all when nothing may leave', () => {
    expect(open('none', []).network).toBeUndefined();
    expect(open('none', ['a.test']).network).toBeDefined();
  });

  it('refuses a rule that is none before anything starts', () => {
    expect(() => open('none', ['http://a.test'])).toThrow(/no host to allow/);
  });

  it('brings the settings of the host’s own system only to a guest that has its programs', async () => {
    const { network } = open('registries', []);
    const paths = async (hasOwnImage: boolean) =>
      ((await network?.outlet.provide({ hasOwnImage })) ?? { files: [] }).files.map(({ path }) => path);
    const isSystems = (path: string) => /^\/(?:etc\/apt|var\/lib\/dpkg)\//.test(path);
    expect((await paths(true)).filter(isSystems)).toEqual([]);
    const all = await paths(false);
    // On a machine without apt there is nothing to bring.
    expect(all.filter(isSystems).length === 0).toBe(!all.includes('/var/lib/dpkg/statoverride'));
  });
});
