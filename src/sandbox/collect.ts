/** Brings in the bytes of what differs: what the stamps can't vouch for is fetched and handed to the sink. */

import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { encodePath, type RelPath } from '../base/path-bytes.ts';
import type { FetchResult, Guest, GuestChange, GuestStat } from '../guest/guest.ts';
import { nameOfErrno } from '../guest/wire-stream.ts';
import { isSameStamp, type Seen } from './known.ts';
import type { BaseFile } from './project-source.ts';
import type { BlobSink, SkippedPath } from './sandbox.ts';

export interface CollectOptions {
  maxFileBytes: number;
  maxTotalBytes: number;
  /** Read everything again, whatever the stamps say. */
  isSweep: boolean;
  /** The host's time, and the newest change time that the guest reported. */
  nowNs: bigint;
  newestNs: bigint;
}

export interface Collected {
  files: Map<RelPath, Seen>;
  /** Could not be had this time: these keep the state they had. */
  kept: Set<RelPath>;
  /** Asked for without being listed, and not there. */
  absent: Set<RelPath>;
  skipped: SkippedPath[];
}

/** A change this young could be followed by another with the same stamps. */
const RACY_NS = 2_000_000_000n;
/** ENOENT, ENOTDIR, ELOOP: it was there when it was listed. */
const VANISHED = new Set([2, 20, 40]);

/** `unlisted`: paths below directories that weren't listed, which may or may not be there. */
export async function collect(
  guest: Guest,
  sink: BlobSink,
  files: ReadonlyMap<RelPath, GuestChange>,
  unlisted: Iterable<RelPath>,
  seen: ReadonlyMap<RelPath, Seen>,
  options: CollectOptions,
): Promise<Collected> {
  const out: Collected = { files: new Map(), kept: new Set(), absent: new Set(), skipped: [] };
  const wanted: RelPath[] = [];
  const unsure: [RelPath, Seen][] = [];
  let budget = options.maxTotalBytes;
  for (const [path, change] of files) {
    const before = seen.get(path);
    if (before !== undefined && !options.isSweep && isSameStamp(before, change.stat)) {
      if (before.isRacy) unsure.push([path, before]);
      else out.files.set(path, before);
    } else if (change.stat.kind === 'symlink') {
      const target = encodePath(change.target ?? '');
      const oid = put(path, target.length, [target], sink, out);
      if (oid === undefined) continue;
      const file = { mode: '120000', oid, size: target.length } as const;
      out.files.set(path, stamp(change.stat, before, file, options));
    } else if (change.stat.size > budget) {
      out.kept.add(path);
      out.skipped.push({ path, reason: 'budget', detail: `${change.stat.size} bytes` });
    } else {
      budget -= change.stat.size;
      wanted.push(path);
    }
  }
  // What may have changed comes after what did, so that it can't use up the budget.
  for (const [path, before] of unsure) {
    if (before.size > budget) out.files.set(path, before);
    else {
      budget -= before.size;
      wanted.push(path);
    }
  }
  for (const path of unlisted) wanted.push(path);
  if (wanted.length > 0) await fetchAll(guest, sink, wanted, files, seen, options, out);
  return out;
}

/** Hands the bytes over; when the ledger takes no more, the file keeps the state it had and is named. */
function put(
  path: RelPath,
  size: number,
  chunks: Iterable<Uint8Array>,
  sink: BlobSink,
  out: Collected,
): string | undefined {
  try {
    return sink.writeBlob(size, chunks);
  } catch (error) {
    if (!isSafeCoderError(error, 'ledger/full')) throw error;
    out.kept.add(path);
    out.skipped.push({ path, reason: 'budget', detail: `${size} bytes: the ledger is full` });
    return undefined;
  }
}

async function fetchAll(
  guest: Guest,
  sink: BlobSink,
  wanted: RelPath[],
  listed: ReadonlyMap<RelPath, GuestChange>,
  seen: ReadonlyMap<RelPath, Seen>,
  options: CollectOptions,
  out: Collected,
): Promise<void> {
  let parts: Buffer[] = [];
  let size = 0;
  let total = 0;
  const onContent = (_path: RelPath, chunk: Buffer) => {
    parts.push(chunk);
    size += chunk.length;
    total += chunk.length;
    // Sizes in the list are claims; this is what really came.
    if (total > options.maxTotalBytes + options.maxFileBytes) {
      throw new SafeCoderError('guest/limit', 'The guest sent more than one capture may hold.');
    }
  };
  const onEnd = (result: FetchResult) => {
    const content = { parts, size };
    parts = [];
    size = 0;
    const { path } = result;
    // In a sweep nothing runs that could take it away: what is listed and not there is being hidden.
    const isMissed = seen.has(path) || options.isSweep;
    if (!result.ok) {
      takeFailure(result, listed.has(path), isMissed, out);
      return;
    }
    if (result.wasCut || (result.stat.kind !== 'file' && result.stat.kind !== 'symlink')) {
      out.kept.add(path);
      const reason = result.wasCut ? 'too-large' : 'unstable';
      out.skipped.push({ path, reason, detail: 'it changed while it was captured' });
      return;
    }
    const oid = put(path, content.size, content.parts, sink, out);
    if (oid === undefined) return;
    const file: BaseFile = { mode: treeMode(result.stat), oid, size: content.size };
    const entry = stamp(result.stat, seen.get(path), file, options);
    if (result.wasUnstable) {
      entry.isRacy = true;
      out.skipped.push({ path, reason: 'unstable', detail: 'it changed while it was read' });
    }
    out.files.set(path, entry);
  };
  await guest.fetch(wanted, { maxFileBytes: options.maxFileBytes }, onContent, onEnd);
}

function takeFailure(
  result: { path: RelPath; errno: number },
  wasListed: boolean,
  isMissed: boolean,
  out: Collected,
): void {
  const { path, errno } = result;
  if (!VANISHED.has(errno)) {
    out.kept.add(path);
    out.skipped.push({ path, reason: 'unreadable', detail: nameOfErrno(errno) });
  } else if (wasListed) {
    // It went between the list and the reading: the next capture sees what became of it.
    out.kept.add(path);
    if (isMissed) out.skipped.push({ path, reason: 'unstable', detail: 'it vanished while it was captured' });
  } else {
    out.absent.add(path);
  }
}

function stamp(stat: GuestStat, before: Seen | undefined, file: BaseFile, options: CollectOptions): Seen {
  const isFirstSight = before === undefined || !isSameStamp(before, stat);
  // Both clocks are asked: the guest's may be slow, and then it is the newest change that tells its time.
  const isRacy =
    options.nowNs - stat.ctimeNs < RACY_NS || (isFirstSight && options.newestNs - stat.ctimeNs < RACY_NS);
  return {
    ino: stat.ino,
    size: stat.size,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
    mode: stat.mode,
    isRacy,
    file,
  };
}

function treeMode(stat: GuestStat): BaseFile['mode'] {
  if (stat.kind === 'symlink') return '120000';
  return (stat.mode & 0o100) === 0 ? '100644' : '100755';
}
