/**
 * A session's changes as commits on a branch of the user's own repository: the only place where Safe Coder writes into a `.git`, and
 * only when asked for by name. New objects and one ref; never the index, HEAD or the work tree.
 */
import { randomBytes } from 'node:crypto';
import { SafeCoderError } from '../base/errors.ts';
import { decodePath, type HostPath, type RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import { runGit } from '../git/git-program.ts';
import { FastImport } from './fast-import.ts';
import { openProjectRepository } from './project-repository.ts';

export interface BranchCommit {
  /** Whole message. */
  message: string;
  at: Date;
  changes: readonly {
    before?: FileState & { path: RelPath };
    after?: FileState & { path: RelPath };
  }[];
}

export interface BranchOptions {
  project: HostPath;
  branch: string;
  /** Moves a branch that is there already, unless it is checked out. */
  force: boolean;
  /** The commit that was checked out when the session began; without it the one that is now. */
  start: string | undefined;
  /** Files of the base that `commits` begin from, to be committed first where the start commit has others. */
  base: ReadonlyMap<RelPath, FileState>;
  commits: readonly BranchCommit[];
  read: (oid: string) => Promise<Buffer>;
  signal?: AbortSignal;
}

export interface ExportedBranch {
  /** The branch's new commit. */
  commit: string;
  /** How many commits were added. */
  commits: number;
  /** Files whose uncommitted state got a commit of its own, below the others. */
  uncommitted: string[];
  leftOut: { path: string; reason: string }[];
}

const LS_TREE_BYTES = 1 << 30;
/** What git calls a submodule's entry. */
const GITLINK = '160000';

/**
 * Writes the branch. The person's uncommitted work comes along only as far as the changes are to the same files: then it
 * is the first commit. Throws `usage/bad-argument` for a name that is none or taken, `apply/refused`, `environment/tool-failed`.
 */
export async function exportBranch(options: BranchOptions): Promise<ExportedBranch> {
  const { gitDir } = openProjectRepository(options.project, options.branch);
  const git = new Repository(gitDir, options.signal);
  const old = await git.checkName(options.branch, options.force);
  const start = await git.resolveCommit(options.start ?? 'HEAD', options.start !== undefined);
  const tree = start === undefined ? new Map<string, FileState>() : await git.listTree(start);
  const leftOut: ExportedBranch['leftOut'] = [];
  const commits = options.commits.map((commit) => withoutSubmodules(commit, tree, leftOut));
  const import_ = new FastImport(`refs/safe-coder/export-${randomBytes(8).toString('hex')}`, start);
  const uncommitted = await addUncommitted(import_, options, { start, tree, commits });
  for (const commit of commits) if (commit.changes.length > 0) await addCommit(import_, commit, options.read);
  if (import_.commits === 0) throw nothingToExport();
  const commit = await git.import(import_);
  await git.moveBranch(options.branch, commit, old);
  return { commit, commits: import_.commits, uncommitted, leftOut };
}

/** What the changes are based on, where the start commit does not have it. */
async function addUncommitted(
  import_: FastImport,
  { base, read, commits }: BranchOptions,
  repository: {
    start: string | undefined;
    tree: ReadonlyMap<string, FileState>;
    commits: readonly BranchCommit[];
  },
): Promise<string[]> {
  const touched = new Set(
    repository.commits.flatMap(({ changes }) =>
      changes.flatMap(({ before, after }) => [before?.path, after?.path]),
    ),
  );
  const files: [RelPath, FileState][] = [];
  for (const [path, state] of base) {
    const committed = repository.tree.get(path);
    const isThere = committed?.oid === state.oid && committed.mode === state.mode;
    // A repository without a commit gets all of the base: nothing of it is anywhere else.
    if (!isThere && (repository.start === undefined || touched.has(path))) files.push([path, state]);
  }
  if (files.length === 0) return [];
  const at = commits[0]?.at ?? new Date(0);
  const changes = files.map(([path, state]) => ({ after: { path, ...state } }));
  const message = 'Work that was not committed when the session began\n';
  await addCommit(import_, { message, at, changes }, read);
  return files.map(([path]) => path);
}

async function addCommit(
  import_: FastImport,
  { message, at, changes }: BranchCommit,
  read: (oid: string) => Promise<Buffer>,
): Promise<void> {
  for (const { after } of changes)
    if (after && !import_.hasBlob(after.oid)) import_.addBlob(after.oid, await read(after.oid));
  import_.beginCommit(message, at);
  // Removals first: a folder may come where a file was.
  for (const { before } of changes) if (before) import_.remove(before.path);
  for (const { after } of changes) if (after) import_.put(after.path, after);
}

/** Files below a submodule belong to another repository. */
function withoutSubmodules(
  commit: BranchCommit,
  tree: ReadonlyMap<string, { mode: string }>,
  leftOut: ExportedBranch['leftOut'],
): BranchCommit {
  const submodules = [...tree].filter(([, { mode }]) => mode === GITLINK).map(([path]) => path);
  const isInside = (path: string | undefined) =>
    path !== undefined && submodules.some((root) => path === root || path.startsWith(`${root}/`));
  const changes = commit.changes.filter(({ before, after }) => {
    if (!isInside(before?.path) && !isInside(after?.path)) return true;
    const path = (after ?? before)?.path ?? '';
    if (!leftOut.some((each) => each.path === path)) leftOut.push({ path, reason: 'inside a submodule' });
    return false;
  });
  return { ...commit, changes };
}

/** The user's repository, by git's own plumbing. */
class Repository {
  readonly #gitDir: HostPath;
  readonly #signal: AbortSignal | undefined;

  constructor(gitDir: HostPath, signal: AbortSignal | undefined) {
    this.#gitDir = gitDir;
    this.#signal = signal;
  }

  /** Where the branch is now; undefined for a new one. */
  async checkName(branch: string, force: boolean): Promise<string | undefined> {
    const ref = `refs/heads/${branch}`;
    const isName = (await this.#run(['check-ref-format', ref])).exitCode === 0;
    if (!isName || branch.startsWith('-') || branch === 'HEAD')
      throw badBranch(`${JSON.stringify(branch)} is no name for a branch`);
    const format = '--format=%(objectname) %(refname) %(worktreepath)';
    const { stdout } = await this.#must(['for-each-ref', format, ref]);
    const line = stdout
      .toString('utf8')
      .split('\n')
      .find((each) => each.split(' ')[1] === ref);
    const head = await this.#run(['symbolic-ref', '-q', 'HEAD']);
    const [oid, , worktree = ''] = line?.split(' ') ?? [];
    if (worktree !== '' || head.stdout.toString('utf8').trim() === ref)
      throw badBranch(`the branch ${branch} is checked out`);
    if (oid !== undefined && !force) throw badBranch(`there is a branch ${branch} already`, 'or add --force');
    return oid;
  }

  /** Undefined for a repository without a commit. Throws `usage/bad-argument` when the commit is gone. */
  async resolveCommit(name: string, isRequired: boolean): Promise<string | undefined> {
    const { exitCode, stdout } = await this.#run(['rev-parse', '--verify', '-q', `${name}^{commit}`]);
    if (exitCode === 0) return stdout.toString('latin1').trim();
    if (!isRequired) return undefined;
    throw new SafeCoderError('usage/bad-argument', `The project no longer has the commit ${name}.`, {
      hint: 'The session began there. Export a patch instead: safe-coder export --patch',
    });
  }

  async listTree(commit: string): Promise<Map<string, FileState>> {
    const args = ['ls-tree', '-r', '-z', '--full-tree', commit];
    const { stdout } = await this.#must(args, { maxOutputBytes: LS_TREE_BYTES });
    return parseListing(stdout);
  }

  /** The id of the last commit. */
  async import(stream: FastImport): Promise<string> {
    const args = [
      '-c',
      'core.logAllRefUpdates=false',
      'fast-import',
      '--quiet',
      '--done',
      '--date-format=raw',
    ];
    try {
      await this.#must(args, { input: stream.finish() });
      const { stdout } = await this.#must(['rev-parse', '--verify', '-q', stream.ref]);
      return stdout.toString('latin1').trim();
    } finally {
      await this.#run(['update-ref', '-d', stream.ref]);
    }
  }

  /** Only if the branch still is where it was. */
  async moveBranch(branch: string, commit: string, old: string | undefined): Promise<void> {
    const expected = old ?? '0'.repeat(commit.length);
    const reason = ['-m', 'safe-coder export'];
    await this.#must(['update-ref', ...reason, `refs/heads/${branch}`, commit, expected]);
  }

  #run(args: string[], more: { input?: Uint8Array; maxOutputBytes?: number } = {}) {
    const signal = this.#signal === undefined ? {} : { signal: this.#signal };
    return runGit({ gitDir: this.#gitDir, args, timeoutMs: 10 * 60_000, ...signal, ...more });
  }

  async #must(args: string[], more: { input?: Uint8Array; maxOutputBytes?: number } = {}) {
    const result = await this.#run(args, more);
    if (result.exitCode === 0) return result;
    const what = args.find((word) => /^[a-z][a-z-]+$/.test(word)) ?? 'git';
    throw new SafeCoderError('environment/tool-failed', `git ${what} failed in ${this.#gitDir}.`, {
      hint: result.stderr.trim().slice(0, 1000) || 'Git gave no reason.',
    });
  }
}

/** `MODE TYPE OID\tPATH`, each ended by a NUL. */
function parseListing(bytes: Buffer): Map<string, FileState> {
  const files = new Map<string, FileState>();
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    const tab = bytes.indexOf(9, at);
    const [mode = '', , oid = ''] = bytes.toString('latin1', at, tab).split(' ');
    files.set(decodePath(bytes.subarray(tab + 1, end)), { mode: mode as FileState['mode'], oid });
    at = end + 1;
  }
  return files;
}

function badBranch(why: string, more = ''): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', `No branch is written: ${why}.`, {
    hint: `Give another name${more === '' ? '' : `, ${more}`}.`,
  });
}

function nothingToExport(): SafeCoderError {
  return new SafeCoderError('usage/bad-argument', 'There is nothing to export: no file changed.', {
    hint: '"safe-coder diff --stat" shows what changed in a session.',
  });
}
