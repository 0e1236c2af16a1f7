import { existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { delay } from '../../../src/base/lifetime.ts';
import type { HostPath } from '../../../src/base/path-bytes.ts';
import { makeOnce, pruneUnused } from '../../../src/image/make-once.ts';
import { temporaryFolder } from '../../support/temp.ts';

test('something is made once, also when several want it at the same moment', async () => {
  const target = `${temporaryFolder()}/cache/thing` as HostPath;
  let builds = 0;
  const build = async (temporary: HostPath) => {
    builds += 1;
    await delay(30);
    expect(existsSync(target)).toBe(false);
    writeFileSync(temporary, 'whole');
  };
  await Promise.all([makeOnce(target, build), makeOnce(target, build), makeOnce(target, build)]);
  await makeOnce(target, build);
  expect(builds).toBe(1);
  expect(readFileSync(target, 'utf8')).toBe('whole');
});

test('a build that fails leaves nothing, and the next one tries again', async () => {
  const folder = temporaryFolder();
  const target = `${folder}/thing` as HostPath;
  const failing = makeOnce(target, async (temporary) => {
    mkdirSync(temporary);
    writeFileSync(`${temporary}/half`, '');
    throw new Error('no luck');
  });
  await expect(failing).rejects.toThrow('no luck');
  expect(readdirSync(folder)).toEqual([]);
  await makeOnce(target, async (temporary) => writeFileSync(temporary, 'whole'));
  expect(readFileSync(target, 'utf8')).toBe('whole');
});

test('what a killed builder left is removed first', async () => {
  const target = `${temporaryFolder()}/thing` as HostPath;
  mkdirSync(`${target}.making`);
  writeFileSync(`${target}.making/half`, '');
  // A lock whose owner is gone: no process has this id and start time.
  writeFileSync(`${target}.lock.1.1.00000000`, '');
  await makeOnce(target, async (temporary) => {
    mkdirSync(temporary);
    writeFileSync(`${temporary}/whole`, '');
  });
  expect(readdirSync(target)).toEqual(['whole']);
});

test('waiting for another builder ends when it is cancelled', async () => {
  const target = `${temporaryFolder()}/thing` as HostPath;
  const started = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  const first = makeOnce(target, async (temporary) => {
    started.resolve();
    await finish.promise;
    writeFileSync(temporary, '');
  });
  await started.promise;
  const controller = new AbortController();
  const second = makeOnce(target, async () => undefined, controller.signal);
  controller.abort();
  await expect(second).rejects.toMatchObject({ code: 'cancelled' });
  finish.resolve();
  await first;
});

test('what was not used for long is removed, and using it keeps it', async () => {
  const folder = temporaryFolder();
  const build = async (temporary: HostPath) => writeFileSync(temporary, '');
  for (const name of ['old', 'used']) {
    await makeOnce(`${folder}/${name}` as HostPath, build);
    utimesSync(`${folder}/${name}`, 1, 1);
  }
  await makeOnce(`${folder}/used` as HostPath, build);
  await pruneUnused(folder, new Date(Date.now() - 60_000));
  expect(readdirSync(folder)).toEqual(['used']);
  await pruneUnused(`${folder}/not-there` as HostPath, new Date());
});
