/**
 * The jail that QEMU runs in: bubblewrap with no network, no capability, nothing of the host but what the machine is
 * made of, read-only, and one writable folder. A QEMU that a guest has taken over finds nothing worth having.
 */
import type { HostPath } from '../../base/path-bytes.ts';
import type { PreparedToolchain } from '../../image/toolchain.ts';
import { hideProject } from '../hide-project.ts';
import { JAIL } from './machine.ts';

export interface JailSpec {
  runDir: HostPath;
  kernel: HostPath;
  initramfs: HostPath;
  toolchain: PreparedToolchain;
  /** Folders and links at the root that programs are loaded through: `usr` and, on older layouts, `lib` and others. */
  rootLinks: { name: string; target: string | undefined }[];
  /** The project's own folder, where the machine is for one: it shows nowhere in the tree, as the guest has its copy. */
  project?: string;
  usesKvm: boolean;
}

/** Arguments for bwrap, up to the command. */
export function jailArguments(spec: JailSpec): string[] {
  return [
    ...['--unshare-all', '--die-with-parent', '--new-session', '--clearenv', '--cap-drop', 'ALL'],
    // The person's files appear as root's in the tree, as they should in a root file system. It is a name only.
    ...['--uid', '0', '--gid', '0', '--hostname', 'vm'],
    ...['--setenv', 'PATH', '/usr/bin:/bin', '--setenv', 'LC_ALL', 'C'],
    // Few heaps: each keeps 64 MB of address space in reserve, which is limited.
    ...['--setenv', 'MALLOC_ARENA_MAX', '4'],
    ...['--ro-bind', '/usr', '/usr'],
    ...spec.rootLinks.flatMap((link) =>
      link.target === undefined
        ? ['--ro-bind', `/${link.name}`, `/${link.name}`]
        : ['--symlink', link.target, `/${link.name}`],
    ),
    ...['--ro-bind-try', '/etc/ld.so.cache', '/etc/ld.so.cache', '--dev', '/dev'],
    // QEMU's 9p reads attributes through /proc/self/fd; this one shows the jail's own processes only.
    ...['--proc', '/proc'],
    ...(spec.usesKvm ? ['--dev-bind', '/dev/kvm', '/dev/kvm'] : []),
    ...['--ro-bind', spec.kernel, JAIL.kernel, '--ro-bind', spec.initramfs, JAIL.initramfs],
    ...['--ro-bind', spec.toolchain.base, JAIL.tree],
    ...spec.toolchain.binds.flatMap((bind) => ['--ro-bind', bind.from, `${JAIL.tree}${bind.at}`]),
    ...hideProject(spec, JAIL.tree),
    ...['--bind', spec.runDir, JAIL.run, '--chdir', '/', '--remount-ro', '/'],
  ];
}
