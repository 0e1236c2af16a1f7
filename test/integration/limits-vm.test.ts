import { beforeEach, describe, expect, test } from 'vitest';
import { delay } from '../../src/base/lifetime.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { describeFullDisk } from '../../src/sandbox/limits-met.ts';
import { smallMachine, testQemu, vmOrSkip } from '../support/vm.ts';
import { startVm, type VmSandbox } from '../support/vm-sandbox.ts';

/** As an ordinary person of the guest: root there is not what runs out first. */
function start({ guest, launched }: VmSandbox, command: string) {
  return guest.spawn({
    argv: ['/bin/bash', '-c', command],
    env: launched.info.env,
    cwd: '/',
    uid: 1000,
    gid: 1000,
    mergeStderr: true,
    onOutput: () => undefined,
  });
}

async function answers(guest: Guest): Promise<string> {
  return (await guest.stat('/usr', { uid: 0, gid: 0 })).canonical;
}

/** Read by the agent itself: nothing has to be started for it. */
async function countProcesses(guest: Guest): Promise<number> {
  const file = '/sys/fs/cgroup/executions/pids.current';
  return Number((await guest.read(file, { uid: 0, gid: 0, maxBytes: 100 })).bytes.toString());
}

describe('what a guest uses up is survived, named, and its own', () => {
  beforeEach((context) => vmOrSkip(context), 300_000);

  test('a fork bomb that has reached its limit costs neither its machine nor another', async () => {
    const vm = await startVm(testQemu(), undefined, { pids: 400 });
    const other = await startVm();
    const bomb = await start(vm, 'bomb() { bomb & bomb & sleep 1; bomb; }; bomb');
    for (let count = 0; count < 300 && (await countProcesses(vm.guest)) < 399; count++) await delay(200);
    expect(await countProcesses(vm.guest)).toBeGreaterThanOrEqual(399);
    for (let count = 0; count < 10; count++) {
      expect(await answers(vm.guest)).toBe('/usr');
      expect((await other.sh('echo undisturbed')).text).toBe('undisturbed\n');
    }
    bomb.kill();
    const end = await bomb.ended;
    expect(end.wasRefusedProcesses).toBe(true);
    expect((await vm.sh('echo again')).text).toBe('again\n');
  }, 120_000);

  test('too many processes are told from other failures', async () => {
    const vm = await startVm(testQemu(), undefined, { pids: 64 });
    const many = await start(
      vm,
      `exec sh -c 'i=0; while [ $i -lt 100 ]; do sleep 100 & i=$((i+1)); done; exit 3'`,
    );
    expect(await many.ended).toMatchObject({
      exitCode: expect.any(Number),
      wasRefusedProcesses: true,
      wasKilledForMemory: false,
    });
    const few = await start(vm, 'for i in {1..20}; do true & done; wait; exit 3');
    expect(await few.ended).toMatchObject({ exitCode: 3, wasRefusedProcesses: false });
  });

  test('a program that needs more memory than there is is killed, and nothing else is', async () => {
    const vm = await startVm();
    const bystander = await start(vm, 'sleep 3; echo still here; exit 7');
    const hungry = await start(
      vm,
      `exec node -e 'const all = []; for (;;) all.push(Buffer.alloc(8 << 20, 1));'`,
    );
    expect(await hungry.ended).toMatchObject({ signal: 9, wasKilledForMemory: true });
    expect(await bystander.ended).toMatchObject({ exitCode: 7, wasKilledForMemory: false });
    expect(await answers(vm.guest)).toBe('/usr');
  });

  test('a disk without room, or without room for names, says so in numbers and can be emptied', async () => {
    const vm = await startVm();
    const sandbox = asSandbox(vm);
    await vm.sh('fallocate -l 900M most; dd if=/dev/zero of=rest bs=1M count=300');
    expect(await describeFullDisk(sandbox)).toMatch(/^disk full: (1\.0 GB|\d+ MB) of 1\.0 GB$/);
    await vm.sh('rm most rest');
    const names = await vm.sh('mkdir many; cd many; seq 70000 | xargs -n 5000 touch');
    expect(names.text).toContain('No space left on device');
    expect(await describeFullDisk(sandbox)).toMatch(/^disk full: (\d+) files of \1$/);
    expect((await vm.sh('rm -rf many; echo again > small; cat small')).text).toBe('again\n');
  }, 120_000);

  test('output without end is held back, and ends with its execution', async () => {
    const vm = await startVm();
    let bytes = 0;
    let release: () => void = () => undefined;
    const flood = await vm.guest.spawn({
      argv: ['/bin/sh', '-c', 'exec cat /dev/zero'],
      env: vm.launched.info.env,
      cwd: '/',
      uid: 1000,
      gid: 1000,
      onOutput: (chunk) => {
        bytes += chunk.length;
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
    });
    expect(await answers(vm.guest)).toBe('/usr');
    // Nobody takes the output: no more than the credit of one stream may be on its way.
    expect(bytes).toBeLessThanOrEqual(2 ** 18);
    flood.kill();
    release();
    expect((await flood.ended).signal).toBe(9);
    expect((await vm.sh('echo again')).text).toBe('again\n');
  });
});

/** As much of a sandbox as asking for its disk takes. */
function asSandbox({ guest, launched }: VmSandbox): Parameters<typeof describeFullDisk>[0] {
  const { memoryBytes, diskBytes } = smallMachine;
  return {
    limits: { memoryBytes, diskBytes, pids: 256 },
    exec: (options, signal) =>
      guest.spawn(
        { ...options, uid: 1000, gid: 1000, cwd: launched.info.workspace, env: launched.info.env },
        signal,
      ),
  };
}
