/** The project's own folder is in nothing that a guest is shown. */
import type { PreparedToolchain } from '../image/toolchain.ts';

interface Shown {
  toolchain: PreparedToolchain;
  rootLinks: { name: string; target: string | undefined }[];
  project?: string;
}

/**
 * Arguments for bwrap: an empty folder over the project where it lies in something shown, such as /usr/src/app: below the copy's mount,
 * which the guest's root can take away, would be the real one, with what was withheld from the copy. `tree` is
 * where the guest's root is put together.
 */
export function hideProject({ project, rootLinks, toolchain }: Shown, tree: string): string[] {
  if (project === undefined) return [];
  const shown = [
    { from: '/usr', to: '/usr' },
    ...rootLinks
      .filter((link) => link.target === undefined)
      .map(({ name }) => ({ from: `/${name}`, to: `/${name}` })),
    ...toolchain.binds.map(({ from, at }) => ({ from, to: `${tree}${at}` })),
  ];
  return shown
    .filter(({ from }) => `${project}/`.startsWith(`${from}/`))
    .flatMap(({ from, to }) => ['--tmpfs', `${to}${project.slice(from.length)}`]);
}
