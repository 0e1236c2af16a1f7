/** Writing a ledger: one writer, entries only added, each on the disk before its promise resolves. */
import { SafeCoderError } from '../base/errors.ts';
import { once } from '../base/lifetime.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import { hashObject, isOid } from '../git/object-id.ts';
import type { PackWriter } from '../git/pack-writer.ts';
import { borrowObjects, type ReadOriginal, readBorrowed, settleObjects } from './borrow.ts';
import { buildTree } from './build-tree.ts';
import { encodeEntry, encodeSkippedList, parseEntry, readEntry } from './entry.ts';
import { keepReachable, prepareHead } from './head-ref.ts';
import { HeadSealer } from './head-sealer.ts';
import { Incoming } from './incoming.ts';
import { createLayout, LISTS_FOLDER, readHead, sweepLeftovers, TREES_FOLDER } from './layout.ts';
import type { Entry, EntryInput, EntryTrailers, TreeInput } from './ledger.ts';
import { mergeSmallPacks } from './merge-packs.ts';
import type { SkippedList } from './message.ts';
import { RepositoryReader } from './reader.ts';
import { changeTree, type FolderNode, writeDrafts } from './tree-node.ts';
import { takeWriterLock } from './writer-lock.ts';
import type { CreateOptions, InitialInput, LedgerBlobSink, WriterOptions } from './writer-options.ts';

type EntryFacts = Omit<EntryInput, 'written' | 'removed'>;
/** Makes the entry's tree, hands over the bytes of what is new in it, and returns its root with its id. */
type MakeTree = (write: (bytes: Buffer) => string, packs: readonly PackWriter[]) => Promise<FolderNode>;

/** Makes a new ledger, without an entry yet, and opens it for writing. Throws `ledger/write-failed`. */
export async function createLedger(options: CreateOptions): Promise<LedgerWriter> {
  await createLayout(options.dir, options);
  return LedgerWriter.open(options.dir, options);
}

/** Opens a ledger to add entries; sweeps what a killed writer left. Throws `ledger/busy`, `ledger/damaged`. */
export function openLedgerWriter(dir: HostPath, options: WriterOptions = {}): Promise<LedgerWriter> {
  return LedgerWriter.open(dir, options);
}

export class LedgerWriter extends RepositoryReader {
  readonly #lock: Disposable;
  readonly #sync: boolean;
  readonly #sealer: HeadSealer;
  readonly #incoming: Incoming;
  #head: Entry | undefined;
  #root: FolderNode | undefined;
  #borrowed = new Set<string>();
  #originals: ReadOriginal | undefined;
  #queue: Promise<unknown> = Promise.resolve();
  #isEnded = false;

  private constructor(dir: HostPath, lock: Disposable, options: WriterOptions) {
    super(dir);
    this.#lock = lock;
    this.#sync = options.sync ?? true;
    this.#sealer = new HeadSealer(this, options);
    this.#incoming = new Incoming(this.store, options.maxBytes);
  }

  /** Opens a ledger for writing. Throws `ledger/busy` while another process writes, `ledger/damaged`. */
  static async open(dir: HostPath, options: WriterOptions = {}): Promise<LedgerWriter> {
    const lock = takeWriterLock(dir);
    try {
      sweepLeftovers(dir);
      const writer = new LedgerWriter(dir, lock, options);
      const head = readHead(dir);
      if (head !== undefined) {
        writer.#head = await readEntry(writer.store, head);
        writer.#root = { oid: writer.#head.tree, children: undefined };
      }
      return writer;
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Where captured bytes go. Its blobs become durable with the next entry; those that no entry came for are forgotten when
   * the writer is disposed. `writeBlob` throws `guest/failed` when the size is not as announced, `ledger/write-failed`.
   */
  blobSink(): LedgerBlobSink {
    return {
      objectFormat: this.objectFormat,
      writeBlob: (size, chunks) => {
        this.#throwIfEnded();
        return this.#incoming.addBlob(size, chunks, { isLimited: this.#head !== undefined });
      },
    };
  }

  /** Writes the first entry. Throws `bug` when there is one already, else as {@link append}. */
  commitInitial(input: InitialInput): Promise<Entry> {
    const { files, ...rest } = input;
    return this.#exclusive(async () => {
      if (this.#head !== undefined)
        throw new SafeCoderError('bug', 'The ledger already has its initial entry.');
      const facts = { ...rest, ...this.#sealer.trailer, kind: 'initial' as const };
      return this.#write(facts, async (write, packs) => {
        await this.#checkBlobs(files.values(), packs);
        // A project may be large and most of it never changes: keep its id, read folders again where needed.
        return { oid: buildTree(this.objectFormat, files, write), children: undefined };
      });
    });
  }

