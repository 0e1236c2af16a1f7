/**
 * Borrowing blobs from the project's own repository by git's alternates, and giving up the loan. The repository may be
 * hostile: what is taken from it is asked for by hash, checked on every read, and git is given a deadline.
 */
import { existsSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isSafeCoderError, SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { syncFolder, writeFailure } from '../git/durable.ts';
import { runGit } from '../git/git-program.ts';
import { hashObject } from '../git/object-id.ts';
import type { ObjectStore } from '../git/object-store.ts';
import { type PackWriter, TEMPORARY_PREFIX } from '../git/pack-writer.ts';
import { parseTree } from '../git/tree.ts';
import { copyBorrowed } from './copy-borrowed.ts';
import { writeNewFile } from './layout.ts';

const CHECK_MS = 30_000;
/** Blobs asked for at once when the loan ends; each may be as large as a file in the ledger. */
const READ_AHEAD = 16;
/** Starting two processes pays from here on. */
const BULK_FROM = 200;

/** Which of `oids` can be had from `objectsDir`; the ledger borrows from there afterwards, unless it is none. */
export async function borrowObjects(options: {
  ledgerDir: HostPath;
  objectsDir: HostPath;
  oids: ReadonlySet<string>;
  sync: boolean;
}): Promise<Set<string>> {
  const { ledgerDir, objectsDir, oids } = options;
  if (oids.size === 0 || !isPlainObjectStore(objectsDir)) return new Set();
  await writeAlternates(ledgerDir, objectsDir, options.sync);
  const present = await findBlobs(ledgerDir, oids);
  if (present.size === 0) await removeAlternates(ledgerDir, options.sync);
  return present;
}

/** Copies what is borrowed into `pack`, checks that the ledger has all it names, and ends the loan. */
export async function settleObjects(options: {
  ledgerDir: HostPath;
  store: ObjectStore;
  trees: readonly string[];
  pack: PackWriter;
  sync: boolean;
  originals: ReadOriginal | undefined;
}): Promise<number> {
  const { ledgerDir, store } = options;
  using pack = options.pack;
  if (!existsSync(alternatesPath(ledgerDir))) return 0;
  store.rescan();
  const borrowed = [...(await blobsOf(store, options.trees))].filter((oid) => !store.hasPacked(oid));
  if (borrowed.length >= BULK_FROM) {
    const { packFolder, format } = store;
    if (await copyBorrowed({ ledgerDir, packFolder, format, oids: borrowed, sync: options.sync })) {
      store.rescan();
      await removeAlternates(ledgerDir, options.sync);
      return borrowed.length;
    }
  }
  const lost: unknown[] = [];
  for (let at = 0; at < borrowed.length; at += READ_AHEAD) {
    const some = borrowed.slice(at, at + READ_AHEAD);
    const blobs = await Promise.allSettled(some.map((oid) => readBorrowed(store, oid, options.originals)));
    for (const blob of blobs) {
      if (blob.status === 'fulfilled') pack.add('blob', blob.value);
      else lost.push(blob.reason);
    }
  }
  const copied = pack.count;
  if (copied > 0) store.adopt(await pack.install({ sync: options.sync }));
  // One bad object must not keep the others from being saved; the loan stays, since it may be mended yet.
  if (lost.length > 0) throw lostObjects(lost);
  store.rescan();
  const missing = borrowed.find((oid) => !store.hasPacked(oid));
  if (missing !== undefined)
    throw new SafeCoderError('bug', `Object ${missing} was copied and is not there.`);
  await removeAlternates(ledgerDir, options.sync);
  return copied;
}

/** Only folders and plain files where git would open files: a pipe in their place would hang it. */
function isPlainObjectStore(objectsDir: HostPath): boolean {
  if (!objectsDir.startsWith('/') || /[\n\r\0]/.test(objectsDir)) return false;
  try {
    if (!lstatSync(objectsDir).isDirectory()) return false;
    for (const folder of ['pack', 'info']) {
      const path = join(objectsDir, folder);
      if (!existsSync(path)) continue;
      if (!lstatSync(path).isDirectory()) return false;
      const entries = readdirSync(path, { withFileTypes: true });
      if (entries.some((entry) => !entry.isFile() && !entry.isDirectory())) return false;
    }
    return true;
  } catch {
    // Unreadable: nothing is borrowed, and the bytes are stored here.
    return false;
  }
}

async function findBlobs(ledgerDir: HostPath, oids: ReadonlySet<string>): Promise<Set<string>> {
  try {
    const { exitCode, stdout } = await runGit({
      gitDir: ledgerDir,
      args: ['cat-file', '--batch-check=%(objectname) %(objecttype)'],
      input: Buffer.from(`${[...oids].join('\n')}\n`, 'latin1'),
      timeoutMs: CHECK_MS,
    });
    if (exitCode !== 0) return new Set();
    const lines = stdout.toString('latin1').split('\n');
    const blobs = lines
      .filter((line) => line.endsWith(' blob'))
      .map((line) => line.slice(0, -' blob'.length));
    return new Set(blobs.filter((oid) => oids.has(oid)));
  } catch (error) {
    // A repository that git can't read in time is one not to borrow from.
    if (isSafeCoderError(error, 'environment/tool-failed')) return new Set();
    throw error;
  }
}

async function blobsOf(store: ObjectStore, trees: readonly string[]): Promise<Set<string>> {
  const blobs = new Set<string>();
  const seen = new Set<string>();
  const waiting = [...trees];
  for (let tree = waiting.pop(); tree !== undefined; tree = waiting.pop()) {
    if (seen.has(tree)) continue;
    seen.add(tree);
    for (const entry of parseTree(store.format, await store.read(tree, 'tree'))) {
      if (entry.mode === '40000') waiting.push(entry.oid);
      else blobs.add(entry.oid);
    }
  }
  return blobs;
}

function lostObjects(reasons: readonly unknown[]): SafeCoderError {
  const [first] = reasons;
  if (!isSafeCoderError(first, 'ledger/damaged')) return toSafeCoderError(first);
  const count = reasons.length === 1 ? 'A file' : `${reasons.length} files`;
  return new SafeCoderError(
    'ledger/damaged',
    `${count} of the project could not be copied into the ledger.`,
    {
      cause: first,
      hint: 'Run "git fsck" in the project: its object store lacks or has damaged what its index names.',
    },
  );
}

/** Bytes of a blob by its id, from another place than an object store; the asker checks them. */
export type ReadOriginal = (oid: string) => Promise<Buffer | undefined>;

/** A blob that is the ledger's own or borrowed, or whose bytes are elsewhere. Throws `ledger/damaged`. */
export async function readBorrowed(
  store: ObjectStore,
  oid: string,
  originals: ReadOriginal | undefined,
): Promise<Buffer> {
  try {
    return await store.read(oid, 'blob');
  } catch (error) {
    const bytes = isSafeCoderError(error, 'ledger/damaged') ? await originals?.(oid) : undefined;
    if (bytes === undefined || hashObject(store.format, 'blob', bytes) !== oid) throw error;
    return bytes;
  }
}

function alternatesPath(ledgerDir: HostPath): string {
  return join(ledgerDir, 'objects/info/alternates');
}

async function writeAlternates(ledgerDir: HostPath, objectsDir: HostPath, sync: boolean): Promise<void> {
  const path = alternatesPath(ledgerDir);
  const temporary = join(ledgerDir, 'objects/info', `${TEMPORARY_PREFIX}alternates`);
  try {
    rmSync(temporary, { force: true });
    await writeNewFile(temporary, `${objectsDir}\n`, { sync });
    renameSync(temporary, path);
    if (sync) await syncFolder(join(ledgerDir, 'objects/info'));
  } catch (error) {
    throw writeFailure(error, 'where it borrows from');
  }
}

async function removeAlternates(ledgerDir: HostPath, sync: boolean): Promise<void> {
  rmSync(alternatesPath(ledgerDir), { force: true });
  if (sync) await syncFolder(join(ledgerDir, 'objects/info'));
}
