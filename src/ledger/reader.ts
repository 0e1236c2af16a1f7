/** Reading a ledger: what log, show, diff, review and apply work from. */
import { SafeCoderError } from '../base/errors.ts';
import type { HostPath, RelPath } from '../base/path-bytes.ts';
import type { ChangeSet, FileState } from '../diff/change-set.ts';
import { hashObject, type ObjectFormat } from '../git/object-id.ts';
import { ObjectStore } from '../git/object-store.ts';
import { bounded, compareTrees, type TreeReader, walkTree } from './compare-trees.ts';
import { readEntry } from './entry.ts';
import { FileFinder } from './find-file.ts';
import { readConfig, readHead } from './layout.ts';
import type { Entry, LedgerReader } from './ledger.ts';
import { ParsedTrees } from './parsed-trees.ts';
import { findRenames } from './renames.ts';
import { type Verdict, type VerifyOptions, verifyLedger } from './verify.ts';

/**
 * Opens a ledger for reading, also while another process writes. It owns files and perhaps a git child: use it with
 * `await using`. Throws `ledger/damaged` when there is none in `dir`.
 */
export async function openLedger(dir: HostPath): Promise<RepositoryReader> {
  return new RepositoryReader(dir);
}

/** A reader sees every entry that is there when it is asked, also while another process writes. */
export class RepositoryReader implements LedgerReader, AsyncDisposable {
  readonly objectFormat: ObjectFormat;
  /** The session whose ledger this is. */
  readonly session: string;
  readonly dir: HostPath;
  protected readonly store: ObjectStore;
  readonly #entries = new Map<string, Entry>();
  readonly #parsedTrees = new ParsedTrees();
  #finder: FileFinder | undefined;

  /** Throws `ledger/damaged` when there is no ledger in `dir`. */
  constructor(dir: HostPath) {
    const config = readConfig(dir);
    this.dir = dir;
    this.objectFormat = config.objectFormat;
    this.session = config.session;
    try {
      this.store = new ObjectStore({ gitDir: dir, format: config.objectFormat });
    } catch (cause) {
      if (cause instanceof SafeCoderError) throw cause;
      throw new SafeCoderError('ledger/damaged', `The ledger's objects in ${dir} can't be read.`, { cause });
    }
  }

  async head(): Promise<Entry> {
    const id = readHead(this.dir);
    if (id === undefined) throw new SafeCoderError('ledger/no-such-entry', 'The ledger has no entry yet.');
    return this.#entry(id);
  }

  async entries(): Promise<Entry[]> {
    const entries: Entry[] = [];
    let id = readHead(this.dir);
    while (id !== undefined) {
      const entry: Entry = await this.#entry(id);
      entries.push(entry);
      id = entry.parent;
    }
    return entries.reverse();
  }

  async resolve(name: string): Promise<Entry> {
    const entries = await this.entries();
    const found = findEntry(entries, name.trim());
    if (found.length === 1 && found[0] !== undefined) return found[0];
    const why = found.length === 0 ? 'There is no entry' : 'More than one entry is meant by';
    throw new SafeCoderError('ledger/no-such-entry', `${why} ${JSON.stringify(name)} in the ledger.`, {
      hint: 'Run "safe-coder log" to see the entries with their numbers.',
    });
  }

  readBlob(oid: string): Promise<Buffer> {
    return this.store.read(oid, 'blob');
  }

  fileAt(tree: string, path: RelPath): Promise<FileState | undefined> {
    this.#finder ??= new FileFinder(this.#trees);
    return this.#finder.find(tree, path);
  }

  async files(tree: string): Promise<Map<RelPath, FileState>> {
    const files = new Map<RelPath, FileState>();
    await walkTree(bounded(this.#trees), tree, (path, state) => files.set(path, state));
    return files;
  }

  async changes(base: string, final: string, options: { renames: boolean }): Promise<ChangeSet> {
    const changes = await compareTrees(bounded(this.#trees), base, final);
    if (!options.renames) return { base, final, changes };
    const emptyBlob = hashObject(this.objectFormat, 'blob', Buffer.alloc(0));
    return {
      base,
      final,
      changes: await findRenames(changes, { readBlob: (oid) => this.readBlob(oid), emptyBlob }),
    };
  }

  verify(options: VerifyOptions = {}): Promise<Verdict> {
    const { dir, session, store } = this;
    return verifyLedger({ dir, session, store, head: readHead(dir) }, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }

  get #trees(): TreeReader {
    return {
      format: this.objectFormat,
      read: (oid) => this.store.read(oid, 'tree'),
      known: this.#parsedTrees,
    };
  }

  async #entry(id: string): Promise<Entry> {
    const known = this.#entries.get(id);
    if (known !== undefined) return known;
    const entry = await readEntry(this.store, id);
    this.#entries.set(id, entry);
    return entry;
  }
}

/** The entries that a name may mean: by number, then the newest snapshot of that label, then by the beginning of an id. */
function findEntry(entries: readonly Entry[], name: string): Entry[] {
  if (name === 'HEAD') return entries.slice(-1);
  const number = /^#?(\d{1,15})$/.exec(name)?.[1];
  if (number !== undefined) {
    const numbered = entries.filter((entry) => entry.trailers.seq === Number(number));
    if (numbered.length > 0 || name.startsWith('#')) return numbered;
  }
  const labelled = entries.findLast(
    ({ trailers }) => trailers.kind === 'snapshot' && trailers.label === name,
  );
  if (labelled) return [labelled];
  return /^[0-9a-f]{4,64}$/.test(name) ? entries.filter((entry) => entry.id.startsWith(name)) : [];
}
