/** Checks that a ledger is whole: every entry, every object that an entry reaches, and the signatures of its heads. */
import { isSafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { parseCommit } from '../git/commit.ts';
import type { ObjectType } from '../git/object-id.ts';
import type { ObjectStore } from '../git/object-store.ts';
import { parseTree } from '../git/tree.ts';
import { checkSignatures, type SignatureVerdict } from './check-signatures.ts';
import { readEntry } from './entry.ts';
import { FaultList } from './fault-list.ts';
import type { Entry, Fault } from './ledger.ts';

export interface Verdict {
  ok: boolean;
  /** Entries that could be read. */
  entries: number;
  /** What is wrong, as sentences. */
  faults: string[];
  /** The same, by kind. */
  found: Fault[];
  signatures: SignatureVerdict;
}

/** What the caller knows besides the ledger itself, and the ledger has to agree with. */
export interface VerifyOptions {
  /** Fingerprint of the key that has to have signed, from the user's settings. */
  signer?: string;
  /** Id that was the head when the session ended: the chain must still contain it. */
  recordedHead?: string;
  /** True when nobody works on the ledger any more: then an entry after the last signature is a fault. */
  isOver?: boolean;
}

export interface VerifiedLedger {
  dir: HostPath;
  session: string;
  store: ObjectStore;
  head: string | undefined;
}

/** Paths are no deeper than this: a system takes 4,096 bytes for one. */
const MAX_DEPTH = 2048;

/** Walks from the head to the initial entry. A broken link ends the walk, since what is before it can't be known. */
export async function verifyLedger(ledger: VerifiedLedger, options: VerifyOptions): Promise<Verdict> {
  // What counts is what is on the disk now, not packs that were there when we opened them.
  ledger.store.rescan();
  const faults = new FaultList();
  const check = new Check(ledger.store, faults);
  const chain: Entry[] = [];
  let id = ledger.head;
  while (id !== undefined && faults.hasRoom) {
    const entry = await check.entry(id);
    if (entry === undefined) break;
    check.sequence(entry, chain.at(-1));
    await check.tree(entry.tree, `entry #${entry.trailers.seq}`, 0);
    chain.push(entry);
    id = entry.parent;
  }
  if (ledger.head === undefined) faults.add('no-entry', 'The ledger has no entry.');
  const { recordedHead } = options;
  if (recordedHead !== undefined && !chain.some((entry) => entry.id === recordedHead) && id === undefined) {
    faults.add(
      'head-moved-back',
      `The session ended with entry ${recordedHead.slice(0, 12)}, which is not in the chain any more.`,
    );
  }
  const signatures = await checkSignatures(ledger, chain, options, faults);
  return {
    ok: faults.all.length === 0,
    entries: chain.length,
    faults: faults.all.map(({ message }) => message),
    found: faults.all,
    signatures,
  };
}

class Check {
  readonly #store: ObjectStore;
  readonly #faults: FaultList;
  readonly #seen = new Set<string>();

  constructor(store: ObjectStore, faults: FaultList) {
    this.#store = store;
    this.#faults = faults;
  }

  async entry(id: string): Promise<Entry | undefined> {
    try {
      // Read for its own sake as well, so that a commit with two parents or strange headers is named.
      parseCommit(await this.#store.read(id, 'commit'));
      return await readEntry(this.#store, id);
    } catch (error) {
      this.#faults.addError(error, `Entry ${id}`);
      return undefined;
    }
  }

  /** Numbers go up by one, the first is 1 and of kind initial, and no other is. */
  sequence(entry: Entry, next: Entry | undefined): void {
    const { seq, kind } = entry.trailers;
    if (next !== undefined && next.trailers.seq !== seq + 1) {
      this.#faults.add('sequence', `Entry #${next.trailers.seq} follows #${seq}.`);
    }
    const isFirst = entry.parent === undefined;
    if (isFirst !== (seq === 1) || isFirst !== (kind === 'initial')) {
      const place = isFirst ? 'the first' : 'not the first';
      this.#faults.add('sequence', `Entry #${seq} of kind ${kind} is ${place} in the chain.`);
    }
  }

  async tree(oid: string, where: string, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) return this.#faults.add('limit', `${where}: folders are nested too deeply.`);
    const bytes = await this.#object(oid, 'tree', where);
    if (bytes === undefined) return;
    let entries: ReturnType<typeof parseTree> = [];
    try {
      entries = parseTree(this.#store.format, bytes);
    } catch (error) {
      this.#faults.addError(error, where);
    }
    for (const entry of entries) {
      if (!this.#faults.hasRoom) return;
      if (entry.mode === '40000') await this.tree(entry.oid, where, depth + 1);
      else await this.#object(entry.oid, 'blob', where);
    }
  }

  /** The object's bytes the first time it is met, if it is sound. */
  async #object(oid: string, type: ObjectType, where: string): Promise<Buffer | undefined> {
    if (this.#seen.has(oid)) return undefined;
    this.#seen.add(oid);
    try {
      return await this.#store.read(oid, type);
    } catch (error) {
      if (!isSafeCoderError(error)) throw error;
      this.#faults.addError(error, where);
      return undefined;
    }
  }
}
