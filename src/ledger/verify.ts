/** Checks that a ledger is whole: every entry, and every object that an entry reaches. */
import { SafeCoderError } from '../base/errors.ts';
import { parseCommit } from '../git/commit.ts';
import type { ObjectType } from '../git/object-id.ts';
import type { ObjectStore } from '../git/object-store.ts';
import { parseTree } from '../git/tree.ts';
import { readEntry } from './entry.ts';
import type { Entry } from './ledger.ts';

export interface Verdict {
  ok: boolean;
  /** Entries that could be read. */
  entries: number;
  /** What is wrong, as sentences. */
  faults: string[];
}

const MAX_FAULTS = 100;

/** Walks from `head` to the initial entry. A broken link ends the walk, since what is before it can't be known. */
export async function verifyLedger(store: ObjectStore, head: string | undefined): Promise<Verdict> {
  // What counts is what is on the disk now, not packs that were there when we opened them.
  store.rescan();
  const check = new Check(store);
  let entries = 0;
  let id = head;
  let next: Entry | undefined;
  while (id !== undefined && check.hasRoom) {
    const entry = await check.entry(id);
    if (entry === undefined) break;
    entries += 1;
    check.sequence(entry, next);
    await check.tree(entry.tree, `entry #${entry.trailers.seq}`);
    next = entry;
    id = entry.parent;
  }
  if (head === undefined) check.fault('The ledger has no entry.');
  return { ok: check.faults.length === 0, entries, faults: check.faults };
}

class Check {
  readonly faults: string[] = [];
  readonly #store: ObjectStore;
  readonly #seen = new Set<string>();

  constructor(store: ObjectStore) {
    this.#store = store;
  }

  get hasRoom(): boolean {
    return this.faults.length < MAX_FAULTS;
  }

  fault(text: string): void {
    if (this.hasRoom) this.faults.push(text);
  }

  async entry(id: string): Promise<Entry | undefined> {
    try {
      // Read for its own sake as well, so that a commit with two parents or strange headers is named.
      parseCommit(await this.#store.read(id, 'commit'));
      return await readEntry(this.#store, id);
    } catch (error) {
      this.fault(`Entry ${id}: ${messageOf(error)}`);
      return undefined;
    }
  }

  /** Numbers go up by one, the first is 1 and of kind initial, and no other is. */
  sequence(entry: Entry, next: Entry | undefined): void {
    const { seq, kind } = entry.trailers;
    if (next !== undefined && next.trailers.seq !== seq + 1) {
      this.fault(`Entry #${next.trailers.seq} follows #${seq}.`);
    }
    const isFirst = entry.parent === undefined;
    if (isFirst !== (seq === 1) || isFirst !== (kind === 'initial')) {
      this.fault(`Entry #${seq} of kind ${kind} is ${isFirst ? 'the first' : 'not the first'} in the chain.`);
    }
  }

  async tree(oid: string, where: string): Promise<void> {
    const bytes = await this.#object(oid, 'tree', where);
    if (bytes === undefined) return;
    let entries: ReturnType<typeof parseTree> = [];
    try {
      entries = parseTree(this.#store.format, bytes);
    } catch (error) {
      this.fault(`${where}: ${messageOf(error)}`);
    }
    for (const entry of entries) {
      if (!this.hasRoom) return;
      if (entry.mode === '40000') await this.tree(entry.oid, where);
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
      this.fault(`${where}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

function messageOf(error: unknown): string {
  if (error instanceof SafeCoderError) return error.message;
  throw error;
}
