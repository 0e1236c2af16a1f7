import { describe, expect, test } from 'vitest';
import { planPrepared, planSetup } from '../../../../src/backends/qemu/guest-setup.ts';
import { jailArguments } from '../../../../src/backends/qemu/jail.ts';
import { hostArguments, type MachineSpec, machineArguments } from '../../../../src/backends/qemu/machine.ts';
import type { GuestPath, HostPath } from '../../../../src/base/path-bytes.ts';
import type { SetupOperation } from '../../../../src/protocol/setup.ts';

const machine: MachineSpec = {
  accel: 'tcg',
  cpus: 2,
  memoryMib: 512,
  tscKhz: 2_596_126,
  memory: { kind: 'fresh' },
  incoming: false,
};

describe('the machine', () => {
  test('has no network device and no display, and may start no program', () => {
    const all = [...machineArguments(machine), ...hostArguments(machine)].join(' ');
    expect(all).toContain('-nodefaults');
    expect(all).not.toMatch(/-net|netdev|-nic|vhost|-vnc/);
    expect(all).toMatch(/-sandbox on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny/);
  });

  test('opens the project and the toolchain for reading only', () => {
    const drives = hostArguments(machine).filter((argument) => argument.startsWith('if=none'));
    expect(drives.find((drive) => drive.includes('id=project'))).toContain('readonly=on');
    expect(hostArguments(machine).find((argument) => argument.startsWith('local,'))).toContain('readonly=on');
  });

  test('is told the clock rate when it is emulated, and only then', () => {
    expect(machineArguments(machine).join(' ')).toContain('tsc_early_khz=2596126');
    expect(machineArguments({ ...machine, accel: 'kvm' }).join(' ')).not.toContain('tsc_early_khz=');
  });

  test('starts every program at the same addresses when it is emulated, and only then', () => {
    expect(machineArguments(machine).join(' ')).toMatch(/ norandmaps/);
    expect(machineArguments({ ...machine, accel: 'kvm' }).join(' ')).not.toContain('norandmaps');
  });

  test('does not claim fast copies byte by byte when it is emulated, and hides nothing when it is not', () => {
    const cpu = (accel: 'kvm' | 'tcg') => {
      const all = machineArguments({ ...machine, accel });
      return all[all.indexOf('-cpu') + 1];
    };
    expect(cpu('tcg')).toBe('max,-erms,-fsrm');
    expect(cpu('kvm')).toBe('host');
  });

  test('maps the memory of a saved state privately', () => {
    const memory = { kind: 'file', path: '/run/vm/memory', isShared: false } as const;
    const restored = hostArguments({ ...machine, memory, incoming: true }).join(' ');
    expect(restored).toContain('mem-path=/run/vm/memory,share=off');
    expect(restored).toContain('-incoming defer');
  });
});

test('the jail has no network, no capability, no environment, and one writable folder', () => {
  const args = jailArguments({
    runDir: '/home/me/run' as HostPath,
    kernel: '/cache/vmlinux' as HostPath,
    initramfs: '/cache/initramfs' as HostPath,
    toolchain: {
      base: '/cache/tree' as HostPath,
      binds: [{ from: '/usr', at: '/usr' }],
      path: [],
    },
    rootLinks: [
      { name: 'lib', target: 'usr/lib' },
      { name: 'lib64', target: undefined },
    ],
    usesKvm: false,
  });
  for (const flag of ['--unshare-all', '--die-with-parent', '--new-session', '--clearenv']) {
    expect(args).toContain(flag);
  }
  expect(args.join(' ')).toContain('--cap-drop ALL');
  const writable = args.flatMap((arg, at) =>
    arg === '--bind' || arg === '--dev-bind' ? [args[at + 1]] : [],
  );
  expect(writable).toEqual(['/home/me/run']);
  const readable = args.flatMap((arg, at) => (arg.startsWith('--ro-bind') ? [args[at + 1]] : []));
  expect(readable).toEqual([
    '/usr',
    '/lib64',
    '/etc/ld.so.cache',
    '/cache/vmlinux',
    '/cache/initramfs',
    '/cache/tree',
    '/usr',
  ]);
});

