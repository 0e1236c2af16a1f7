/** pip: the index it is set to, or the one it was built with. */
import {
  askManager,
  type HostSettings,
  type ManagerSettings,
  NOTHING,
  noteCredentials,
  readAddress,
} from './manager.ts';

const FILE = '/etc/safe-coder/pip.conf';
/** Prints the built-in index and the host that its files are on, then what the settings say, a line each. */
const ASK = [
  'from pip._internal.configuration import Configuration',
  'from pip._internal.models.index import PyPI',
  'print("default", PyPI.simple_url)',
  'print("files", "https://" + PyPI.file_storage_domain)',
  'c = Configuration(isolated=False)',
  'c.load()',
  'flat = dict(c.items())',
  'flat = flat if not any(isinstance(v, dict) for v in flat.values()) else {k: v for d in flat.values() for k, v in d.items()}',
  '[print(k, v) for k, v in flat.items() if k.split(".")[-1] in ("index-url", "extra-index-url")]',
].join('\n');

export async function pipSettings(host: HostSettings): Promise<ManagerSettings> {
  const answer = await askManager('python3', ['-I', '-c', ASK], host);
  return answer === undefined ? NOTHING : readPipAnswer(answer);
}

export function readPipAnswer(text: string): ManagerSettings {
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const of = (name: string) =>
    lines.flatMap(([key, ...values]) => (key === name || key?.endsWith(`.${name}`) ? values : []));
  const known = (texts: string[]) => texts.map(readAddress).filter((address) => address !== undefined);
  const index = known(of('index-url'));
  const extra = known(of('extra-index-url'));
  // With an index of the person's own, the built-in one is not asked.
  const builtIn = index.length > 0 ? [] : known([...of('default'), ...of('files')]);
  const all = [...index, ...extra, ...builtIn];
  if (all.length === 0) return NOTHING;
  const setting = (name: string, addresses: typeof all) =>
    addresses.length === 0 ? '' : `${name} = ${addresses.map(({ url }) => url).join(' ')}\n`;
  return {
    rules: all.map(({ rule }) => rule),
    files: [
      {
        path: FILE,
        text: `[global]\n${setting('index-url', index.slice(-1))}${setting('extra-index-url', extra)}`,
      },
    ],
    env: { PIP_CONFIG_FILE: FILE, PIP_DISABLE_PIP_VERSION_CHECK: '1' },
    notes: noteCredentials(all),
  };
}
