/** Finds renames among added and deleted files: the same bytes first, then similar text, within a fixed budget of work. */
import type { RelPath } from '../base/path-bytes.ts';
import type { Change, FileState } from '../diff/change-set.ts';
import { similarity } from '../diff/similarity.ts';
import { sortChanges } from './compare-trees.ts';

/** More candidates than this on either side are not compared for similarity; exact renames are found all the same. */
const MAX_CANDIDATES = 200;
const MAX_FILE_BYTES = 512 << 10;
const MAX_TOTAL_BYTES = 32 << 20;
const LEAST_SIMILARITY = 0.5;

export interface RenameSource {
  readBlob(oid: string): Promise<Buffer>;
  /** Id of the empty blob: empty files are alike without being the same. */
  emptyBlob: string;
}

type Deleted = Change & { before: FileState };
type Added = Change & { after: FileState };

/** The changes with renames put in the place of the deletions and additions that they explain. Sorted by path. */
export async function findRenames(changes: readonly Change[], source: RenameSource): Promise<Change[]> {
  const deleted = new Set(changes.filter(isDeletedFile));
  const added = new Set(changes.filter(isAddedFile));
  const renames = pairExact(deleted, added, source.emptyBlob);
  renames.push(...(await pairSimilar(deleted, added, source)));
  const gone = new Set<RelPath | undefined>(renames.map((rename) => rename.from));
  const come = new Set<RelPath>(renames.map((rename) => rename.path));
  const rest = changes.filter(
    (change) =>
      !(change.kind === 'deleted' && gone.has(change.path)) &&
      !(change.kind === 'added' && come.has(change.path)),
  );
  return sortChanges([...rest, ...renames]);
}

function isDeletedFile(change: Change): change is Deleted {
  return change.kind === 'deleted' && change.before !== undefined && change.before.mode !== '120000';
}

function isAddedFile(change: Change): change is Added {
  return change.kind === 'added' && change.after !== undefined && change.after.mode !== '120000';
}

function pairExact(deleted: Set<Deleted>, added: Set<Added>, emptyBlob: string): Change[] {
  const byOid = new Map<string, Deleted[]>();
  for (const change of deleted) {
    if (change.before.oid === emptyBlob) continue;
    const same = byOid.get(change.before.oid);
    if (same) same.push(change);
    else byOid.set(change.before.oid, [change]);
  }
  const renames: Change[] = [];
  for (const to of [...added]) {
    const same = byOid.get(to.after.oid);
    if (same === undefined || same.length === 0) continue;
    const at = Math.max(
      0,
      same.findIndex((from) => nameOf(from.path) === nameOf(to.path)),
    );
    const [from] = same.splice(at, 1);
    if (from !== undefined) renames.push(take(deleted, added, from, to));
  }
  return renames;
}

async function pairSimilar(
  deleted: Set<Deleted>,
  added: Set<Added>,
  source: RenameSource,
): Promise<Change[]> {
  if (deleted.size === 0 || added.size === 0) return [];
  if (deleted.size > MAX_CANDIDATES || added.size > MAX_CANDIDATES) return [];
  const budget = { left: MAX_TOTAL_BYTES };
  const before = await readAll([...deleted], (change) => change.before.oid, source, budget);
  const after = await readAll([...added], (change) => change.after.oid, source, budget);
  const pairs: { from: Deleted; to: Added; score: number }[] = [];
  for (const [from, old] of before) {
    for (const [to, now] of after) {
      const score = similarity(old, now, LEAST_SIMILARITY);
      if (score >= LEAST_SIMILARITY) pairs.push({ from, to, score });
    }
  }
  pairs.sort((a, b) => b.score - a.score || Number(isSameName(b)) - Number(isSameName(a)));
  const renames: Change[] = [];
  for (const { from, to } of pairs) {
    if (deleted.has(from) && added.has(to)) renames.push(take(deleted, added, from, to));
  }
  return renames;
}

function take(deleted: Set<Deleted>, added: Set<Added>, from: Deleted, to: Added): Change {
  deleted.delete(from);
  added.delete(to);
  return { path: to.path, kind: 'renamed', from: from.path, before: from.before, after: to.after };
}

async function readAll<T extends Change>(
  changes: readonly T[],
  oidOf: (change: T) => string,
  source: RenameSource,
  budget: { left: number },
): Promise<Map<T, Buffer>> {
  const texts = new Map<T, Buffer>();
  for (const change of changes) {
    if (oidOf(change) === source.emptyBlob || budget.left <= 0) continue;
    const bytes = await source.readBlob(oidOf(change));
    budget.left -= bytes.length;
    if (bytes.length <= MAX_FILE_BYTES) texts.set(change, bytes);
  }
  return texts;
}

function isSameName(pair: { from: Change; to: Change }): boolean {
  return nameOf(pair.from.path) === nameOf(pair.to.path);
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
