import { spawn } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { LIMIT_NAMES, vmmLimits } from '../../src/backends/qemu/vmm-limits.ts';
import { namespacesOf, processesOf, qemuOf } from '../support/qemu-process.ts';
import { temporaryFolder } from '../support/temp.ts';
import { smallMachine, testCache, vmOrSkip } from '../support/vm.ts';
import { startVm } from '../support/vm-sandbox.ts';

describe('a virtual machine monitor that a guest has taken over', () => {
  beforeEach((context) => vmOrSkip(context), 300_000);

  test('has no capability, gains no privilege, is filtered, and shares no namespace with us', async () => {
    const { runDir } = await startVm();
    const { status, namespaces } = qemuOf(runDir);
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect([set, status[set]]).toEqual([set, '0000000000000000']);
    }
    expect([status.NoNewPrivs, status.Seccomp]).toEqual(['1', '2']);
    const own = namespacesOf('self');
    for (const [name, namespace] of Object.entries(namespaces)) expect(namespace, name).not.toBe(own[name]);
  });

  test('can use no more of the host than the machine needs', async () => {
    const { runDir } = await startVm();
    const { limits } = qemuOf(runDir);
    const wanted = vmmLimits({
      accel: 'tcg',
      cpus: smallMachine.cpus,
      memoryMib: smallMachine.memoryBytes / 2 ** 20,
      diskBytes: smallMachine.diskBytes,
    });
    for (const [key, most] of Object.entries(wanted)) {
      const name = LIMIT_NAMES[key as keyof typeof LIMIT_NAMES];
      for (const value of limits[name] ?? ['unlimited']) {
        expect(value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value), name).toBeLessThanOrEqual(
          most,
        );
      }
    }
    expect(wanted.fsize).toBe(smallMachine.diskBytes);
  });

  test('holds nothing open for writing but its disk, its memory and its connections', async () => {
    const { runDir } = await startVm();
    const written = qemuOf(runDir)
      .files.filter((file) => file.isWritable)
      .map((file) => file.to.replace(/\[?:?\[\d+\]$/, ''));
    expect([...new Set(written)].sort()).toEqual([
      '/run/vm/memory (deleted)',
      '/run/vm/scratch.ext4',
      'anon_inode:[eventfd]',
      'anon_inode:[signalfd]',
      'socket',
    ]);
  });

  test('sees the tools, its run folder and its own processes, and can write to the run folder only', async () => {
    const { runDir } = await startVm();
    const { pid } = qemuOf(runDir);
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').trim().split('\n');
    const writable = mounts
      .map((line) => line.split(' '))
      .filter(([, , , , , options]) => options?.split(',').includes('rw'))
      .map(([, , , , at]) => at ?? '')
      .filter((at) => !/^\/dev(\/|$)|^\/proc$/.test(at));
    expect(writable).toEqual(['/run/vm']);
    expect(processesOf(runDir)).toHaveLength(3);
  });

  test('gets no descriptor that whoever started us left open', async () => {
    const runDir = `${temporaryFolder()}`;
    const secret = `${temporaryFolder()}/secret`;
    writeFileSync(secret, 'of the terminal');
    const left = openSync(secret, 'r');
    const script = fileURLToPath(new URL('../support/launch-and-wait.ts', import.meta.url));
    const stdio = ['ignore', 'pipe', 'inherit', ...Array(37).fill('ignore'), left];
    const child = spawn(process.execPath, [script, testCache(), runDir], { stdio });
    onTestFinished(() => {
      child.kill('SIGKILL');
      closeSync(left);
    });
    await new Promise((resolve) => child.stdout?.once('data', resolve));
    // The attack is possible: the process that starts the machine was given it, and Node passes it on.
    expect(openFilesOf(child.pid ?? 0)).toContain(secret);
    for (const pid of processesOf(runDir)) expect(openFilesOf(pid)).not.toContain(secret);
    expect(processesOf(runDir)).toHaveLength(3);
  });
});

function openFilesOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
}