  /**
   * Adds an entry, also when nothing changed. It is on the disk when this resolves. Throws `ledger/write-failed` when it can't
   * be written: the chain then is what it was, and the same call may be made again.
   */
  append(input: EntryInput): Promise<Entry> {
    const { written, removed, ...facts } = input;
    return this.#exclusive(async () => {
      const root = this.#root;
      if (root === undefined) throw new SafeCoderError('bug', 'The ledger has no initial entry yet.');
      const entry = await this.#write(facts, async (write, packs) => {
        const read = (oid: string) => this.store.read(oid, 'tree');
        const draft = await changeTree(this.objectFormat, root, { written, removed }, read);
        await this.#checkBlobs(written, packs);
        writeDrafts(this.objectFormat, draft, write);
        return draft;
      });
      return this.#finish(entry);
    });
  }

  /**
   * Adds an entry with a tree that the ledger has already: a rollback or a fork without a running sandbox. Throws
   * `ledger/damaged` when the tree is not in this ledger's own packs, else as {@link append}.
   */
  appendTree(input: TreeInput): Promise<Entry> {
    const { tree, ...facts } = input;
    return this.#exclusive(async () => {
      if (this.#root === undefined) throw new SafeCoderError('bug', 'The ledger has no initial entry yet.');
      this.store.rescan();
      if (!this.store.hasPacked(tree))
        throw new SafeCoderError('ledger/damaged', `The ledger doesn't have the tree ${tree}.`);
      await this.store.read(tree, 'tree');
      return this.#finish(await this.#write(facts, async () => ({ oid: tree, children: undefined })));
    });
  }

  /**
   * Makes a tree out of another one, without an entry: what later changes are compared with, or what the workspace is to be
   * brought to. It is kept, and on the disk when this resolves. New blobs went through the blob sink before. Throws
   * `ledger/write-failed`, `ledger/damaged`.
   */
  writeTree(from: string, { written, removed }: Pick<EntryInput, 'written' | 'removed'>): Promise<string> {
    return this.#exclusive(async () => {
      const { pack, packs } = this.#incoming.take();
      try {
        const read = (oid: string) => this.store.read(oid, 'tree');
        const draft = await changeTree(
          this.objectFormat,
          { oid: from, children: undefined },
          { written, removed },
          read,
        );
        await this.#checkBlobs(written, packs);
        writeDrafts(this.objectFormat, draft, (bytes) => pack.add('tree', bytes));
        await this.#incoming.install(packs, { sync: this.#sync });
        const tree = draft.oid ?? '';
        await keepReachable(this.dir, TREES_FOLDER, tree, { sync: this.#sync });
        return tree;
      } catch (error) {
        this.#incoming.giveBack(packs);
        throw error;
      }
    });
  }

  /** Signs the newest entry, at a session's end. True when it was; why not goes to `onUnsigned`. */
  seal(): Promise<boolean> {
    return this.#exclusive(async () => this.#head !== undefined && this.#sealer.seal(this.#head));
  }

  readonly #end = once(async () => {
    this.#isEnded = true;
    await this.#queue;
    this.#incoming[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
    await super[Symbol.asyncDispose]();
  });

  /** Waits for entries under way, forgets blobs without an entry, and lets go of the lock. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
  }

  /**
   * Uses the objects of the project's own repository instead of copies, until {@link settle}; only before the initial entry.
   * `oids` are blobs whose bytes the caller has hashed itself. Returns those that are there; the others go through the blob
   * sink. Nothing is written to the project's repository.
   */
  borrowObjects(options: { objectsDir: HostPath; oids: ReadonlySet<string> }): Promise<Set<string>> {
    return this.#exclusive(async () => {
      if (this.#head !== undefined)
        throw new SafeCoderError('bug', 'Objects are borrowed before the initial entry.');
      this.#borrowed = await borrowObjects({ ...options, ledgerDir: this.dir, sync: this.#sync });
      return new Set(this.#borrowed);
    });
  }

  /** Where bytes of borrowed objects may still be when the project's repository no longer gives them. They are checked. */
  fallBackOn(read: ReadOriginal): void {
    this.#originals = read;
  }

  override async readBlob(oid: string): Promise<Buffer> {
    return readBorrowed(this.store, oid, this.#originals);
  }

  /**
   * Copies every borrowed object, so that the ledger stands alone. It may be called again, and after a kill. Throws
   * `ledger/damaged` when neither the project's repository nor the originals have an object, and `ledger/write-failed`;
   * objects stay borrowed then. Returns how many were copied.
   */
  settle(): Promise<number> {
    return this.#exclusive(async () => {
      const entries = await this.entries();
      const copied = await settleObjects({
        originals: this.#originals,
        ledgerDir: this.dir,
        store: this.store,
        trees: entries.map((entry) => entry.tree),
        pack: this.#incoming.createPack(),
        sync: this.#sync,
      });
      this.#borrowed.clear();
      return copied;
    });
  }

  async #finish(entry: Entry): Promise<Entry> {
    await mergeSmallPacks(this.store, { sync: this.#sync });
    await this.#sealer.sealKind(entry);
    return entry;
  }

  async #write(facts: EntryFacts, makeTree: MakeTree): Promise<Entry> {
    const { title, at, ...rest } = facts;
    const { pack, packs } = this.#incoming.take();
    try {
      const root = await makeTree((bytes) => pack.add('tree', bytes), packs);
      const list = this.#addSkippedList(pack, rest.skipped);
      const trailers: EntryTrailers = { ...rest, seq: (this.#head?.trailers.seq ?? 0) + 1 };
      const commit = encodeEntry({ title, at, tree: root.oid ?? '', parent: this.#head?.id, trailers }, list);
      // An entry that could not be read back must never become the head.
      const { entry } = parseEntry(hashObject(this.objectFormat, 'commit', commit), commit);
      entry.trailers.skipped = rest.skipped.map((item) => ({ ...item }));
      pack.add('commit', commit);
      // The head's next value waits for the disk together with the objects; it takes effect after them.
      const [prepared, installed] = await Promise.allSettled([
        prepareHead(this.dir, entry.id, { sync: this.#sync }),
        this.#incoming.install(packs, { sync: this.#sync }),
      ]);
      using next = prepared.status === 'fulfilled' ? prepared.value : undefined;
      if (installed.status === 'rejected') throw installed.reason;
      if (next === undefined) throw (prepared as PromiseRejectedResult).reason;
      if (list) await keepReachable(this.dir, LISTS_FOLDER, list.oid, { sync: this.#sync });
      await next.move(this.#head?.id);
      this.#head = entry;
      this.#root = root;
      return entry;
    } catch (error) {
      // What was not installed is still there for another try.
      this.#incoming.giveBack(packs);
      throw error;
    }
  }

  #addSkippedList(pack: PackWriter, skipped: EntryTrailers['skipped']): SkippedList | undefined {
    const bytes = encodeSkippedList(skipped);
    return bytes && { oid: pack.add('blob', bytes), count: skipped.length };
  }

  /** An entry must not name bytes that nobody has. */
  async #checkBlobs(files: Iterable<FileState>, packs: readonly PackWriter[]): Promise<void> {
    for (const { oid } of files) {
      if (packs.some((pack) => pack.has(oid)) || this.store.hasPacked(oid) || this.#borrowed.has(oid))
        continue;
      if (!isOid(this.objectFormat, oid))
        throw new SafeCoderError('bug', `Not an object id: ${JSON.stringify(oid)}.`);
      await this.store.read(oid, 'blob');
    }
  }

  /** One act at a time, in the order asked; a failed one does not stop the next. */
  #exclusive<T>(act: () => Promise<T>): Promise<T> {
    this.#throwIfEnded();
    const result = this.#queue.then(act);
    this.#queue = result.catch(() => {
      // The caller has the error; here it only must not break the queue.
    });
    return result;
  }

  #throwIfEnded(): void {
    if (this.#isEnded) throw new SafeCoderError('bug', 'The ledger was already closed.');
  }
}
