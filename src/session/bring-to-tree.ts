/** Brings a fresh copy of the project to a tree of the ledger: for sessions that go on, and for forks. */
import { SafeCoderError } from '../base/errors.ts';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import type { FileState } from '../diff/change-set.ts';
import type { LedgerReader } from '../ledger/ledger.ts';
import { restoreFiles } from '../sandbox/restore.ts';
import type { RestoreFile } from '../sandbox/restore-plan.ts';
import type { BlobSink, Capture, Sandbox } from '../sandbox/sandbox.ts';
import { isSameState } from './base-tree.ts';
import { findDifferences } from './restore-tree.ts';

export interface FreshCopy {
  sandbox: Sandbox;
  ledger: LedgerReader & { blobSink(): BlobSink };
  /** What was put in. */
  files: ReadonlyMap<RelPath, FileState>;
}

/**
 * Files that no ledger holds (withheld, ignored, skipped) stay as they were copied. Everything is read again afterwards:
 * throws `session/not-restored` with the paths when the workspace is not that tree. Returns that reading.
 */
export async function bringToTree({ sandbox, ledger, files }: FreshCopy, tree: string): Promise<Capture> {
  const target = await ledger.files(tree);
  const write: RestoreFile[] = [];
  for (const [path, state] of target) {
    const there = files.get(path);
    if (!isSameState(there, state)) write.push({ path, ...state, isNew: there === undefined });
  }
  const remove = [...files.keys()].filter((path) => !target.has(path));
  const plan = { remove, write, isFresh: true };
  await restoreFiles(sandbox, plan, (oid) => ledger.readBlob(oid));
  const capture = await sandbox.capture(ledger.blobSink(), {
    sweep: true,
    alsoWrote: write.map(({ path }) => path),
  });
  const different = findDifferences(plan, capture);
  if (different.length === 0) return capture;
  const more = different.length > 5 ? ` and ${different.length - 5} more` : '';
  throw new SafeCoderError(
    'session/not-restored',
    `The sandbox could not be brought to where the session was: ${different.slice(0, 5).map(showPath).join(', ')}${more}.`,
    {
      hint: 'The session is as it was before. Nothing was written.',
      details: { paths: different.slice(0, 1000) },
    },
  );
}
