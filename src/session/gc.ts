/** What can be given back to the disk: found first, so that it can be named, then done one by one. */
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { StateStore } from '../apply/state-store.ts';
import { liveOwner } from '../base/owner-lock.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { compactLedger } from '../ledger/compact.ts';
import { openLedger } from '../ledger/reader.ts';
import { sizeOnDisk, sizesIn } from './disk-use.ts';
import { OriginalFiles } from './original-files.ts';
import { GONE_PREFIX, SessionStore, type StoredSession } from './store.ts';

export interface GcOptions {
  state: HostPath;
  cache: HostPath;
  now: number;
  /** Sessions that ended, or were last written to, longer ago may go. Without this and `keep` none does. */
  olderThanMs?: number;
  /** The newest so many of each project stay. */
  keep?: number;
  /** Also what undo needs, of sessions that would go by age; the sessions themselves stay. */
  onlyUndo?: boolean;
}

export interface GcItem {
  /**
   * `session`: all of it. `undo`: contents kept so that an apply can be undone. `ledger`: made self-contained and packed anew.
   * `run`: left by a process that is gone. `cache`: can be made again. `leftover`: half deleted.
   */
  kind: 'session' | 'undo' | 'ledger' | 'run' | 'cache' | 'leftover';
  path: HostPath;
  /** What it occupies now; of a ledger only a part comes back. */
  bytes: number;
  title: string;
  session?: StoredSession;
}

/** Made again in seconds to minutes when it is missed. */
const CACHE_FOLDERS = ['states', 'initramfs', 'toolchain', 'scratch', 'runs'];
const CACHE_UNUSED_MS = 14 * 24 * 3_600_000;
const YOUNG_MS = 60_000;
/** A ledger of fewer packs that are smaller is not worth packing again. */
const WORTH_PACKS = 8;
const WORTH_BYTES = 4 << 20;

/** Finds what could go; changes nothing. Running sessions and what they use are never in it. */
export function planGc(options: GcOptions): GcItem[] {
  const store = new SessionStore(options.state);
  const sessions = store.list().filter(({ owner }) => owner === undefined);
  const going = selectSessions(sessions, options);
  const staying = sessions.filter((session) => options.onlyUndo || !going.includes(session));
  return [
    ...leftovers(store.root),
    ...abandonedRuns(options.state, options.now),
    ...unusedCaches(options.cache, options.now),
    ...going.flatMap((session) => (options.onlyUndo ? undoItem(session) : [sessionItem(session)])),
    ...staying.flatMap(ledgerItem),
  ];
}

/** Does one thing of a plan; returns how many bytes came back. Throws `session/busy`, `ledger/*` and what removing throws. */
export async function performGc(item: GcItem, options: GcOptions, signal: AbortSignal): Promise<number> {
  if (item.kind === 'session' && item.session) new SessionStore(options.state).remove(item.session);
  else if (item.kind === 'ledger' && item.session) await compactStored(item.session, signal);
  else if (item.kind === 'run') removeRun(item.path);
  else if (item.kind === 'cache') removeUnused(item.path, options.now);
  else rmSync(item.path, { recursive: true, force: true });
  return Math.max(0, item.bytes - (existsSync(item.path) ? sizeOnDisk(item.path) : 0));
}

/** Sessions that may go by age and number. One with an interrupted apply stays: its journal needs what it kept. */
export function selectSessions(sessions: readonly StoredSession[], options: GcOptions): StoredSession[] {
  const { olderThanMs, keep, now } = options;
  if (olderThanMs === undefined && keep === undefined) return [];
  const inUse = new Set(new StateStore(options.state).journals().map(({ record }) => record.session));
  const seen = new Map<string, number>();
  // Newest first, as the store lists them.
  return sessions.filter((session) => {
    const { id, project } = session.record;
    const place = (seen.get(project) ?? 0) + 1;
    seen.set(project, place);
    if (inUse.has(id) || (keep !== undefined && place <= keep)) return false;
    return olderThanMs === undefined || now - lastUsed(session) > olderThanMs;
  });
}

