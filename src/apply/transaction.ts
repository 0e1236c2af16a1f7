/**
 * Carries out steps on the project, all of them or none. Each step moves what is there into the stage before or while the
 * new file takes its place, looks at what it moved, and puts it back when it is not what preflight saw. Going back is
 * judged by the state of each path, never by memory of how far things went, so that it can be interrupted too.
 */

import { chmodSync, lchownSync, lstatSync, mkdirSync, renameSync, rmdirSync } from 'node:fs';
import type { DirectoryHandle } from '../base/directory-handle.ts';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import type { RelPath } from '../base/path-bytes.ts';
import { HostChangedError } from './host-changed.ts';
import { BlockedError, type HostRoot } from './host-root.ts';
import type { HostState } from './host-state.ts';
import { holds, type Refusal } from './intent.ts';
import type { Folder, Side, Step } from './journal.ts';
import { lstatIn, moveNew, type Owner, type Stage, tryLink } from './stage.ts';

/** What is to be done, as the journal has it. */
export interface Changes {
  steps: readonly Step[];
  /** Top first. */
  createdFolders: readonly Folder[];
  /** Deepest first. */
  removedFolders: readonly Folder[];
}

/** The old bytes of that SHA-256. */
export type ReadOld = (sha256: string) => Buffer;

export interface Work extends Changes {
  root: HostRoot;
  stage: Stage;
  /** Called before each thing that changes the disk or decides that it may; tests kill or interfere here. */
  before(name: string): void;
}

/** Deletions, deepest first, then folders that they emptied, then new and changed files in order of their paths. */
export function* publish(work: Work): Generator<RelPath> {
  const indexed = work.steps.map((step, at) => ({ step, at }));
  const removals = indexed.filter(({ step }) => step.new === undefined);
  removals.sort((a, b) => compare(b.step.path, a.step.path));
  for (const { step, at } of removals) {
    yield step.path;
    takeAway(work, step.path, step.old, `o${at}`);
  }
  pruneFolders(work, work.removedFolders);
  const puts = indexed.filter(({ step }) => step.new !== undefined);
  puts.sort((a, b) => compare(a.step.path, b.step.path));
  for (const folder of work.createdFolders) makeFolder(work, folder);
  for (const { step, at } of puts) {
    yield step.path;
    if (step.old === undefined) putNew(work, step.path, `n${at}`);
    else replace(work, step.path, step.old, `n${at}`, `o${at}`);
  }
}

/** Moves the file at `path` into the stage, and back when it isn't `expected`. */
function takeAway(work: Work, path: RelPath, expected: Side | undefined, aside: string): void {
  within(work, path, (directory, name) => {
    work.before(`remove ${path}`);
    try {
      renameSync(directory.entry(name), work.stage.handle.entry(aside));
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') throw new HostChangedError(path);
      throw error;
    }
    if (holds(work.stage.read(aside), expected)) return;
    putBack(work, directory, name, aside);
    throw new HostChangedError(path);
  });
}

function putBack(work: Work, directory: DirectoryHandle, name: string, aside: string): void {
  if (lstatIn(work.stage.handle, aside)?.isDirectory()) {
    if (lstatIn(directory, name) === undefined)
      renameSync(work.stage.handle.entry(aside), directory.entry(name));
    return;
  }
  try {
    moveNew(work.stage.handle, aside, directory, name);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    // The name was taken again at once: under this name the stage's removal keeps the file, and tells.
    renameSync(work.stage.handle.entry(aside), work.stage.handle.entry(`kept-${aside}`));
  }
}

function putNew(work: Work, path: RelPath, staged: string): void {
  within(work, path, (directory, name) => {
    work.before(`add ${path}`);
    try {
      moveNew(work.stage.handle, staged, directory, name);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') throw new HostChangedError(path);
      throw error;
    }
  });
}

/** Puts the staged file over the one at `path`, keeping a name for the old one; there is no moment without a file. */
function replace(work: Work, path: RelPath, old: Side, staged: string, aside: string): void {
  within(work, path, (directory, name) => {
    work.before(`keep ${path}`);
    const isFile = lstatIn(directory, name)?.isDirectory() === false;
    if (!isFile) throw new HostChangedError(path);
    if (!tryLink(directory, name, work.stage.handle, aside)) {
      renameSync(directory.entry(name), work.stage.handle.entry(aside));
      if (!holds(work.stage.read(aside), old)) {
        putBack(work, directory, name, aside);
        throw new HostChangedError(path);
      }
      work.before(`replace ${path}`);
      moveNew(work.stage.handle, staged, directory, name);
      return;
    }
    work.before(`look ${path}`);
    const kept = work.stage.read(aside);
    const now = lstatIn(directory, name);
    if (!holds(kept, old) || now?.ino !== lstatIn(work.stage.handle, aside)?.ino) {
      throw new HostChangedError(path);
    }
    work.before(`replace ${path}`);
    renameSync(work.stage.handle.entry(staged), directory.entry(name));
    // Someone may have written into the old file until the rename; what they wrote is kept, and goes back.
    if (!holds(work.stage.read(aside), old)) {
      renameSync(work.stage.handle.entry(aside), directory.entry(name));
      throw new HostChangedError(path);
    }
  });
}

function makeFolder(work: Work, folder: Folder): void {
  within(work, folder.path, (directory, name) => {
    work.before(`mkdir ${folder.path}`);
    try {
      mkdirSync(directory.entry(name), { mode: 0o755 });
    } catch (error) {
      if (errnoOf(error) === 'EEXIST') return;
      throw error;
    }
    using made = directory.openDirectory(name);
    const owner =
      folder.uid !== undefined && folder.gid !== undefined
        ? { uid: folder.uid, gid: folder.gid }
        : ownerFor(directory);
    if (owner) lchownSync(`${made.self}/.`, owner.uid, owner.gid);
    if (folder.mode !== undefined) chmodSync(made.self, folder.mode);
  });
}

