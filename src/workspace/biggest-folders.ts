/** Which folders make a project too large: a count of names and sizes only, for the error message. */
import { lstatSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { throwIfCancelled } from '../base/lifetime.ts';
import { decodePath, showPath } from '../base/path-bytes.ts';
import type { Project } from './project.ts';
import { openable, walk } from './walk.ts';

export interface FolderSize {
  /** First component of the path; '' for files in the root itself. */
  path: string;
  entries: number;
  bytes: number;
}

/** More than this is not counted: the answer is clear by then. */
const MAX_COUNTED = 1_000_000;
const TURN_MS = 10;

/** The folders in the root with what is in them, biggest first. */
export async function findBiggestFolders(
  project: Project,
  signal: AbortSignal | undefined,
): Promise<FolderSize[]> {
  const folders = new Map<string, FolderSize>();
  let counted = 0;
  let turnEnds = performance.now() + TURN_MS;
  for (const step of walk(project.directory, { admits: () => true })) {
    if (step.kind !== 'file' && step.kind !== 'symlink') continue;
    counted += 1;
    if (counted > MAX_COUNTED) break;
    const slash = step.path.indexOf('/');
    const path = slash < 0 ? '' : step.path.slice(0, slash);
    const folder = folders.get(path) ?? { path, entries: 0, bytes: 0 };
    folder.entries += 1;
    folder.bytes += sizeOf(openable(step.directory.prefix, step.name));
    folders.set(path, folder);
    if (performance.now() < turnEnds) continue;
    await nextTurn();
    throwIfCancelled(signal);
    turnEnds = performance.now() + TURN_MS;
  }
  return [...folders.values()].toSorted((a, b) => b.bytes - a.bytes || b.entries - a.entries);
}

function sizeOf(path: string | Buffer): number {
  return lstatSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** "node_modules (1.2 GB in 45,000 files)" */
export function describeFolder(folder: FolderSize): string {
  const name =
    folder.path === '' ? 'the top folder itself' : showPath(decodePath(Buffer.from(folder.path, 'latin1')));
  return `${name} (${formatBytes(folder.bytes)} in ${folder.entries.toLocaleString('en-US')} files)`;
}

/** Bytes for people, in powers of 1000. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 && unit > 0 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