function lastUsed({ folder, record }: StoredSession): number {
  return Math.max(statSync(join(folder, 'session.json')).mtimeMs, Date.parse(record.endedAt ?? '') || 0);
}

function sessionItem(session: StoredSession): GcItem {
  const { folder, record } = session;
  return { kind: 'session', path: folder, bytes: sizeOnDisk(folder), title: record.title, session };
}

function undoItem(session: StoredSession): GcItem[] {
  const path = join(session.folder, 'apply/kept') as HostPath;
  const bytes = existsSync(path) ? sizeOnDisk(path) : 0;
  if (bytes === 0) return [];
  return [{ kind: 'undo', path, bytes, title: `undo of ${session.record.title}`, session }];
}

function ledgerItem(session: StoredSession): GcItem[] {
  const path = join(session.folder, 'ledger') as HostPath;
  const packs = namesIn(join(path, 'objects/pack')).filter((name) => name.endsWith('.pack'));
  const isBorrowing = existsSync(join(path, 'objects/info/alternates'));
  const bytes = packs.length === 0 ? 0 : sizeOnDisk(path);
  const isWorthIt = packs.length >= WORTH_PACKS || (packs.length > 1 && bytes >= WORTH_BYTES);
  if (!isBorrowing && !isWorthIt) return [];
  return [{ kind: 'ledger', path, bytes, title: session.record.title, session }];
}

async function compactStored({ folder, record }: StoredSession, signal: AbortSignal): Promise<void> {
  const dir = join(folder, 'ledger') as HostPath;
  await using ledger = await openLedger(dir);
  const first = (await ledger.entries())[0];
  const files = first === undefined ? new Map() : await ledger.files(first.tree);
  const originals = new OriginalFiles(record.project as HostPath, ledger.objectFormat, files);
  await compactLedger(dir, { originals: (oid) => originals.read(oid), signal });
}

function leftovers(sessions: HostPath): GcItem[] {
  return namesIn(sessions)
    .filter((name) => name.startsWith(GONE_PREFIX))
    .map((name) => itemAt('leftover', join(sessions, name), 'a session half deleted'));
}

function abandonedRuns(state: HostPath, now: number): GcItem[] {
  const root = join(state, 'run');
  return namesIn(root)
    .map((name) => join(root, name))
    .filter((path) => ageOf(path, now) > YOUNG_MS && !isOwned(path))
    .map((path) => itemAt('run', path, 'left by a process that is gone'));
}

function removeRun(path: HostPath): void {
  if (!isOwned(path)) rmSync(path, { recursive: true, force: true, maxRetries: 3 });
}

function isOwned(folder: string): boolean {
  return liveOwner(join(folder, 'owner') as HostPath) !== undefined;
}

function unusedCaches(cache: HostPath, now: number): GcItem[] {
  return CACHE_FOLDERS.flatMap((folder) => sizesIn(join(cache, folder) as HostPath))
    .filter(({ name, path }) => !/\.lock\.|\.making$/.test(name) && ageOf(path, now) > CACHE_UNUSED_MS)
    .map(({ path, bytes }) => ({ kind: 'cache', path, bytes, title: 'not used for two weeks' }));
}

/** Somebody may have asked for it since: whoever does so renews its time stamp first. */
function removeUnused(path: HostPath, now: number): void {
  if (ageOf(path, now) > CACHE_UNUSED_MS) rmSync(path, { recursive: true, force: true });
}

function itemAt(kind: GcItem['kind'], path: string, title: string): GcItem {
  return { kind, path: path as HostPath, bytes: sizeOnDisk(path as HostPath), title };
}

/** Milliseconds since it was changed; 0 for what is not there. */
function ageOf(path: string, now: number): number {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 0 : now - stat.mtimeMs;
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}
