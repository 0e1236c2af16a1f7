import { expect, test } from 'vitest';
import { hostTscKhz, tscKhzFrom } from '../../../../src/backends/qemu/tsc.ts';

const none = { cpuinfo: '', base: '', most: '', model: '' };

test('in a virtual machine the exact rate that the kernel shows is taken', () => {
  const cpuinfo = 'cpu MHz\t\t: 2596.126\ncache size\t: 512 KB\nflags\t\t: fpu tsc hypervisor lm\n';
  expect(tscKhzFrom({ ...none, cpuinfo, model: 'AMD EPYC @ 3.10GHz' })).toBe(2_596_126);
});

test('on a real machine the nominal rate is taken, not the one of the moment', () => {
  const cpuinfo = 'cpu MHz\t\t: 4123.456\nflags\t\t: fpu tsc lm\n';
  expect(tscKhzFrom({ ...none, cpuinfo, base: '2900000\n', model: 'Xeon @ 2.80GHz' })).toBe(2_900_000);
  expect(tscKhzFrom({ ...none, cpuinfo, model: 'Xeon @ 2.80GHz', most: '4000000' })).toBe(2_800_000);
  expect(tscKhzFrom({ ...none, cpuinfo, most: '4000000\n' })).toBe(4_000_000);
});

test('nonsense gives a rate that a machine can run with', () => {
  expect(tscKhzFrom(none)).toBe(2_000_000);
  expect(tscKhzFrom({ ...none, base: 'x', most: '-5', model: '@ 99GHz' })).toBe(2_000_000);
});

test('the rate of this machine is the same each time', async () => {
  expect(await hostTscKhz()).toBe(await hostTscKhz());
});
