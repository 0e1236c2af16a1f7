import { beforeEach, expect, test } from 'vitest';
import { testQemu, vmOrSkip } from '../support/vm.ts';
import { startVm } from '../support/vm-sandbox.ts';

beforeEach((context) => vmOrSkip(context), 300_000);

/** System call 101 is ptrace, 16 PTRACE_ATTACH: signals don't stop the first process, a tracer does. */
const STOP_THE_AGENT = `exec perl -e 'syscall(101, 16, 1, 0, 0) == 0 or die "ptrace: $!"; sleep 1 while 1'`;

test('root of the guest that stops the agent makes no call hang: the guest is given up and the reason named', async () => {
  const { guest, launched, sh } = await startVm(testQemu(), undefined, {}, { beatMs: 500, silenceMs: 5000 });
  expect((await sh('echo before')).text).toBe('before\n');
  await expect(sh(STOP_THE_AGENT)).rejects.toMatchObject({
    code: 'guest/timeout',
    details: { phase: 'heartbeat' },
  });
  expect((await guest.closed).message).toContain('The guest agent has not answered for 5 s');
  await launched.end();
  expect(await launched.ended).toContain('QEMU ended');
});

test('a signal does not stop the agent', async () => {
  const { sh } = await startVm();
  expect((await sh('kill -STOP 1; kill -KILL 1; echo on')).text).toBe('on\n');
});
