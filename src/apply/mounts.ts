/** Where other things are mounted inside a project: such a name can be neither replaced nor removed. */
import { readFileSync } from 'node:fs';
import type { RelPath } from '../base/path-bytes.ts';
import type { HostRoot } from './host-root.ts';

/** Mount points below the root, relative to it. None where the system has no list of them. */
export function mountsBelow(root: HostRoot): ReadonlySet<RelPath> {
  return parseMounts(readMounts(), root.path);
}

function readMounts(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'latin1');
  } catch {
    // No such list here; another file system is still noticed by its device.
    return '';
  }
}

/** Those of /proc/self/mountinfo (see proc(5)) that are below `root`. */
export function parseMounts(text: string, root: string): ReadonlySet<RelPath> {
  const points = text.split('\n').map((line) => unescapeOctal(line.split(' ')[4] ?? ''));
  const below = points.filter((point) => point.startsWith(`${root}/`));
  return new Set(below.map((point) => point.slice(root.length + 1) as RelPath));
}

/** Space, tab, line feed and backslash are written as three octal digits. */
function unescapeOctal(text: string): string {
  const bytes = text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
