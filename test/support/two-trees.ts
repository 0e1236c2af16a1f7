/** A base and a final tree in a real ledger, reviewed, with the base planted in a real project: what decisions are tried on. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApplyResult, applyPlan } from '../../src/apply/apply.ts';
import { undo } from '../../src/apply/undo.ts';
import { encodePath, type HostPath, type RelPath } from '../../src/base/path-bytes.ts';
import type { FileState } from '../../src/diff/change-set.ts';
import { createLedger, type LedgerWriter } from '../../src/ledger/writer.ts';
import { planSource } from '../../src/review/apply-plan.ts';
import type { Decision } from '../../src/review/decision.ts';
import { planFromDecisions } from '../../src/review/plan.ts';
import type { ReviewItem } from '../../src/review/review-item.ts';
import { listChanges } from '../../src/session/changes.ts';
import type { RandomTree } from './random-tree.ts';
import { plant } from './tree-on-disk.ts';

export interface TwoTrees extends AsyncDisposable {
  project: HostPath;
  /** Another folder with the base in it, for another judge. */
  copy: HostPath;
  items: ReviewItem[];
  readBlob: (oid: string) => Promise<Buffer>;
  apply(decisions: readonly Decision[]): Promise<ApplyResult>;
  undo(): Promise<ApplyResult>;
}

export async function openTwoTrees(base: RandomTree, final: RandomTree): Promise<TwoTrees> {
  const folder = mkdtempSync(join(tmpdir(), 'sc-law-'));
  const [project, copy, state] = ['project', 'copy', 'state'].map((name) => join(folder, name) as HostPath);
  if (project === undefined || copy === undefined || state === undefined) throw new Error('three folders');
  for (const path of [project, copy, state]) mkdirSync(path, { mode: 0o700 });
  plant(project, base);
  plant(copy, base);
  const ledger = await createLedger({
    dir: join(folder, 'ledger') as HostPath,
    objectFormat: 'sha1',
    session: 'law',
    sync: false,
  });
  const { from, to } = await record(ledger, base, final);
  const readBlob = (oid: string) => ledger.readBlob(oid);
  const items = await listChanges(ledger, from, to);
  const options = { root: project, stateDir: state, session: 'law' };
  return {
    project,
    copy,
    items,
    readBlob,
    async apply(decisions) {
      const plan = await planFromDecisions(items, decisions, readBlob);
      return applyPlan({ ...options, plan, readBlob: planSource(plan, readBlob), objectFormat: 'sha1' });
    },
    undo: () => undo(options),
    async [Symbol.asyncDispose]() {
      await ledger[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

async function record(
  ledger: LedgerWriter,
  base: RandomTree,
  final: RandomTree,
): Promise<{ from: string; to: string }> {
  const facts = { at: new Date(), turn: 0, skipped: [], ignored: 0, gitChanged: false };
  const initial = await ledger.commitInitial({
    ...facts,
    title: 'Initial snapshot - Safe Coder VM',
    files: storeTree(ledger, base),
  });
  const after = await ledger.append({
    ...facts,
    title: 'Agent executed: bash',
    kind: 'tool',
    written: [...storeTree(ledger, final)].map(([path, state]) => ({ path, ...state })),
    removed: [...base.keys()].filter((path) => !final.has(path)) as RelPath[],
  });
  return { from: initial.tree, to: after.tree };
}

/** Hands the bytes of a tree to the ledger and says what its files are there. */
export function storeTree(ledger: LedgerWriter, tree: RandomTree): Map<RelPath, FileState> {
  const sink = ledger.blobSink();
  const stored = new Map<RelPath, FileState>();
  for (const [path, file] of tree) {
    const bytes = file.kind === 'symlink' ? encodePath(file.target) : file.bytes;
    const mode = file.kind === 'symlink' ? '120000' : file.executable ? '100755' : '100644';
    stored.set(path as RelPath, { mode, oid: sink.writeBlob(bytes.length, [bytes]) });
  }
  return stored;
}
