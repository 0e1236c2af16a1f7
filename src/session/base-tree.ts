/** What a session's changes are compared with: the project as it was put in, with what was applied since. */
import type { ApplyResult } from '../apply/apply.ts';
import type { RelPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { EntryInput, LedgerReader } from '../ledger/ledger.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import type { Landed, SessionFolder, SessionRecord } from './store.ts';

/** The tree that later changes are compared with. Throws what the ledger throws. */
export async function baseTreeOf(record: SessionRecord, ledger: LedgerReader): Promise<string> {
  const moved = record.landed?.at(-1)?.tree ?? record.base;
  if (moved !== undefined) return moved;
  const [initial] = await ledger.entries();
  return initial?.tree ?? (await ledger.head()).tree;
}

/** The tree of the project as the session found it, whatever was applied since. Throws what the ledger throws. */
export function begunWith(record: SessionRecord, ledger: LedgerReader): Promise<string> {
  return baseTreeOf({ ...record, landed: [] }, ledger);
}

export function isSameState(a: FileState | undefined, b: FileState | undefined): boolean {
  return a?.oid === b?.oid && a?.mode === b?.mode;
}

/** What was applied moves the base on: it is the project's own from then on, and shows as no change. */
export function moveBase(folder: SessionFolder, landed: Landed): void {
  folder.update({ landed: [...(folder.record.landed ?? []), landed] });
}

/** What an undo or a redo did: which record it took back, where, and its own record when it wrote anything. */
export interface TakenBack {
  reversed: string;
  paths: readonly RelPath[];
  record: string | undefined;
}

/** Of an undo's or redo's result; undefined when nothing of the project is as it was before. */
export function takenBack({ applied, unchanged, record, reversed }: ApplyResult): TakenBack | undefined {
  const paths = [...applied, ...unchanged];
  return reversed === undefined || paths.length === 0 ? undefined : { reversed, paths, record };
}

/**
 * What was taken back is in the base what it was before it landed; all else in the base stays. Nothing when that apply never
 * moved the base, because the session ran then. Throws `ledger/*`; the base then is where it was.
 */
export async function moveBaseBack(
  folder: SessionFolder,
  ledger: LedgerWriter,
  { reversed, paths, record }: TakenBack,
  at: Date,
): Promise<void> {
  const landed = folder.record.landed ?? [];
  const index = landed.findIndex((each) => each.record === reversed);
  if (index < 0) return;
  const earlier = await baseTreeOf({ ...folder.record, landed: landed.slice(0, index) }, ledger);
  const written: EntryInput['written'] = [];
  const removed: RelPath[] = [];
  const files = await ledger.files(earlier);
  for (const path of paths) {
    const state = files.get(path);
    if (state === undefined) removed.push(path);
    else written.push({ path, mode: state.mode, oid: state.oid });
  }
  const tree = await ledger.writeTree(await baseTreeOf(folder.record, ledger), { written, removed });
  moveBase(folder, { tree, at: at.toISOString(), ...(record !== undefined && { record }) });
}
