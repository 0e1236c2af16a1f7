/** Exported changes in the forms that git takes: a patch, a mailbox of patches, commits. */
import { showPath } from '../base/path-bytes.ts';
import { formatMail } from '../diff/mail.ts';
import { formatPatch } from '../diff/patch.ts';
import { type Exported, type ExportStep, readChange } from './export-changes.ts';

type Read = (oid: string) => Promise<Buffer>;

/** One patch, piece by piece. What is left out is named above it, where `git apply` looks for nothing. */
export async function* patchPieces({ changes, leftOut }: Exported, read: Read): AsyncGenerator<Buffer> {
  for (const { path, reason } of leftOut)
    yield Buffer.from(`Left out: ${showPath(path).toWellFormed()} (${reason})\n`);
  if (leftOut.length > 0) yield Buffer.from('\n');
  for (const change of changes) yield formatPatch([await readChange(change, read)]);
}

/** A mailbox for `git am`, one mail for each step that has a change to give. */
export async function* mailPieces(steps: readonly ExportStep[], read: Read): AsyncGenerator<Buffer> {
  const given = steps.filter(({ changes }) => changes.length > 0);
  for (const [index, { changes, leftOut, subject, text, trailers, at }] of given.entries()) {
    const patches: Buffer[] = [];
    for (const change of changes) patches.push(formatPatch([await readChange(change, read)]));
    const patch = Buffer.concat(patches);
    const lines = [...trailers, ...leftOutTrailers(leftOut)];
    yield formatMail({ subject, text, trailers: lines, at, number: index + 1, total: given.length, patch });
  }
}

/** The step's message as a commit has it. */
export function commitMessage({ subject, text, trailers, leftOut }: ExportStep): string {
  const body = text.trim() === '' ? '' : `${text.trim()}\n\n`;
  return `${subject}\n\n${body}${[...trailers, ...leftOutTrailers(leftOut)].join('\n')}\n`;
}

function leftOutTrailers(leftOut: Exported['leftOut']): string[] {
  return leftOut.map(
    ({ path, reason }) => `Safe-Coder-Left-Out: ${showPath(path).toWellFormed()} (${reason})`,
  );
}
