/** At the next start: finishes what was committed and takes back what was not, after a kill or a power cut. */
import { existsSync } from 'node:fs';
import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { type HostPath, showPath } from '../base/path-bytes.ts';
import { HostRoot } from './host-root.ts';
import type { Refusal } from './intent.ts';
import type { Journal } from './journal.ts';
import { finish, type RunContext, type RunOptions, stepCounter, toApplyError, undoJournal } from './run.ts';
import { StateStore } from './state-store.ts';

/** A journal that can't be understood or settled; it holds up its own project only. */
export interface Stuck {
  outcome: 'stuck';
  error: SafeCoderError;
}

export interface Recovery {
  root: HostPath;
  session: string;
  kind: 'apply' | 'undo' | 'redo';
  /**
   * `finished`: it had been done but for the cleaning up. `undone`: the project is as it was before. `unreachable`: the
   * project is not where it was, and the journal stays. `busy`: another process is at it.
   */
  outcome: 'finished' | 'undone' | 'unreachable' | 'busy';
  /** Paths that someone changed meanwhile and that were left alone; their earlier content is kept in the session. */
  conflicts: Refusal[];
}

/**
 * Looks after every interrupted apply and undo, or those of the project at `root` only. What can't be settled is returned
 * with the reason, and stays for a person to look at.
 */
export async function recover(
  options: { stateDir: HostPath; root?: HostPath } & Pick<RunOptions, 'beforeStep'>,
): Promise<(Recovery | Stuck)[]> {
  const store = new StateStore(options.stateDir);
  const before = stepCounter(options.beforeStep);
  const { journals, damaged } = store.surveyJournals();
  const concerned = journals.filter(
    ({ record }) => options.root === undefined || isAt(options.root, record.root),
  );
  const recovered = concerned.map((journal): Recovery | Stuck => {
    const { kind, session, root } = journal.record;
    try {
      return { root: root.path as HostPath, session, kind, ...recoverOne(store, journal, before) };
    } catch (error) {
      if (error instanceof SafeCoderError) return { outcome: 'stuck', error };
      throw error;
    }
  });
  return [...recovered, ...damaged.map((error): Stuck => ({ outcome: 'stuck', error }))];
}

function isAt(path: HostPath, id: { dev: string; ino: string }): boolean {
  if (!existsSync(path)) return false;
  using root = HostRoot.open(path);
  return root.id.dev === id.dev && root.id.ino === id.ino;
}

function recoverOne(
  store: StateStore,
  journal: Journal,
  before: RunContext['before'],
): Pick<Recovery, 'outcome' | 'conflicts'> {
  const { path, dev, ino } = journal.record.root;
  if (!existsSync(path)) return { outcome: 'unreachable', conflicts: [] };
  try {
    using root = HostRoot.open(path as HostPath, { dev, ino });
    using _lock = store.lock(root.id);
    // Another process may have recovered it between the listing and the lock.
    const current = store.journal(root.id);
    if (current === undefined) return { outcome: 'finished', conflicts: [] };
    return settle({ root, store, before }, current);
  } catch (error) {
    const isAway =
      isSafeCoderError(error, 'apply/refused') || isSafeCoderError(error, 'session/project-gone');
    if (isAway) return { outcome: 'unreachable', conflicts: [] };
    if (isSafeCoderError(error, 'apply/busy')) return { outcome: 'busy', conflicts: [] };
    throw toApplyError(error);
  }
}

function settle(context: RunContext, journal: Journal): Pick<Recovery, 'outcome' | 'conflicts'> {
  if (journal.state === 'committed') {
    finish(context, journal);
    return { outcome: 'finished', conflicts: [] };
  }
  const { conflicts } = undoJournal(context, journal);
  return { outcome: 'undone', conflicts };
}

/** Recovers the opened and locked root before something new is done to it; returns what to tell. */
export function recoverRoot(context: RunContext): string[] {
  const journal = context.store.journal(context.root.id);
  if (journal === undefined) return [];
  const { outcome, conflicts } = settle(context, journal);
  const what = outcome === 'finished' ? 'finished' : 'taken back';
  return [
    `An interrupted ${journal.record.kind} was ${what}.`,
    ...conflicts.map(({ path, reason }) => `${showPath(path)} was left alone: ${reason}.`),
  ];
}
