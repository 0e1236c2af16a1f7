/**
 * Descriptors that whoever started us left open for all programs to come: a terminal's log, a lock, a socket. Node
 * closes its own in what it starts, but not those.
 */
import { readdirSync, readFileSync } from 'node:fs';

const CLOSE_ON_EXEC = 0o2000000;

/**
 * `stdio` for a process that must get nothing but what is named in it: what would be inherited is covered by `cover`, a
 * descriptor of /dev/null.
 */
export function onlyThese<T>(stdio: readonly T[], cover: number): (T | number | 'ignore')[] {
  const all: (T | number | 'ignore')[] = [...stdio];
  for (const fd of inherited()) {
    while (all.length < fd) all.push('ignore');
    if (all.length === fd) all.push(cover);
  }
  return all;
}

/** In ascending order; those below 3 are always given. */
function inherited(): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && isInherited(fd))
    .sort((one, two) => one - two);
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1];
    return flags !== undefined && (Number.parseInt(flags, 8) & CLOSE_ON_EXEC) === 0;
  } catch {
    // The descriptor that listed the folder: closed by now.
    return false;
  }
}
