/** npm, and pnpm and yarn where they read the same settings. */
import {
  askManager,
  type HostSettings,
  type ManagerSettings,
  NOTHING,
  noteCredentials,
  readAddress,
} from './manager.ts';

const FILE = '/etc/safe-coder/npmrc';

export async function npmSettings(host: HostSettings): Promise<ManagerSettings> {
  const answer = await askManager('npm', ['config', 'list', '--long', '--json'], host);
  return answer === undefined ? NOTHING : readNpmConfig(answer);
}

export function readNpmConfig(json: string): ManagerSettings {
  const settings = parseObject(json);
  const found = Object.entries(settings).flatMap(([key, value]) => {
    // The registry itself, and those of scopes. Nothing else of a person's settings is the guest's business.
    if (!/^(?:@[a-z0-9~][a-z0-9._~-]*:)?registry$/i.test(key) || typeof value !== 'string') return [];
    const address = readAddress(value);
    return address === undefined ? [] : [{ key, address }];
  });
  if (found.length === 0) return NOTHING;
  const lines = found.map(({ key, address }) => `${key}=${address.url}\n`);
  return {
    rules: found.map(({ address }) => address.rule),
    files: [{ path: FILE, text: `${lines.join('')}audit=false\nfund=false\nupdate-notifier=false\n` }],
    env: { NPM_CONFIG_GLOBALCONFIG: FILE },
    notes: noteCredentials(found.map(({ address }) => address)),
  };
}

function parseObject(json: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(json);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    // A manager that answers with something else has nothing to offer.
    return {};
  }
}