test('a project inside a folder that is shown is hidden wherever it would show', () => {
  const hidden = (project: string) => {
    const args = jailArguments({
      runDir: '/home/me/run' as HostPath,
      kernel: '/cache/vmlinux' as HostPath,
      initramfs: '/cache/initramfs' as HostPath,
      toolchain: {
        base: '/cache/tree' as HostPath,
        binds: [
          { from: '/usr', at: '/usr' },
          { from: '/data/node', at: '/opt/node' },
        ],
        path: [],
      },
      rootLinks: [],
      usesKvm: false,
      project,
    });
    return args.flatMap((arg, at) => (arg === '--tmpfs' ? [args[at + 1]] : []));
  };
  expect(hidden('/usr/src/app')).toEqual(['/usr/src/app', '/tree/usr/src/app']);
  expect(hidden('/data/node/lib/app')).toEqual(['/tree/opt/node/lib/app']);
  expect(hidden('/data/node')).toEqual(['/tree/opt/node']);
  expect(hidden('/data/node-app')).toEqual([]);
  expect(hidden('/home/me/usr/app')).toEqual([]);
});

describe('the set-up of a guest', () => {
  const spec = {
    id: 'a/b;rm -rf',
    runDir: '/run' as HostPath,
    workspace: '/home/dev/project' as GuestPath,
    uid: 1000,
    gid: 1001,
    cpus: 1,
    memoryBytes: 1,
    diskBytes: 1,
    pids: 99,
    env: {},
  };

  const fresh = { kernelRelease: '6.1.0-56-amd64', isPrepared: false };

  test('asks for quick changes of groups at every mount of them, where the kernel knows that', () => {
    const options = (kernelRelease: string) =>
      planSetup(spec, { kernelRelease, isPrepared: false }).flatMap((operation) =>
        operation.op === 'mount' && operation.type === 'cgroup2' ? [operation.data] : [],
      );
    expect(options('6.1.0-56-amd64')).toEqual(['favordynmods', 'favordynmods']);
    expect(options('10.0.0')).toEqual(['favordynmods', 'favordynmods']);
    expect(options('5.10.0-30-amd64')).toEqual(['', '']);
  });

  test('opens the workspace before the old root goes out of reach, and limits processes after', () => {
    const order = planSetup(spec, fresh).map((operation) => operation.op);
    expect(order.indexOf('workspace')).toBeLessThan(order.indexOf('root'));
    expect(order.at(-1)).toBe('cgroup');
    expect(order.filter((op) => op === 'root')).toHaveLength(1);
  });

  test('leaves to a prepared machine only what it has not done, and does all of it in a fresh one', () => {
    const named = (operations: SetupOperation[]) =>
      operations.map((one) => `${one.op} ${'target' in one ? one.target : 'path' in one ? one.path : ''}`);
    const [prepared, rest] = [
      named(planPrepared(fresh.kernelRelease)),
      named(planSetup(spec, { ...fresh, isPrepared: true })),
    ];
    expect(named(planSetup(spec, fresh))).toEqual([...prepared, ...rest]);
    expect(rest.some((one) => prepared.includes(one))).toBe(false);
    expect(rest.at(-1)).toBe('cgroup /sys/fs/cgroup');
  });

  test("prepares nothing that is one sandbox's or can not be saved", () => {
    expect(JSON.stringify(planPrepared(fresh.kernelRelease))).toBe(
      JSON.stringify(planPrepared(fresh.kernelRelease)),
    );
    expect(planPrepared(fresh.kernelRelease).map((one) => ('type' in one ? one.type : one.op))).not.toContain(
      '9p',
    );
    expect(planPrepared(fresh.kernelRelease).map((one) => one.op)).not.toContain('hostname');
  });

  test('gives the workspace and a home to the person, and the rest to root', () => {
    const owned = planSetup(spec, fresh).flatMap((operation) =>
      'uid' in operation && operation.uid !== 0 ? [operation] : [],
    );
    expect(owned.map((operation) => operation.path)).toEqual([
      '/scratch/workspace/upper',
      '/scratch/root/upper/home/user',
    ]);
    for (const operation of owned) expect([operation.uid, operation.gid]).toEqual([1000, 1001]);
  });

  test('makes a host name of letters and digits only, and a machine id that is new each time', () => {
    const name = planSetup(spec, fresh).find((operation) => operation.op === 'hostname');
    expect(name).toEqual({ op: 'hostname', name: 'sandbox-abrmrf' });
    const id = () =>
      planSetup(spec, fresh).flatMap((operation) =>
        operation.op === 'file' && operation.path.endsWith('/machine-id')
          ? [Buffer.from(operation.bytes).toString()]
          : [],
      )[0];
    expect(id()).toMatch(/^[0-9a-f]{32}\n$/);
    expect(id()).not.toBe(id());
  });
});
