import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openLedger } from '../../../src/ledger/reader.ts';
import { commitInitial, git, makeLedger, toolCall } from './fixture.ts';

it('a long session keeps few packs, loses nothing, and does not disturb who reads meanwhile', async () => {
  const writer = await makeLedger();
  await commitInitial(writer, { a: '0', 'b/c': '0' });
  await using reader = await openLedger(writer.dir);
  let most = 0;
  for (let at = 1; at <= 150; at++) {
    const entry = await writer.append(toolCall(writer, { a: `${at}`, [`b/${at % 7}`]: `${at}` }));
    most = Math.max(most, readdirSync(join(writer.dir, 'objects/pack')).length);
    if (at % 10 === 0) expect(await reader.head()).toEqual(entry);
  }
  // Two files for each pack, and at most so many packs of one size before they become one.
  expect(most).toBeLessThanOrEqual(2 * (16 + 8));
  expect((await reader.entries()).length).toBe(151);
  expect(await writer.verify()).toMatchObject({ ok: true, entries: 151, faults: [] });
  await using fresh = await openLedger(writer.dir);
  expect((await fresh.verify()).ok).toBe(true);
  expect(git(writer.dir, 'fsck', '--strict', '--no-dangling')).toBe('');
});

it('packs that another program made are left to it', async () => {
  const writer = await makeLedger();
  const text = (at: number) =>
    Array.from({ length: 200 }, (_, line) => `${line === at ? 'x' : line} same\n`).join('');
  await commitInitial(writer, { a: text(0) });
  for (let at = 1; at < 20; at++) await writer.append(toolCall(writer, { a: text(at) }));
  git(writer.dir, 'repack', '-q', '-a', '-d');
  const repacked = readdirSync(join(writer.dir, 'objects/pack')).find((name) => name.endsWith('.pack')) ?? '';
  expect((await writer.verify()).ok).toBe(true);
  for (let at = 20; at < 80; at++) await writer.append(toolCall(writer, { a: text(at) }));
  expect(readdirSync(join(writer.dir, 'objects/pack'))).toContain(repacked);
  await using fresh = await openLedger(writer.dir);
  expect(await fresh.verify()).toMatchObject({ ok: true, entries: 80, faults: [] });
});
