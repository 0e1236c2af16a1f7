import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { HostCheck } from '../../../../src/backends/qemu/host-check.ts';
import { describeRequirements } from '../../../../src/backends/qemu/requirements.ts';
import type { HostPath } from '../../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../../support/temp.ts';

/** Programs that note each run of theirs, and a jail that works while there is no file `broken`. */
function host() {
  const root = temporaryFolder();
  const path = `${root}/bin`;
  mkdirSync(path);
  const script = (name: string, text: string) => {
    writeFileSync(`${path}/${name}`, `#!/bin/sh\necho ${name} >> ${root}/runs\n${text}\n`);
    chmodSync(`${path}/${name}`, 0o755);
  };
  for (const { program } of describeRequirements()) script(program, 'exit 0');
  script('qemu-system-x86_64', 'echo "QEMU emulator version 7.2.22"');
  script('bwrap', `[ ! -e ${root}/broken ] || { echo "bwrap: no namespace" >&2; exit 1; }`);
  const cacheDir = `${root}/cache` as HostPath;
  const runs = () =>
    existsSync(`${root}/runs`) ? readFileSync(`${root}/runs`, 'utf8').split('\n').length - 1 : 0;
  return { root, path, cacheDir, runs, check: () => new HostCheck({ cacheDir, path }) };
}

test('what was tried once is not tried again, in this process or the next', async () => {
  const { check, runs } = host();
  const first = check();
  expect(await first.missing()).toBeUndefined();
  const tried = runs();
  expect(tried).toBeGreaterThanOrEqual(2);
  expect(await first.missing()).toBeUndefined();
  const second = check();
  expect(await second.missing()).toBeUndefined();
  expect(await second.qemuVersion()).toBe('7.2.22');
  expect(runs()).toBe(tried);
});

test('another program at the same place is tried anew', async () => {
  const { check, path, runs } = host();
  await check().missing();
  const tried = runs();
  appendFileSync(`${path}/bwrap`, '# upgraded\n');
  await check().missing();
  expect(runs()).toBeGreaterThan(tried);
});

test('an answer that something is missing is not kept, here or on disk', async () => {
  const { check, root } = host();
  writeFileSync(`${root}/broken`, '');
  const first = check();
  expect((await first.missing())?.reason).toContain('no namespace');
  expect((await check().missing())?.reason).toContain('no namespace');
  writeFileSync(`${root}/bin/bwrap`, '#!/bin/sh\nexit 0\n');
  expect(await first.missing()).toBeUndefined();
});

test('a kept answer that is damaged counts as none', async () => {
  const { check, cacheDir, root } = host();
  await check().missing();
  writeFileSync(`${cacheDir}/host.json`, '{');
  writeFileSync(`${root}/broken`, '');
  expect((await check().missing())?.reason).toContain('no namespace');
});

test('asking anew drops what was kept, and says the mend when it holds no more', async () => {
  const { check, root } = host();
  await check().missing();
  writeFileSync(`${root}/broken`, '');
  expect(await check().missing()).toBeUndefined();
  expect((await check().missingNow())?.mend).toContain('userns');
  expect((await check().missing())?.reason).toContain('no namespace');
});

test('a program that went missing is noticed although the answer was kept', async () => {
  const { check, path } = host();
  await check().missing();
  chmodSync(`${path}/mkfs.ext4`, 0o644);
  expect((await check().missing())?.reason).toContain('mkfs.ext4');
});
