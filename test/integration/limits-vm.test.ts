import { beforeEach, describe, expect, test } from 'vitest';
import { delay } from '../../src/base/lifetime.ts';
import type { Guest } from '../../src/guest/guest.ts';
import { testQemu, vmOrSkip } from '../support/vm.ts';
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
    const many = await start(vm, 'for i in {1..100}; do sleep 100 & done 2>/dev/null; exit 3');
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
});
