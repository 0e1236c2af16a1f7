/** The virtual machine as QEMU arguments. Pure: paths are those inside the jail. */

export interface MachineSpec {
  accel: 'kvm' | 'tcg';
  cpus: number;
  memoryMib: number;
  /** The rate of the host's time stamp counter; used when emulated. */
  tscKhz: number;
  /** How the memory is held: fresh, or mapped from a file (shared to write a saved state, private to start from one). */
  memory: { kind: 'fresh' } | { kind: 'file'; path: string; isShared: boolean };
  /** Wait, stopped, for a saved state. */
  incoming: boolean;
}

/** Names and places that the host side, the guest's set-up and the jail agree on. */
export const PORT_NAME = 'safe-coder.agent';
export const TREE_TAG = 'tree';
export const JAIL = {
  run: '/run/vm',
  kernel: '/vm/kernel',
  initramfs: '/vm/initramfs',
  tree: '/tree',
  project: 'project.erofs',
  scratch: 'scratch.ext4',
  memory: 'memory',
  agent: 'agent.sock',
  qmp: 'qmp.sock',
  migration: 'state.sock',
} as const;

/**
 * The project's disk is always this large, a hole but for its beginning, so that a saved state fits every project.
 */
export const PROJECT_DISK_BYTES = 256 * 2 ** 30;

/**
 * tsc_early_khz, tsc=reliable (emulated): the clock's rate can't be measured on a busy host, and the boot would hang;
 * without a clock that it trusts the guest counts ticks, which costs processor time while idle.
 * norandmaps (emulated): translated code is found by its address, so a program at an address made up anew is translated
 * anew each time it starts: two thirds of what starting `true` costs, and kept until a gigabyte of the host's is full.
 * quiet: every console line costs an exit. panic=-1 with -no-reboot: a guest that panics ends the process at once.
 */
const KERNEL_ARGUMENTS = [
  'console=ttyS0',
  'quiet',
  'no_timer_check',
  'cryptomgr.notests',
  'random.trust_cpu=1',
  'reboot=t',
  'panic=-1',
];

/**
 * Everything that QEMU emulates, but no claim that copying byte by byte is fast (ERMS, FSRM): the guest's kernel would
 * clear and copy memory that way, and emulated, a byte is as much work as a word.
 */
const EMULATED_CPU = 'max,-erms,-fsrm';

/** What the guest can see of the machine: part of a saved state's key. */
export function machineArguments(spec: MachineSpec): string[] {
  const kernel =
    spec.accel === 'tcg'
      ? [...KERNEL_ARGUMENTS, `tsc_early_khz=${spec.tscKhz}`, 'tsc=reliable', 'norandmaps']
      : KERNEL_ARGUMENTS;
  return [
    ...['-M', 'microvm,rtc=on,memory-backend=ram', '-accel', spec.accel],
    ...['-cpu', spec.accel === 'kvm' ? 'host' : EMULATED_CPU, '-smp', String(spec.cpus)],
    ...['-m', `${spec.memoryMib}M`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-monitor', 'none', '-parallel', 'none'],
    ...['-no-reboot', '-global', 'virtio-mmio.force-legacy=false'],
    ...['-kernel', JAIL.kernel, '-initrd', JAIL.initramfs, '-append', kernel.join(' ')],
    ...['-device', 'virtio-serial-device,max_ports=2'],
    ...['-device', `virtserialport,chardev=agent,name=${PORT_NAME}`],
    ...['-device', 'virtio-blk-device,drive=project,serial=project'],
    ...['-device', 'virtio-blk-device,drive=scratch,serial=scratch'],
    ...['-device', `virtio-9p-device,fsdev=tree,mount_tag=${TREE_TAG}`],
    ...['-device', 'virtio-rng-device,rng=rng'],
  ];
}

/** What connects the machine to this host: files, sockets, and how QEMU confines itself. */
export function hostArguments(spec: MachineSpec): string[] {
  const run = JAIL.run;
  const size = `${spec.memoryMib}M`;
  const memory =
    spec.memory.kind === 'fresh'
      ? `memory-backend-ram,id=ram,size=${size}`
      : `memory-backend-file,id=ram,size=${size},mem-path=${spec.memory.path},share=${spec.memory.isShared ? 'on' : 'off'}`;
  return [
    ...['-object', memory],
    ...['-chardev', 'stdio,id=console,signal=off', '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=agent,path=${run}/${JAIL.agent},server=on,wait=off`],
    ...[
      '-chardev',
      `socket,id=qmp,path=${run}/${JAIL.qmp},server=on,wait=off`,
      '-mon',
      'chardev=qmp,mode=control',
    ],
    // Locking is off because two sandboxes may share no disk, and the jail's file system may not offer locks.
    ...['-drive', `if=none,id=project,file=${run}/${JAIL.project},format=raw,readonly=on,file.locking=off`],
    // A full host disk is an error that the guest sees, not a stopped machine that looks hung.
    ...[
      '-drive',
      `if=none,id=scratch,file=${run}/${JAIL.scratch},format=raw,file.locking=off,cache=unsafe,discard=unmap,detect-zeroes=unmap,werror=report,rerror=report`,
    ],
    ...['-fsdev', `local,id=tree,path=${JAIL.tree},security_model=none,readonly=on,multidevs=remap`],
    ...['-object', 'rng-random,id=rng,filename=/dev/urandom'],
    ...['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ...(spec.incoming ? ['-S', '-incoming', 'defer'] : []),
  ];
}
