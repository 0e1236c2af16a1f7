/** Names of entries, as people give them. */
import { SafeCoderError } from '../base/errors.ts';
import type { Entry, LedgerReader } from '../ledger/ledger.ts';

/** By a snapshot's label (the newest of that name), or as {@link LedgerReader.resolve}. Throws `ledger/no-such-entry`. */
export async function resolveEntry(ledger: LedgerReader, name: string): Promise<Entry> {
  const wanted = name.trim();
  const labelled = (await ledger.entries()).findLast(({ trailers }) => trailers.label === wanted);
  return labelled ?? ledger.resolve(wanted);
}

/** Throws `usage/bad-argument` for a label that could be taken for another name of an entry. */
export function checkLabel(label: string): string {
  const wanted = label.trim();
  const looksLikeEntry = /^#?\d+$|^HEAD$|^[0-9a-f]{4,64}$|\.\./.test(wanted);
  const isPlain = /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,100}$/u.test(wanted);
  if (isPlain && !looksLikeEntry && !wanted.startsWith('-')) return wanted;
  throw new SafeCoderError('usage/bad-argument', `${JSON.stringify(label)} can't be a label.`, {
    hint: 'Use a few words that are no number, no hash and not "HEAD", e.g. "before-refactoring".',
  });
}
