import { describe, expect, it } from 'vitest';
import { fetchPackage } from '../support/package-cache.ts';
import { testCache, testQemu, vmOrSkip } from '../support/vm.ts';
import { ALWAYS, type History, LONG } from './packages.ts';
import { playHistory } from './play-history.ts';

const isLong = process.env.SAFE_CODER_HISTORIES === 'long';
const SEEDS = isLong ? [1, 2, 3, 4, 5] : [1, 2];

describe('a published version, as the work of an agent on the one before', { timeout: 240_000 }, () => {
  for (const history of isLong ? [...ALWAYS, ...LONG] : ALWAYS) {
    it(`lands as git would have it, in part and whole, and is taken back exactly: ${title(history)}`, async (context) => {
      const before = await fetchPackage(context, history.name, history.before);
      const after = await fetchPackage(context, history.name, history.after);
      const { items } = await playHistory(before, after, SEEDS);
      expect(items.length).toBeGreaterThan(0);
      const kinds = Object.groupBy(items, ({ change }) => change.kind);
      const counts = Object.entries(kinds).map(([kind, some]) => `${some?.length} ${kind}`);
      console.log(`history: ${title(history)}: ${counts.join(', ')}; ${SEEDS.length} reviews`);
    });
  }

  it('lands the same way out of a virtual machine', async (context) => {
    await vmOrSkip(context);
    const [history] = ALWAYS;
    if (history === undefined) throw new Error('the list is empty');
    const before = await fetchPackage(context, history.name, history.before);
    const after = await fetchPackage(context, history.name, history.after);
    const { items } = await playHistory(before, after, [1], { backend: testQemu(), cache: testCache() });
    expect(items.length).toBeGreaterThan(0);
  });
});

function title({ name, before, after }: History): string {
  return `${name} ${before.version} to ${after.version}`;
}
