/**
 * Brings files of the workspace to another state, by what differs and nothing else: what no ledger holds (ignored files,
 * what capture skips) is never removed. If some of it is in the way, nothing at all is changed.
 */
import { isSafeCoderError, SafeCoderError } from '../base/errors.ts';
import { mapBounded } from '../base/map-bounded.ts';
import { decodePath, type RelPath, showPath } from '../base/path-bytes.ts';
import type { UnpackEntry } from '../guest/guest.ts';
import { openFolders } from './open-folders.ts';
import type { RestoreFile, RestorePlan } from './restore-plan.ts';
import { type RestoreStep, RestoreSurvey } from './restore-survey.ts';
import type { Sandbox } from './sandbox.ts';

/** Requests under way at once; the guest serves more, each with a process of its own. */
const AT_ONCE = 16;

/**
 * Carries out a plan that was made from a capture just before, best while the guest is frozen. Throws
 * `session/in-the-way` with the paths when something that no ledger holds would be lost, before anything is changed;
 * `guest/*` and what `readBlob` throws, and then a part may be done. It may be called again.
 */
export async function restoreFiles(
  sandbox: Sandbox,
  plan: RestorePlan,
  readBlob: (oid: string) => Promise<Buffer>,
): Promise<void> {
  if (plan.remove.length === 0 && plan.write.length === 0) return;
  try {
    await attempt(sandbox, plan, readBlob);
  } catch (error) {
    if (!isSafeCoderError(error, 'guest/failed') || error.details?.errnoName !== 'EACCES') throw error;
    // An execution has closed a folder, perhaps by `chmod -R a-w`. The owner may open it again.
    await openFolders(sandbox, [...plan.remove, ...plan.write.map(({ path }) => path)]);
    await attempt(sandbox, plan, readBlob);
  }
}

async function attempt(
  sandbox: Sandbox,
  plan: RestorePlan,
  readBlob: (oid: string) => Promise<Buffer>,
): Promise<void> {
  const survey = new RestoreSurvey(sandbox, plan);
  const steps = await survey.look();
  if (survey.inTheWay.length > 0) throw inTheWay(survey.inTheWay);
  await mapBounded(steps, AT_ONCE, (step) => removeOne(sandbox, step));
  for (const folder of survey.emptied) await removeIfEmpty(sandbox, folder);
  if (plan.write.length > 0) await sandbox.unpack(toEntries(plan.write, readBlob));
}

async function removeOne(sandbox: Sandbox, { path, recursive }: RestoreStep): Promise<void> {
  try {
    await sandbox.remove(`${sandbox.workspace}/${path}`, { recursive });
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
  }
}

async function removeIfEmpty(sandbox: Sandbox, folder: RelPath): Promise<void> {
  try {
    await sandbox.remove(`${sandbox.workspace}/${folder}`);
  } catch (error) {
    // Something that no ledger holds is in it, and it stays.
    if (!['ENOTEMPTY', 'EEXIST', 'ENOENT'].some((name) => isErrno(error, name))) throw error;
  }
}

async function* toEntries(
  files: readonly RestoreFile[],
  readBlob: (oid: string) => Promise<Buffer>,
): AsyncGenerator<UnpackEntry> {
  // The time is that of the restoring: to whatever builds by time stamps these files have changed.
  const mtimeNs = BigInt(Date.now()) * 1_000_000n;
  for (const { path, mode, oid } of [...files].sort((a, b) => (a.path < b.path ? -1 : 1))) {
    const bytes = await readBlob(oid);
    if (mode === '120000') yield { kind: 'symlink', path, mode: 0o777, mtimeNs, target: decodePath(bytes) };
    else yield { kind: 'file', path, mode: mode === '100755' ? 0o755 : 0o644, mtimeNs, content: [bytes] };
  }
}

function isErrno(error: unknown, name: string): boolean {
  return isSafeCoderError(error, 'guest/failed') && error.details?.errnoName === name;
}

function inTheWay(found: readonly { path: string; why: string }[]): SafeCoderError {
  const named = found.slice(0, 5).map(({ path, why }) => `${showPath(path)} (${why})`);
  const more = found.length > 5 ? ` and ${found.length - 5} more` : '';
  return new SafeCoderError(
    'session/in-the-way',
    `Nothing was changed, because what is in no entry would be lost: ${named.join(', ')}${more}.`,
    {
      hint: 'Move or remove it in the sandbox, then try again.',
      details: { paths: found.slice(0, 1000).map(({ path }) => path) },
    },
  );
}
