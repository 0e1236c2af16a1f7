import { expect, test } from 'vitest';
import { DiskFullWatch, describeFullDisk, describeLimitsMet } from '../../../src/sandbox/limits-met.ts';
import { FakeSandbox } from '../../support/fake-sandbox.ts';

const limits = { memoryBytes: 512 << 20, diskBytes: 1 << 30, pids: 256 };
const end = {
  exitCode: 0,
  signal: undefined,
  wasKilledForMemory: false,
  wasRefusedProcesses: false,
  wallMs: 1,
  cpuMs: 1,
  peakMemoryBytes: 1,
};

/** A sandbox whose `df` says this. */
function saying(text: string): FakeSandbox {
  const sandbox = new FakeSandbox();
  sandbox.script = async (exec) => {
    await exec.output(text);
    exec.end();
  };
  return sandbox;
}

test('an end that met no limit says nothing', () => {
  expect(describeLimitsMet(end, limits)).toEqual([]);
});

test('each limit is named with its number', () => {
  const met = describeLimitsMet({ ...end, wasKilledForMemory: true, wasRefusedProcesses: true }, limits);
  expect(met[0]).toContain('out of memory: killed at 512 MB');
  expect(met[1]).toContain('too many processes: 256');
});

test('a full disk is told with what is used, or by its files when those ran out', async () => {
  const gigabyte = 1 << 30;
  expect(await describeFullDisk(saying(`size avail iused itotal\n${gigabyte} 0 10 65536\n`))).toBe(
    'disk full: 1.0 GB of 1.0 GB',
  );
  expect(await describeFullDisk(saying(`x\n${gigabyte} 500000000 65536 65536\n`))).toBe(
    'disk full: 65536 files of 65536',
  );
});

test('a guest that says nonsense about its disk is not quoted', async () => {
  const hostile = ['', '\x1b[2J\n', `${'9'.repeat(400)} 1 1 1\n`, '-1 -1 -1 -1\n', 'x'.repeat(1_000_000)];
  for (const text of hostile) {
    expect(await describeFullDisk(saying(text))).toBe('disk full: the sandbox has 1.0 GB');
  }
});

test('a full disk is seen wherever the output is cut', () => {
  const said = Buffer.from('cp: error writing: No space left on device\n');
  for (let cut = 0; cut <= said.length; cut++) {
    const watch = new DiskFullWatch();
    watch.add(said.subarray(0, cut));
    watch.add(said.subarray(cut));
    expect(watch.hasSeen).toBe(true);
  }
});
