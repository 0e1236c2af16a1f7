/** `diff`: what changed between two entries; from base to final without a range. */
import { toInertJson } from '../../headless/json-lines.ts';
import type { Entry, LedgerReader } from '../../ledger/ledger.ts';
import { type CommonFlags, createContext } from '../context.ts';
import { printChangeSet } from '../print-change-set.ts';
import { looksLikeRange, openStored } from '../stored-session.ts';

export async function diff(
  first: string | undefined,
  second: string | undefined,
  flags: CommonFlags & { stat?: boolean },
): Promise<void> {
  const context = createContext(flags);
  const range = second ?? (first !== undefined && looksLikeRange(first) ? first : undefined);
  await using stored = await openStored(context, first === range ? undefined : first);
  const [from, to] = await resolveRange(stored.ledger, range);
  const changeSet = await stored.ledger.changes(from.tree, to.tree, { renames: true });
  if (context.json) {
    const row = {
      type: 'changes',
      at: new Date().toISOString(),
      session: stored.session.record.id,
      from: from.id,
      to: to.id,
      ...changeSet,
    };
    context.out.write(`${toInertJson(row)}\n`);
    return;
  }
  await printChangeSet(changeSet, stored.ledger, context.out, { stat: flags.stat === true });
}

async function resolveRange(ledger: LedgerReader, range: string | undefined): Promise<[Entry, Entry]> {
  const [from = '', to = ''] = range?.split('..', 2) ?? [];
  const first = async () => (await ledger.entries())[0] ?? ledger.head();
  return [
    from === '' ? await first() : await ledger.resolve(from),
    to === '' ? await ledger.head() : await ledger.resolve(to),
  ];
}
