/** What lockfiles say of each package: where it comes from, and by which digest it is known. */

export interface LockEntry {
  /** Addresses, as they stand. */
  sources: string[];
  /** Digests, in one string. */
  digest: string;
}

/** By name and version. */
export type LockEntries = Map<string, LockEntry>;

type Reader = (text: string, put: (key: string, part: Partial<LockEntry>) => void) => void;

const LINE_READERS: Record<string, Reader> = {
  'yarn.lock': readYarn,
  'pnpm-lock.yaml': readPnpm,
  'cargo.lock': readToml,
  'poetry.lock': readToml,
  'uv.lock': readToml,
  'pdm.lock': readToml,
  'go.sum': readGoSum,
  'gemfile.lock': readGemfile,
  'bun.lock': readBun,
};
const JSON_NAMES = new Set([
  'package-lock.json',
  'npm-shrinkwrap.json',
  '.package-lock.json',
  'composer.lock',
  'pipfile.lock',
]);

/** Whether {@link readLock} knows the format of a file of this (folded) name. */
export function isKnownLock(name: string): boolean {
  return JSON_NAMES.has(name) || Object.hasOwn(LINE_READERS, name);
}

/** The entries of a lockfile; undefined when the text is none of that name. Never throws. */
export function readLock(name: string, text: string): LockEntries | undefined {
  const entries: LockEntries = new Map();
  const put = (key: string, part: Partial<LockEntry>) => {
    const entry = entries.get(key) ?? { sources: [], digest: '' };
    entry.sources.push(...(part.sources ?? []));
    if (part.digest) entry.digest += `${entry.digest === '' ? '' : ' '}${part.digest}`;
    entries.set(key, entry);
  };
  const reader = Object.hasOwn(LINE_READERS, name) ? LINE_READERS[name] : undefined;
  if (reader !== undefined) {
    reader(text.replaceAll('\r\n', '\n'), put);
    return entries;
  }
  try {
    readJson(JSON.parse(text), '', put, 0);
    return entries;
  } catch {
    // No JSON, or none that can be walked: the caller says so.
    return undefined;
  }
}

const asText = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** What is read of any object; each may be anything. */
type JsonEntry = Partial<
  Record<
    | 'dist'
    | 'file'
    | 'git'
    | 'hashes'
    | 'integrity'
    | 'name'
    | 'path'
    | 'ref'
    | 'resolved'
    | 'shasum'
    | 'source'
    | 'url'
    | 'version',
    unknown
  >
>;

/** Any object with a version is a package; its name is its own, or the key it stands under. */
function readJson(value: unknown, key: string, put: Parameters<Reader>[1], depth: number): void {
  if (depth > 60 || typeof value !== 'object' || value === null) return;
  const object = value as JsonEntry;
  const dist = (object.dist ?? {}) as JsonEntry;
  const from = (object.source ?? {}) as JsonEntry;
  const version = asText(object.version) ?? (object.git === undefined ? undefined : asText(object.ref));
  if (version !== undefined && depth > 0) {
    const sources = [object.resolved, dist.url, from.url, object.git, object.path, object.file];
    const hashes = Array.isArray(object.hashes) ? object.hashes.map(String).sort().join(' ') : undefined;
    const digest = asText(object.integrity) ?? asText(dist.shasum) ?? hashes;
    put(`${/^\d*$/.test(key) ? (asText(object.name) ?? key) : key}@${version}`, {
      sources: sources.map(asText).filter((each): each is string => each !== undefined && each !== ''),
      ...(digest && { digest }),
    });
  }
  for (const [name, inner] of Object.entries(object)) readJson(inner, name, put, depth + 1);
}

