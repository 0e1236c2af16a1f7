/** Containers that were made and never started, because whoever made them was killed in between. They run nothing. */
import { LABEL } from './container.ts';
import type { Engine } from './engine.ts';

/** Longer than any start takes, and than clocks differ. */
const OLD_MS = 3_600_000;

/** Removes those that are old at `nowMs`. Never rejects for one that can't be removed; throws what the engine's list does. */
export async function removeForsaken(engine: Engine, nowMs: number, signal?: AbortSignal): Promise<void> {
  const filters = JSON.stringify({ label: [LABEL], status: ['created'] });
  const { status, body } = await engine.ask('GET', '/containers/json', {
    query: { all: '1', filters },
    signal,
  });
  const listed: unknown = status === 200 ? JSON.parse(body.toString('utf8')) : [];
  for (const { Id, Created } of Array.isArray(listed) ? listed : []) {
    if (typeof Created !== 'number' || !/^[0-9a-f]{64}$/.test(String(Id))) continue;
    // Without force: one that was started meanwhile stays.
    if (nowMs - Created * 1000 > OLD_MS)
      await engine.ask('DELETE', `/containers/${Id}`, { query: { v: '1' }, signal });
  }
}