/** Removes folders that are empty now; one that holds anything stays. */
function pruneFolders(work: Work, folders: readonly Folder[]): void {
  for (const folder of folders) {
    try {
      work.root.within(folder.path, (directory, name) => {
        if (!lstatIn(directory, name)?.isDirectory()) return;
        work.before(`rmdir ${folder.path}`);
        rmdirSync(directory.entry(name));
      });
    } catch (error) {
      const isFull = ['ENOTEMPTY', 'EEXIST', 'ENOENT', 'ENOTDIR', 'EBUSY'].includes(errnoOf(error) ?? '');
      if (!isFull && !(error instanceof BlockedError)) throw error;
    }
  }
}

/**
 * Brings every path of the steps back to its old state. Paths that hold neither the old nor the new state were changed by
 * someone else: they are left alone and returned. `readOld` finds old bytes by their SHA-256.
 */
export function revert(work: Work, readOld: ReadOld): Refusal[] {
  const conflicts: Refusal[] = [];
  const indexed = work.steps.map((step, at) => ({ step, at }));
  const attempt = (path: RelPath, act: () => void) => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof HostChangedError) && errnoOf(error) !== 'EEXIST') throw error;
      conflicts.push({ path, reason: 'it was changed on the host meanwhile' });
    }
  };
  const puts = indexed.filter(({ step }) => step.new !== undefined);
  puts.sort((a, b) => compare(b.step.path, a.step.path));
  for (const { step, at } of puts) attempt(step.path, () => revertPut(work, step, at, readOld));
  pruneFolders(work, [...work.createdFolders].reverse());
  const removals = indexed.filter(({ step }) => step.new === undefined);
  if (removals.some(({ step }) => work.root.read(step.path).kind === 'absent')) {
    for (const folder of [...work.removedFolders].reverse()) {
      if (work.root.directory(folder.path) === undefined)
        attempt(folder.path, () => makeFolder(work, folder));
    }
  }
  for (const { step, at } of removals) attempt(step.path, () => revertRemoval(work, step, at, readOld));
  return conflicts;
}

function revertPut(work: Work, step: Step, at: number, readOld: ReadOld): void {
  const state = work.root.read(step.path);
  if (step.old === undefined) {
    if (holds(state, step.new)) takeAway(work, step.path, step.new, freeAside(work, at));
    else if (!isVacant(state)) throw new HostChangedError(step.path);
    return;
  }
  if (holds(state, step.old)) return;
  if (!holds(state, step.new) && state.kind !== 'absent') throw new HostChangedError(step.path);
  const aside = restoreAside(work, step, at, readOld);
  if (state.kind === 'absent') putNew(work, step.path, aside);
  else restoreOver(work, step.path, aside);
}

function restoreOver(work: Work, path: RelPath, aside: string): void {
  within(work, path, (directory, name) => {
    work.before(`restore ${path}`);
    renameSync(work.stage.handle.entry(aside), directory.entry(name));
  });
}

function revertRemoval(work: Work, step: Step, at: number, readOld: ReadOld): void {
  if (step.old === undefined) return;
  const state = work.root.read(step.path);
  if (holds(state, step.old)) return;
  if (state.kind !== 'absent') throw new HostChangedError(step.path);
  putNew(work, step.path, restoreAside(work, step, at, readOld));
}

/** Nothing of ours is at the path: free, a folder, or a parent that is no folder yet. */
function isVacant(state: HostState): boolean {
  return state.kind === 'absent' || state.kind === 'directory' || state.kind === 'blocked';
}

/** The name in the stage of the old file: the very file that was moved aside, or one made from its kept content. */
function restoreAside(work: Work, step: Step, at: number, readOld: ReadOld): string {
  const aside = `o${at}`;
  if (step.old === undefined) throw new SafeCoderError('bug', `${step.path} has no old state.`);
  if (holds(work.stage.read(aside), step.old)) return aside;
  work.before(`rebuild ${step.path}`);
  const owner =
    step.old.uid !== undefined && step.old.gid !== undefined
      ? { uid: step.old.uid, gid: step.old.gid }
      : undefined;
  work.stage.write(aside, step.old, readOld(step.old.sha256), owner, { sync: true });
  return aside;
}

function freeAside(work: Work, at: number): string {
  const name = `o${at}`;
  work.stage.remove(name);
  return name;
}

/**
 * Who a new entry in this directory shall belong to: as root, whoever owns the directory, so that a container or CI job
 * leaves no root-owned files in a user's project; in a setgid directory its group. Undefined: what the system gives.
 */
export function ownerFor(directory: DirectoryHandle): Owner | undefined {
  const stat = lstatSync(`${directory.self}/.`);
  const uid = process.geteuid?.() ?? 0;
  if (uid === 0) return { uid: stat.uid, gid: stat.gid };
  if ((stat.mode & 0o2000) !== 0) return { uid, gid: stat.gid };
  return undefined;
}

function within(work: Work, path: RelPath, act: (directory: DirectoryHandle, name: string) => void): void {
  try {
    work.root.within(path, act);
  } catch (error) {
    if (error instanceof BlockedError) throw new HostChangedError(path);
    throw error;
  }
}

/** Byte order would do as well: what counts is that a folder comes before what is in it. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
