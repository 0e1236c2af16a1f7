/**
 * The whole chain as a git bundle. `git clone` takes it: the entries are a branch `ledger`, snapshots are tags. It stands alone, also
 * while the ledger still borrows from the project. Names that git refuses stay coded as in the ledger (docs/ledger-json.md).
 */
import { createReadStream, createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { runGit } from '../git/git-program.ts';
import type { ObjectFormat } from '../git/object-id.ts';
import type { Entry } from './ledger.ts';

const PACK_MS = 30 * 60_000;
const BRANCH = 'refs/heads/ledger';

interface BundleOptions {
  ledgerDir: HostPath;
  objectFormat: ObjectFormat;
  /** All entries, oldest first. */
  entries: readonly Entry[];
  /** Where the bundle goes: a file that is not there, whose folder is. */
  file: HostPath;
  signal?: AbortSignal;
}

/**
 * Writes the bundle; on any throw there is no file. Throws `environment/tool-missing` without git, `ledger/damaged` when
 * objects are missing, `environment/disk-full`.
 */
export async function writeBundle(options: BundleOptions): Promise<void> {
  const { entries, file, objectFormat } = options;
  const head = entries.at(-1);
  if (head === undefined) throw new SafeCoderError('ledger/no-such-entry', 'The ledger has no entry yet.');
  const folder = mkdtempSync(join(dirname(file), '.safe-coder-bundle-'));
  try {
    const pack = await writePack(options, head, join(folder, 'b'));
    const out = createWriteStream(file, { flags: 'wx', mode: 0o600 });
    out.write(formatHeader(objectFormat, head, entries));
    await pipeline(createReadStream(pack), out);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All objects that the head reaches, in one pack. */
async function writePack(options: BundleOptions, head: Entry, prefix: string): Promise<string> {
  const { exitCode, stderr } = await runGit({
    gitDir: options.ledgerDir,
    args: ['pack-objects', '--revs', '--quiet', '--delta-base-offset', prefix],
    input: Buffer.from(`${head.id}\n`),
    timeoutMs: PACK_MS,
    ...(options.signal && { signal: options.signal }),
  });
  const name = readdirSync(dirname(prefix)).find((each) => each.endsWith('.pack'));
  if (exitCode === 0 && name !== undefined) return join(dirname(prefix), name);
  throw new SafeCoderError('ledger/damaged', 'The ledger could not be packed into a bundle.', {
    hint: `Run "safe-coder log --verify" to see what is wrong. Git says: ${stderr.trim().slice(0, 500)}`,
  });
}

/** Version 2 knows SHA-1 only. HEAD tells `git clone` what to check out. */
function formatHeader(format: ObjectFormat, head: Entry, entries: readonly Entry[]): string {
  const first = format === 'sha1' ? '# v2 git bundle\n' : `# v3 git bundle\n@object-format=${format}\n`;
  const tags = [...tagsOf(entries)].map(([name, id]) => `${id} refs/tags/${name}\n`);
  return `${first}${head.id} HEAD\n${head.id} ${BRANCH}\n${tags.join('')}\n`;
}

/** Labels of snapshots as names of tags; what git would not take becomes a hyphen, and the newest of one name counts. */
function tagsOf(entries: readonly Entry[]): Map<string, string> {
  const tags = new Map<string, string>();
  for (const { id, trailers } of entries) {
    if (trailers.kind !== 'snapshot' || trailers.label === undefined) continue;
    const name = trailers.label.replace(/[^A-Za-z0-9_]+/g, '-').replace(/^-+|-+$/g, '');
    if (name !== '') tags.set(`snapshot-${name}`, id);
  }
  return tags;
}
