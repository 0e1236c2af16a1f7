/** Running commands as an ordinary user from a test that runs as root. */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Nobody's user and group id. */
export const NOBODY = 65534;

const checkout = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const BECOME = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];

/**
 * In a mount namespace of its own: the checkout stays where it is, but what keeps others from it is covered.
 * $0: the checkout, $1: the folder that others can't enter.
 */
const UNCOVER = `set -e
mount --bind "$0" /mnt
mount -t tmpfs -o mode=755 tmpfs "$1"
mkdir -p "$0"
mount --bind /mnt "$0"
shift
exec "$@"`;

/** True when this test can become somebody else. */
export function canBecomeOrdinary(): boolean {
  return process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).error === undefined;
}

/** What goes before a command to run it as nobody, also from a checkout below a folder that only root may enter. */
export function asOrdinaryUser(): string[] {
  const closed = outermostClosed();
  return closed === undefined ? BECOME : ['unshare', '-m', 'sh', '-c', UNCOVER, checkout, closed, ...BECOME];
}

function outermostClosed(): string | undefined {
  let closed: string | undefined;
  for (let folder = checkout; folder !== '/'; folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o005) !== 0o005) closed = folder;
  }
  return closed;
}
