/** What a session's export holds: changes that can stand outside of the ledger, and by name what can't. */
import { decodePath, type RelPath } from '../base/path-bytes.ts';
import type { Change, FileState } from '../diff/change-set.ts';
import type { PatchChange, PatchSide } from '../diff/patch.ts';
import type { Entry, LedgerReader } from '../ledger/ledger.ts';
import { pathFault, symlinkFault } from '../policy/apply-path.ts';
import type { ApplyPlan } from '../review/apply-plan.ts';
import { planSource } from '../review/apply-plan.ts';
import { describeStep, type Timeline, type TimelineStep } from './timeline.ts';

export type ExportSide = FileState & { path: RelPath };

/** One file before and after; both with different paths for a rename. */
export interface ExportChange {
  before?: ExportSide;
  after?: ExportSide;
}

/** A change that git or apply would refuse. */
export interface LeftOut {
  path: string;
  reason: string;
}

export interface Exported {
  changes: ExportChange[];
  leftOut: LeftOut[];
}

/** One entry that changed something, as a commit of its own. */
export interface ExportStep extends Exported {
  subject: string;
  /** The prompt, on the first step of its turn; else empty. */
  text: string;
  trailers: string[];
  at: Date;
}

/** The changes between two trees. Throws `ledger/damaged`. */
export async function exportChanges(ledger: LedgerReader, base: string, final: string): Promise<Exported> {
  const { changes } = await ledger.changes(base, final, { renames: true });
  return withoutRefused(changes.map(toExportChange), (oid) => ledger.readBlob(oid));
}

/** What was accepted, with the bytes that its parts are composed of in the plan. */
export async function exportPlan(ledger: LedgerReader, plan: ApplyPlan): Promise<Exported> {
  const byGroup = new Map<string, ExportChange>();
  for (const { path, group, before, after } of plan.items) {
    const change = byGroup.get(group ?? path) ?? {};
    if (before) change.before = { path, ...before };
    if (after) change.after = { path, mode: after.mode, oid: after.oid };
    byGroup.set(group ?? path, change);
  }
  return withoutRefused(
    [...byGroup.values()],
    planSource(plan, (oid) => ledger.readBlob(oid)),
  );
}

/** Each entry that changed something. Throws `ledger/damaged`. */
export async function exportSteps(
  ledger: LedgerReader,
  session: string,
  entries: readonly Entry[],
  timeline: Timeline,
): Promise<ExportStep[]> {
  const steps: ExportStep[] = [];
  let told: unknown;
  for (const [index, entry] of entries.entries()) {
    const parent = entries[index - 1];
    if (parent === undefined || parent.tree === entry.tree) continue;
    const step = timeline.steps.get(entry.id) ?? { entry };
    const exported = await exportChanges(ledger, parent.tree, entry.tree);
    const text = step.turn === undefined || step.turn === told ? '' : step.turn.prompt;
    told = step.turn ?? told;
    steps.push({ ...exported, ...describeForGit(session, step), text });
  }
  return steps;
}

function describeForGit(
  session: string,
  step: TimelineStep,
): Pick<ExportStep, 'subject' | 'trailers' | 'at'> {
  const { id, at, trailers } = step.entry;
  return {
    subject: [...describeStep(step)].slice(0, 72).join(''),
    at,
    trailers: [
      `Safe-Coder-Session: ${session}`,
      `Safe-Coder-Entry: ${trailers.seq} ${id}`,
      ...(trailers.turn > 0 ? [`Safe-Coder-Turn: ${trailers.turn}`] : []),
    ],
  };
}

/** A change with its bytes, for a patch. */
export async function readChange(
  change: ExportChange,
  read: (oid: string) => Promise<Buffer>,
): Promise<PatchChange> {
  const side = async (state: ExportSide): Promise<PatchSide> => ({ ...state, bytes: await read(state.oid) });
  return {
    ...(change.before && { before: await side(change.before) }),
    ...(change.after && { after: await side(change.after) }),
  };
}

/** Both sides of a change with their names. */
export function toExportChange({ path, from, before, after }: Change): ExportChange {
  return {
    ...(before && { before: { path: from ?? path, ...before } }),
    ...(after && { after: { path, ...after } }),
  };
}

async function withoutRefused(
  all: readonly ExportChange[],
  read: (oid: string) => Promise<Buffer>,
): Promise<Exported> {
  const changes: ExportChange[] = [];
  const leftOut: LeftOut[] = [];
  for (const change of all) {
    const fault = await faultOf(change, read);
    if (fault === undefined) changes.push(change);
    else leftOut.push({ path: (change.after ?? change.before)?.path ?? '', reason: fault });
  }
  return { changes, leftOut };
}

async function faultOf(
  { before, after }: ExportChange,
  read: (oid: string) => Promise<Buffer>,
): Promise<string | undefined> {
  const name = (before && pathFault(before.path)) ?? (after && pathFault(after.path));
  if (name !== undefined || after?.mode !== '120000') return name;
  return symlinkFault(after.path, decodePath(await read(after.oid)));
}
