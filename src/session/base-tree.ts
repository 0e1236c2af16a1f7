/** What a session's changes are compared with: the project as it was put in, with what was applied since. */
import type { FileState } from '../diff/change-set.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import type { Landed, SessionFolder, SessionRecord } from './store.ts';

/** The tree that later changes are compared with. Throws what the ledger throws. */
export async function baseTreeOf(record: SessionRecord, ledger: LedgerReader): Promise<string> {
  const landed = standing(record).at(-1)?.tree ?? record.base;
  if (landed !== undefined) return landed;
  const [initial] = await ledger.entries();
  return initial?.tree ?? (await ledger.head()).tree;
}

export function isSameState(a: FileState | undefined, b: FileState | undefined): boolean {
  return a?.oid === b?.oid && a?.mode === b?.mode;
}

/** What was applied moves the base on: it is the project's own from then on, and shows as no change. */
export function moveBase(folder: SessionFolder, tree: string, at: Date): void {
  const landed = standing(folder.record);
  folder.update({ landed: [...landed, { tree, at: at.toISOString() }] });
}

/** The newest apply that stands was taken back. Nothing where there is none. */
export function moveBaseBack(folder: SessionFolder): void {
  const landed = [...(folder.record.landed ?? [])];
  const index = landed.findLastIndex(({ isUndone }) => isUndone !== true);
  const newest = landed[index];
  if (newest === undefined) return;
  landed[index] = { ...newest, isUndone: true };
  folder.update({ landed });
}

/** The last taking back was taken back. */
export function moveBaseAgain(folder: SessionFolder): void {
  const landed = [...(folder.record.landed ?? [])];
  const index = landed.findIndex(({ isUndone }) => isUndone === true);
  const next = landed[index];
  if (next === undefined) return;
  landed[index] = { tree: next.tree, at: next.at };
  folder.update({ landed });
}

function standing(record: SessionRecord): Landed[] {
  return (record.landed ?? []).filter(({ isUndone }) => isUndone !== true);
}
