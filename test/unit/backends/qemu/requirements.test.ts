import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { HostCheck } from '../../../../src/backends/qemu/host-check.ts';
import { describeRequirements } from '../../../../src/backends/qemu/requirements.ts';
import type { HostPath } from '../../../../src/base/path-bytes.ts';
import { temporaryFolder } from '../../../support/temp.ts';

/** A folder with every program that is needed but those left out, and a QEMU that says its version. */
function programs(without: string[], version: string): string {
  const folder = `${temporaryFolder()}/bin`;
  mkdirSync(folder);
  for (const { program } of describeRequirements()) {
    if (without.includes(program)) continue;
    if (program.startsWith('qemu')) {
      writeFileSync(`${folder}/${program}`, `#!/bin/sh\necho "QEMU emulator version ${version}"\n`);
      chmodSync(`${folder}/${program}`, 0o755);
    } else symlinkSync('/bin/true', `${folder}/${program}`);
  }
  return folder;
}

/** What a first start says about programs. */
function findMissing(path: string, qemuPath?: string) {
  const qemu = qemuPath === undefined ? {} : { qemuPath: qemuPath as HostPath };
  return new HostCheck({ cacheDir: temporaryFolder() as HostPath, path, ...qemu }).missing();
}

test('nothing is missing where every program is there and QEMU is new enough', async () => {
  expect(await findMissing(programs([], '7.2.22 (Debian 1:7.2)'))).toBeUndefined();
  expect(await findMissing(programs([], '10.0.2'))).toBeUndefined();
});

test('missing programs are named with what they are for, and the mend installs their packages', async () => {
  const missing = await findMissing(programs(['bwrap', 'qemu-system-x86_64'], ''));
  expect(missing?.reason).toContain('bwrap (jails the virtual machine monitor)');
  expect(missing?.mend).toMatch(/apt-get install -y --no-install-recommends qemu-system-x86 bubblewrap$/);
});

test('a QEMU that is too old, silent or not there is said to be so', async () => {
  expect((await findMissing(programs([], '6.2.0')))?.reason).toContain('version 6.2.0; 7.2 or newer');
  expect((await findMissing(programs([], '')))?.reason).toContain('unknown version');
  expect((await findMissing(programs([], '7.2'), '/no/such/qemu'))?.reason).toContain(
    '/no/such/qemu is not there',
  );
});

test('a system where the jail can not be made is said to be so, with what bubblewrap said', async () => {
  const folder = programs(['bwrap'], '7.2.22');
  writeFileSync(
    `${folder}/bwrap`,
    '#!/bin/sh\necho "bwrap: No permissions to create new namespace" >&2\nexit 1\n',
  );
  chmodSync(`${folder}/bwrap`, 0o755);
  const missing = await findMissing(folder);
  expect(missing?.reason).toContain('No permissions to create new namespace');
  expect(missing?.mend).toContain('userns');
});
