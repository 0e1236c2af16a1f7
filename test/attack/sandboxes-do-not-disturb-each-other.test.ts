import { readdirSync } from 'node:fs';
import { beforeEach, expect, test } from 'vitest';
import { delay } from '../../src/base/lifetime.ts';
import { processesOf } from '../support/qemu-process.ts';
import { vmOrSkip } from '../support/vm.ts';
import { startVm, type VmSandbox } from '../support/vm-sandbox.ts';

beforeEach((context) => vmOrSkip(context), 300_000);

/** How many run at once; more than a few take a machine of their own. */
const SANDBOXES = Number(process.env.SAFE_CODER_TEST_SANDBOXES ?? 3);

async function startAll(): Promise<VmSandbox[]> {
  const started: VmSandbox[] = [];
  for (let count = 0; count < SANDBOXES; count++) started.push(await startVm());
  return started;
}

test('killing any process of one sandbox leaves nothing of it, and the others at work', {
  timeout: 240_000,
}, async () => {
  const all = await startAll();
  // Each under load of its own, from before the first kill until after the last.
  const work =
    'i=0; while [ $i -lt 20 ]; do echo $i >> count; sha256sum /usr/bin/env > /dev/null; i=$((i+1)); done; wc -l < count';
  const results = all.map(({ sh }) =>
    sh(work).then(
      ({ text }) => text.trim(),
      (error: { code?: string }) => error.code,
    ),
  );
  const victims = all.slice(0, -1);
  for (const [index, victim] of victims.entries()) {
    const processes = processesOf(victim.runDir);
    expect(processes).toHaveLength(3);
    // In turn the jail, its first process, the monitor.
    process.kill(processes[index % 3] ?? 0, 'SIGKILL');
    expect(await victim.launched.ended).toContain('QEMU ended');
    for (let tries = 0; tries < 200 && processes.some(isThere); tries++) await delay(25);
    expect(processes.filter(isThere)).toEqual([]);
    expect((await victim.guest.closed).message).toContain('unknown outcome');
    await victim.launched.end();
  }
  const outcomes = await Promise.all(results);
  expect(outcomes.at(-1)).toBe('20');
  for (const outcome of outcomes.slice(0, -1)) expect(['guest/lost', '20']).toContain(outcome);
  const last = all.at(-1);
  expect((await last?.sh('cat a.txt'))?.text).toBe('content of a\n');
});

function isThere(pid: number): boolean {
  return readdirSync('/proc').includes(String(pid));
}
