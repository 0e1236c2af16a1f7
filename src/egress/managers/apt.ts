/** apt: the sources of the machine, whose programs the guest has. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Address,
  type GuestFile,
  type ManagerSettings,
  NOTHING,
  noteCredentials,
  readAddress,
  readSettings,
} from './manager.ts';

const MOST_FILES = 64;

/** `root` is where /etc/apt is. */
export function aptSettings(root = '/etc/apt'): ManagerSettings {
  const files: GuestFile[] = [];
  const addresses: Address[] = [];
  for (const name of [
    'sources.list',
    ...namesIn(join(root, 'sources.list.d')).filter((name) => /\.(?:list|sources)$/.test(name)),
  ].slice(0, MOST_FILES)) {
    const text = readSettings(join(root, name));
    if (text === undefined) continue;
    const cleaned = cleanSources(text, addresses);
    if (cleaned !== undefined) files.push({ path: `/etc/apt/${name}`, text: cleaned, isSystem: true });
  }
  if (files.length === 0) return NOTHING;
  // It names users of the host, whom the guest doesn't have; dpkg then refuses to install anything.
  files.push({ path: '/var/lib/dpkg/statoverride', text: '', isSystem: true });
  const options = optionLines(root);
  if (options !== '') files.push({ path: '/etc/apt/apt.conf.d/90safe-coder', text: options, isSystem: true });
  return { rules: addresses.map(({ rule }) => rule), files, env: {}, notes: noteCredentials(addresses) };
}

/** The text with credentials taken out of its addresses; undefined when it names nothing on the web. */
function cleanSources(text: string, addresses: Address[]): string | undefined {
  let count = 0;
  const cleaned = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .map((line) =>
      line.replace(/https?:\/\/[^\s\]]+/gi, (found) => {
        const address = readAddress(found);
        if (address === undefined) return found;
        count += 1;
        addresses.push(address);
        return address.url;
      }),
    );
  return count === 0 ? undefined : cleaned.join('\n');
}

/** Of the machine's options only those that say how lists are checked: others run programs or hold secrets. */
function optionLines(root: string): string {
  const lines = namesIn(join(root, 'apt.conf.d')).flatMap((name) =>
    (readSettings(join(root, name)) ?? '')
      .split('\n')
      .filter((line) => /^Acquire::Check-[A-Za-z-]+ "?(?:true|false)"?;\s*$/.test(line)),
  );
  return lines.map((line) => `${line}\n`).join('');
}

function namesIn(folder: string): string[] {
  try {
    const names = readdirSync(folder).filter(
      (name) => /^[A-Za-z0-9_.-]+$/.test(name) && !name.startsWith('.'),
    );
    return names
      .sort()
      .map((name) => (folder.endsWith('sources.list.d') ? `sources.list.d/${name}` : `apt.conf.d/${name}`));
  } catch {
    // No such folder: this machine has no apt, or keeps everything in one file.
    return [];
  }
}
