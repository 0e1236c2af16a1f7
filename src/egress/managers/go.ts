/** Go: its module proxies and the database of their digests. */
import {
  askManager,
  type HostSettings,
  type ManagerSettings,
  NOTHING,
  noteCredentials,
  readAddress,
} from './manager.ts';

export async function goSettings(host: HostSettings): Promise<ManagerSettings> {
  const answer = await askManager('go', ['env', 'GOPROXY', 'GOSUMDB'], host);
  return answer === undefined ? NOTHING : readGoAnswer(answer);
}

export function readGoAnswer(text: string): ManagerSettings {
  const [proxies = '', database = ''] = text.split('\n');
  const words = proxies.split(/[,|]/).filter((word) => word !== '');
  const addresses = words.map(readAddress).filter((address) => address !== undefined);
  const digests = readAddress(
    database.includes('://') ? database : `https://${database.split(' ')[0]?.split('+')[0]}`,
  );
  if (addresses.length === 0) return NOTHING;
  // Without "direct": modules are not fetched from wherever their names say.
  return {
    rules: [...addresses, ...(digests === undefined || database === 'off' ? [] : [digests])].map(
      ({ rule }) => rule,
    ),
    files: [],
    env: {
      GOPROXY: addresses.map(({ url }) => url).join(','),
      ...(database === '' ? {} : { GOSUMDB: database }),
    },
    notes: noteCredentials(addresses),
  };
}
