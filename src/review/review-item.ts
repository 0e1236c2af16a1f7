/** What there is to decide: each change with its counts, its risks, and whether apply would refuse it. */
import { hash } from 'node:crypto';
import type { ChangeSummary } from '../base/events.ts';
import { throwIfCancelled } from '../base/lifetime.ts';
import { decodePath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { Change, ChangeSet } from '../diff/change-set.ts';
import { findCopies } from '../diff/copies.ts';
import { countChangedLines } from '../diff/count-lines.ts';
import { hashObject } from '../git/object-id.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { findCollisions, pathFault, symlinkFault } from '../policy/apply-path.ts';
import { risksOfSet } from '../policy/risk/of-set.ts';
import type { UserRules } from '../policy/risk/user-rules.ts';
import { riskOf } from '../policy/risk.ts';
import { formatOf } from './accepted.ts';
import { typeOfContent } from './content-type.ts';
import type { ChangeBytes } from './file-hunks.ts';
import { readAhead } from './read-sides.ts';

export interface ReviewItem {
  change: Change;
  /** Lines; both 0 for a binary file. */
  added: number;
  removed: number;
  isBinary: boolean;
  /** Why it wants a closer look; empty when nothing is known. */
  risk: string[];
  /** Why apply refuses it whatever is decided; undefined when it doesn't. */
  refused: string | undefined;
  /** SHA-256 of the bytes that were looked at and that alone may land; undefined for a deletion. */
  sha256: string | undefined;
  /** The project's own ignore rules cover it. */
  isIgnored: boolean;
  /** Bytes of the sides that there are. */
  sizes?: { before?: number; after?: number };
  /** What a binary file holds, in words; undefined for text. */
  contentType?: string;
  /** Of an added file: the old path of a changed file that held the same bytes. */
  copiedFrom?: RelPath;
}

export interface ReviewItemsOptions {
  /** Paths that the project's own rules ignore. */
  ignored?: ReadonlySet<string>;
  /** Rules of the user, which add reasons. */
  userRules?: UserRules;
  signal?: AbortSignal;
}

/** Looks at every change once, one after another. Throws what the ledger's reader throws, and `cancelled`. */
export async function reviewItems(
  changes: ChangeSet,
  ledger: Pick<LedgerReader, 'readBlob'>,
  options: ReviewItemsOptions = {},
): Promise<ReviewItem[]> {
  const set: SetFacts = {
    collisions: findCollisions(changes.changes.filter((c) => c.after).map((c) => c.path)),
    risks: risksOfSet(changes.changes),
    copies: findCopies(changes.changes, emptyBlobLike(changes.changes)),
  };
  const items: ReviewItem[] = [];
  for await (const { change, bytes } of readAhead(changes.changes, (oid) => ledger.readBlob(oid))) {
    throwIfCancelled(options.signal);
    items.push(reviewItem(change, bytes, set, options));
  }
  return items;
}

/** What no single change tells. */
interface SetFacts {
  collisions: ReadonlyMap<string, string>;
  risks: ReadonlyMap<string, string[]>;
  copies: ReadonlyMap<string, RelPath>;
}

function reviewItem(
  change: Change,
  bytes: ChangeBytes,
  set: SetFacts,
  { ignored, userRules }: ReviewItemsOptions,
): ReviewItem {
  const { before, after } = bytes;
  const counts = countLines(change, before ?? NOTHING, after ?? NOTHING);
  const copiedFrom = set.copies.get(change.path);
  return {
    change,
    ...counts,
    risk: [...riskOf(change, bytes, userRules), ...(set.risks.get(change.path) ?? [])],
    refused: refusalOf(change, after, set.collisions),
    sha256: after && hash('sha256', after, 'hex'),
    isIgnored: ignored?.has(change.path) ?? false,
    sizes: { ...(before && { before: before.length }), ...(after && { after: after.length }) },
    ...(counts.isBinary && { contentType: typeOfContent(after ?? before ?? NOTHING) }),
    ...(copiedFrom !== undefined && { copiedFrom }),
  };
}

const NOTHING = Buffer.alloc(0);

/** A symlink has no lines. Where a difference is too large to find, all lines go and all come. */
function countLines(
  { before, after }: Change,
  old: Buffer,
  now: Buffer,
): Pick<ReviewItem, 'added' | 'removed' | 'isBinary'> {
  const isFile = [before, after].some((side) => side !== undefined && side.mode !== '120000');
  if (!isFile) return { added: 0, removed: 0, isBinary: false };
  const counts = countChangedLines(
    before?.mode === '120000' ? NOTHING : old,
    after?.mode === '120000' ? NOTHING : now,
  );
  if (counts.kind === 'binary') return { added: 0, removed: 0, isBinary: true };
  return { added: counts.added, removed: counts.removed, isBinary: false };
}

/** The empty blob's id in the object format of these changes. */
function emptyBlobLike([first]: readonly Change[]): string {
  return first === undefined ? '' : hashObject(formatOf(first), 'blob', NOTHING);
}

function refusalOf(
  change: Change,
  after: Buffer | undefined,
  collisions: ReadonlyMap<string, string>,
): string | undefined {
  const nameFault = pathFault(change.path) ?? (change.from && pathFault(change.from));
  if (nameFault) return nameFault;
  const rival = collisions.get(change.path);
  if (rival !== undefined) return `its name collides with ${showPath(rival)}`;
  if (change.after?.mode !== '120000' || after === undefined) return undefined;
  return symlinkFault(change.path, decodePath(after));
}

/** The item in the form that events and `--json` have; see docs/changes-json.md. */
export function toSummary(item: ReviewItem): ChangeSummary {
  const { path, kind, from, before, after } = item.change;
  const { sizes, contentType, copiedFrom } = item;
  return {
    path,
    change: kind,
    ...(from !== undefined && { from }),
    ...(copiedFrom !== undefined && { copiedFrom }),
    added: item.added,
    removed: item.removed,
    ...(item.isBinary && { binary: true }),
    ...(contentType !== undefined && { contentType }),
    ...(before && sizes?.before !== undefined && { before: { ...before, bytes: sizes.before } }),
    ...(after && sizes?.after !== undefined && { after: { ...after, bytes: sizes.after } }),
    ...(item.isIgnored && { ignored: true }),
    risk: item.refused === undefined ? item.risk : [...item.risk, `refused: ${item.refused}`],
  };
}
