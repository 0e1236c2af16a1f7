/** One version of a package in a project of git, the next one as the guest's work, and what reviews of it make of the project. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { undo } from '../../src/apply/undo.ts';
import { GIT_ENVIRONMENT } from '../../src/git/git-program.ts';
import type { ReviewItem } from '../../src/review/review-item.ts';
import { decideAll } from '../../src/review/select.ts';
import { diceOf, selectAtRandom } from '../support/random-decisions.ts';
import { type RandomSessionOptions, runIn, startSession } from '../support/random-session.ts';
import { picture, walk } from '../support/tree-on-disk.ts';

const NEVER = new AbortController().signal;

export interface Played {
  items: ReviewItem[];
  /** Reviews by random decisions that were compared with git. */
  reviews: number;
}

/**
 * Plays one step of a history. After each random review the project is what git makes of the same selection as a patch, and
 * undo is exact; after taking everything it is the next version, and undo is exact. The project's own `.git` stays as it is.
 */
export async function playHistory(
  before: Buffer,
  after: Buffer,
  seeds: readonly number[],
  options: Pick<RandomSessionOptions, 'backend' | 'cache'> = {},
): Promise<Played> {
  const folder = mkdtempSync(join(tmpdir(), 'sc-history-'));
  try {
    const next = join(folder, 'next');
    extract(after, next);
    await using played = await startSession({
      ...options,
      prepare: (project) => makeRepository(before, project),
    });
    const { session, project, directories } = played;
    await runIn(session, ['sh', '-c', REPLACE], after);
    const items = await session.changes();
    expect(items.filter(({ refused }) => refused !== undefined)).toEqual([]);
    const start = picture(project);
    const ownGit = picture(join(project, '.git'));
    const takeBack = () => undo({ root: project, stateDir: directories.state, session: session.id });

    for (const seed of seeds) {
      const readBlob = (oid: string) => session.ledger.readBlob(oid);
      const { decisions, patch } = await selectAtRandom(items, readBlob, diceOf(seed));
      const judge = join(folder, `judge-${seed}`);
      makeRepository(before, judge);
      if (patch.length > 0) git(judge, patch, 'apply', '--whitespace=nowarn', '-');
      const done = await session.apply(items, decisions, NEVER);
      expect([seed, done.conflicts]).toEqual([seed, []]);
      expect(walk(project), `the review of seed ${seed} is what git makes of it`).toEqual(walk(judge));
      if (done.applied.length > 0) await takeBack();
      expect(picture(project)).toEqual(start);
      rmSync(judge, { recursive: true });
    }

    const all = await session.apply(items, decideAll(items, 'all'), NEVER);
    expect(all.conflicts).toEqual([]);
    expect(walk(project)).toEqual(walk(next));
    await takeBack();
    expect(picture(project)).toEqual(start);
    expect(picture(join(project, '.git'))).toEqual(ownGit);
    return { items, reviews: seeds.length };
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Takes away everything but `.git`, then unpacks what comes in. */
const REPLACE =
  'find . -mindepth 1 -maxdepth 1 ! -name .git -exec rm -rf {} + && tar -xz --no-same-owner --strip-components=1 -f -';

function extract(tgz: Buffer, folder: string): void {
  mkdirSync(folder, { recursive: true });
  execFileSync('tar', ['-xz', '--no-same-owner', '--strip-components=1', '-C', folder, '-f', '-'], {
    input: tgz,
  });
}

function makeRepository(tgz: Buffer, folder: string): void {
  extract(tgz, folder);
  git(folder, undefined, 'init', '-q');
  git(folder, undefined, 'add', '-A', '-f');
  git(
    folder,
    undefined,
    '-c',
    'user.name=t',
    '-c',
    'user.email=t@example.com',
    'commit',
    '-q',
    '-m',
    'before',
  );
}

function git(folder: string, input: Buffer | undefined, ...args: string[]): void {
  execFileSync('git', args, {
    cwd: folder,
    env: { ...GIT_ENVIRONMENT },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(input === undefined ? {} : { input }),
  });
}
