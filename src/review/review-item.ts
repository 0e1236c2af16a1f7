/** What there is to decide: each change with its counts, its risks, and whether apply would refuse it. */
import { createHash } from 'node:crypto';
import type { ChangeSummary } from '../base/events.ts';
import { throwIfCancelled } from '../base/lifetime.ts';
import { decodePath, showPath } from '../base/path-bytes.ts';
import type { Change, ChangeSet } from '../diff/change-set.ts';
import { countChangedLines } from '../diff/count-lines.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { findCollisions, pathFault, symlinkFault } from '../policy/apply-path.ts';
import { riskOf } from '../policy/risk.ts';

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
}

/**
 * Looks at every change once, one after another. Throws what the ledger's reader throws, and `cancelled`. Paths in
 * `ignored` are marked.
 */
export async function reviewItems(
  changes: ChangeSet,
  ledger: Pick<LedgerReader, 'readBlob'>,
  options: { ignored?: ReadonlySet<string>; signal?: AbortSignal } = {},
): Promise<ReviewItem[]> {
  const collisions = findCollisions(changes.changes.filter((c) => c.after).map((c) => c.path));
  const items: ReviewItem[] = [];
  for (const change of changes.changes) {
    throwIfCancelled(options.signal);
    items.push(await reviewItem(change, ledger, collisions, options.ignored?.has(change.path) ?? false));
  }
  return items;
}

async function reviewItem(
  change: Change,
  ledger: Pick<LedgerReader, 'readBlob'>,
  collisions: ReadonlyMap<string, string>,
  isIgnored: boolean,
): Promise<ReviewItem> {
  const before = change.before && (await ledger.readBlob(change.before.oid));
  const after = change.after && (await ledger.readBlob(change.after.oid));
  return {
    change,
    ...countLines(change, before ?? NOTHING, after ?? NOTHING),
    risk: riskOf(change, { ...(before && { before }), ...(after && { after }) }),
    refused: refusalOf(change, after, collisions),
    sha256: after && createHash('sha256').update(after).digest('hex'),
    isIgnored,
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

/** The item as events and `--json` have it. */
export function toSummary(item: ReviewItem): ChangeSummary {
  const { path, kind, from } = item.change;
  return {
    path,
    change: kind,
    ...(from !== undefined && { from }),
    added: item.added,
    removed: item.removed,
    ...(item.isBinary && { binary: true }),
    ...(item.isIgnored && { ignored: true }),
    risk: item.refused === undefined ? item.risk : [...item.risk, `refused: ${item.refused}`],
  };
}
