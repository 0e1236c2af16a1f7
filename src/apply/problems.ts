/** What stands in the way of all of it, found before anything is written: space, permissions, read-only places. */
import { accessSync, constants, type StatsFs, statfsSync } from 'node:fs';
import { errnoOf, SafeCoderError } from '../base/errors.ts';
import { type HostPath, type RelPath, showPath } from '../base/path-bytes.ts';
import { foldersAbove } from './folders.ts';
import { BlockedError, type HostRoot } from './host-root.ts';
import type { ReadyStep } from './intent.ts';
import type { Folder } from './journal.ts';

export interface Problem {
  code: 'environment/disk-full' | 'apply/blocked';
  /** What it is about; undefined for the whole project. */
  path?: RelPath;
  /** A sentence. */
  what: string;
  /** What mends it. */
  mend: string;
}

interface Planned {
  ready: readonly ReadyStep[];
  createdFolders: readonly Folder[];
  removedFolders: readonly Folder[];
}

/** All of them at once. Sizes that are not known count as nothing. */
export function findProblems(root: HostRoot, planned: Planned, stateDir: HostPath): Problem[] {
  if (planned.ready.length === 0) return [];
  return [
    ...findClosedFolders(root, planned),
    ...findFixedFiles(root, planned),
    ...findShortage(root, planned, stateDir),
  ];
}

/** All problems as one error. */
export function problemsError(problems: readonly [Problem, ...Problem[]]): SafeCoderError {
  const [first] = problems;
  const isFull = problems.find(({ code }) => code === 'environment/disk-full');
  return new SafeCoderError((isFull ?? first).code, problems.map(({ what }) => what).join(' '), {
    hint: `Nothing was changed. ${[...new Set(problems.map(({ mend }) => mend))].join(' ')}`,
    details: { problems },
  });
}

/** Folders in which names come or go, that are there and can't be written to. */
function findClosedFolders(root: HostRoot, { ready, createdFolders, removedFolders }: Planned): Problem[] {
  const folders = [...ready, ...createdFolders, ...removedFolders].map(({ path }) => folderOf(path));
  return [...new Set<RelPath | ''>(['', ...folders])].flatMap((folder) => {
    const fault = faultOf(() =>
      root.inside(folder, ({ self }) => accessSync(`${self}/.`, constants.W_OK | constants.X_OK)),
    );
    return fault === undefined ? [] : [problemOf(fault, folder === '' ? undefined : folder, root)];
  });
}

/** Files that may not be moved although their folder can be written to. */
function findFixedFiles(root: HostRoot, { ready }: Planned): Problem[] {
  const files = ready.filter(({ old }) => old?.kind === 'file').map(({ path }) => path);
  const fixed: Problem[] = [];
  for (const [folder, paths] of Map.groupBy(files, folderOf)) {
    faultOf(() =>
      root.inside(folder, (directory) => {
        for (const path of paths) {
          const name = path.slice(path.lastIndexOf('/') + 1);
          const fault = faultOf(() => accessSync(directory.entry(name), constants.W_OK));
          if (fault === 'EPERM') fixed.push(problemOf(fault, path, root));
        }
      }),
    );
  }
  return fixed;
}

function folderOf(path: RelPath): RelPath | '' {
  return foldersAbove(path).at(-1) ?? '';
}

function faultOf(look: () => void): string | undefined {
  try {
    look();
    return undefined;
  } catch (error) {
    // Not there, or not what it was: that is for the run to notice.
    return error instanceof BlockedError ? undefined : errnoOf(error);
  }
}

function problemOf(fault: string, path: RelPath | undefined, root: HostRoot): Problem {
  const name = showPath(path ?? root.path);
  const what: Record<string, [what: string, mend: string]> = {
    EACCES: [`${name} can't be written to.`, `Allow it: chmod u+wx "${name}".`],
    EROFS: [`${name} is on a file system that is mounted read-only.`, 'Mount it for writing.'],
    EPERM: [`${name} is protected from changes.`, `Take the protection away: chattr -i "${name}".`],
  };
  const [sentence, mend] = what[fault] ?? [
    `${name} can't be used (${fault}).`,
    'Look what is the matter with it.',
  ];
  return { code: 'apply/blocked', ...(path !== undefined && { path }), what: sentence, mend };
}

/** What the stage and the kept contents take, while the old files are still there. */
function findShortage(root: HostRoot, { ready, createdFolders }: Planned, stateDir: HostPath): Problem[] {
  const incoming = ready.reduce((sum, { intent }) => sum + (intent.target?.size ?? 0), 0);
  const outgoing = ready.reduce((sum, { oldSize }) => sum + (oldSize ?? 0), 0);
  const files = ready.filter((step) => step.new !== undefined).length + createdFolders.length + 1;
  const project = statfsSync(`${root.handle.self}/.`);
  const state = statfsSync(stateDir);
  // One file system has one count of free blocks; two that agree in all of it can be taken for one.
  const isShared =
    project.type === state.type && project.blocks === state.blocks && project.bfree === state.bfree;
  return [
    ...shortageOf(project, incoming + (isShared ? outgoing : 0), files, root.path),
    ...(isShared ? [] : shortageOf(state, outgoing, 4, stateDir)),
  ];
}

function shortageOf(system: StatsFs, bytes: number, files: number, where: HostPath): Problem[] {
  const blocks = process.geteuid?.() === 0 ? system.bfree : system.bavail;
  const free = blocks * system.bsize;
  const found: Problem[] = [];
  const full = (what: string, mend: string) => found.push({ code: 'environment/disk-full', what, mend });
  if (bytes > free)
    full(`${showPath(where)} has ${free} bytes free, and ${bytes} are needed.`, 'Free some space.');
  // File systems that make inodes as they need them count none at all.
  if (system.files > 0 && files > system.ffree) {
    full(
      `${showPath(where)} has room for ${system.ffree} more files, and ${files} are needed.`,
      'Remove some files.',
    );
  }
  return found;
}
