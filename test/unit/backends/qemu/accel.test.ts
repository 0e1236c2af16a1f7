import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { decideAccel } from '../../../../src/backends/qemu/accel.ts';
import { SafeCoderError } from '../../../../src/base/errors.ts';
import { temporaryFolder } from '../../../support/temp.ts';

function options(probe: () => Promise<void>) {
  const cacheDir = temporaryFolder();
  writeFileSync(`${cacheDir}/kvm`, '');
  return { cacheDir, qemuVersion: '7.2.22', device: `${cacheDir}/kvm`, probe };
}

test('a machine without the device is emulated, without a probe', async () => {
  const verdict = await decideAccel({
    ...options(() => Promise.reject(new Error('not to be called'))),
    device: '/no/such/device',
  });
  expect(verdict).toEqual({ accel: 'tcg', reason: 'there is no /no/such/device' });
});

test('a probe that boots means hardware virtualisation, and is made once', async () => {
  let probes = 0;
  const asked = options(async () => {
    probes += 1;
  });
  expect((await decideAccel(asked)).accel).toBe('kvm');
  expect((await decideAccel(asked)).accel).toBe('kvm');
  expect(probes).toBe(1);
});

test('a probe that fails means emulation, with the reason in one line, and is remembered', async () => {
  let probes = 0;
  const asked = options(async () => {
    probes += 1;
    throw new SafeCoderError('backend/boot-failed', 'failed to set MSR 0x10a\nconsole:\nnoise');
  });
  const verdict = await decideAccel(asked);
  expect(verdict.accel).toBe('tcg');
  expect(verdict.reason).toContain('failed to set MSR 0x10a');
  expect(verdict.reason).not.toContain('noise');
  expect(await decideAccel(asked)).toEqual(verdict);
  expect(probes).toBe(1);
});

test('another version of QEMU, or a damaged memory of the verdict, is probed anew', async () => {
  let probes = 0;
  const asked = options(async () => {
    probes += 1;
  });
  await decideAccel(asked);
  await decideAccel({ ...asked, qemuVersion: '10.0.0' });
  expect(probes).toBe(2);
  writeFileSync(`${asked.cacheDir}/accel.json`, readFileSync(`${asked.cacheDir}/accel.json`).subarray(0, 10));
  await decideAccel({ ...asked, qemuVersion: '10.0.0' });
  expect(probes).toBe(3);
});