function readYarn(text: string, put: Parameters<Reader>[1]): void {
  let name = '';
  let version = '';
  for (const line of text.split('\n')) {
    if (/^\S/.test(line) && line.endsWith(':'))
      name = /^"?(@?[^@"]{1,300})@/.exec(line)?.[1] ?? line.slice(0, 300);
    const field = /^ {2}"?(version|resolved|resolution|integrity|checksum)"?:? "?([^"\s]+)"?$/.exec(line);
    if (field === null) continue;
    const [, key, value = ''] = field;
    if (key === 'version') version = value;
    const id = `${name}@${version}`;
    if (key === 'resolved') put(id, { sources: [value] });
    else if (key === 'resolution')
      put(id, { sources: /@npm:|@workspace:|@virtual:/.test(value) ? [] : [value] });
    else if (key !== 'version') put(id, { digest: value });
  }
}

function readPnpm(text: string, put: Parameters<Reader>[1]): void {
  let id = '';
  for (const line of text.split('\n')) {
    const head = /^ {2}['"]?\/?([^\s'"]{1,500})['"]?:$/.exec(line);
    if (head) id = head[1] ?? '';
    if (!line.includes('integrity:') && !line.includes('tarball:') && !line.includes('repo:')) continue;
    const integrity = /\bintegrity: ([^,}\s]+)/.exec(line)?.[1];
    const address = /\b(?:tarball|repo): ([^,}\s]+)/.exec(line)?.[1];
    put(id, { ...(integrity && { digest: integrity }), sources: address ? [address] : [] });
  }
}

/** Cargo, Poetry, uv and PDM. */
function readToml(text: string, put: Parameters<Reader>[1]): void {
  let name = '';
  let id = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('[[package]]')) [name, id] = ['', ''];
    const field = /^(name|version|source|checksum|url) = (.+)$/.exec(line);
    const value = field?.[2] ?? '';
    if (field?.[1] === 'name') name = unquote(value);
    else if (field?.[1] === 'version') id = `${name}@${unquote(value)}`;
    else if (field?.[1] === 'checksum') put(id, { digest: unquote(value) });
    else if (field) put(id, { sources: value.match(/(?:[\w+.-]{1,20}:\/\/|\.{0,2}\/)[^"\s]+/g) ?? [] });
    for (const [hash] of field ? [] : line.matchAll(/\bsha(?:256|512):[0-9a-f]{32,128}/g))
      put(id, { digest: hash });
    for (const [, url = ''] of field ? [] : line.matchAll(/\burl = "([^"]+)"/g)) put(id, { sources: [url] });
  }
}

function unquote(value: string): string {
  return value.replace(/^"/, '').replace(/"$/, '');
}

function readGoSum(text: string, put: Parameters<Reader>[1]): void {
  for (const line of text.split('\n')) {
    const [module, version, digest] = line.split(' ');
    if (module && version && digest) put(`${module}@${version}`, { digest });
  }
}

function readGemfile(text: string, put: Parameters<Reader>[1]): void {
  for (const line of text.split('\n')) {
    const remote = /^ {2}remote: (\S+)$/.exec(line)?.[1];
    if (remote !== undefined) put('remote', { sources: [remote] });
    const gem = /^ {2}(\S{1,200}) \(([^)]{1,100})\) (sha\d{3}=\S+)$/.exec(line);
    if (gem) put(`${gem[1]}@${gem[2]}`, { digest: gem[3] ?? '' });
  }
}

/** `"name": ["name@1.0.0", "registry", {…}, "sha512-…"]` */
function readBun(text: string, put: Parameters<Reader>[1]): void {
  for (const line of text.split('\n')) {
    const found = /^\s{1,20}"[^"]{1,300}": \["([^"]{1,500})"(?:, "([^"]*)")?/.exec(line);
    if (found === null) continue;
    const digest = /"(sha\d{3}-[^"]+)"\],?$/.exec(line)?.[1];
    const id = found[1] ?? '';
    const address = found[2] || (/@(?:git|github|https?|file)/.test(id) ? id : undefined);
    put(id, { sources: address ? [address] : [], ...(digest && { digest }) });
  }
}
