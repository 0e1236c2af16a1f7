/** `diff`: what changed between two entries; from base to final without a range. */
import { showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import type { Entry, LedgerReader } from '../../ledger/ledger.ts';
import { reviewItems, toSummary } from '../../review/review-item.ts';
import { baseTreeOf } from '../../session/base-tree.ts';
import { colours, plain, type Screen } from '../../tui/style.ts';
import { type CommonFlags, createContext, userRulesOf } from '../context.ts';
import { openNamed } from '../find-entry.ts';
import { filterByPaths } from '../path-filter.ts';
import { printChangeSet } from '../print-change-set.ts';
import { looksLikeEntry, looksLikeRange } from '../stored-session.ts';

interface DiffFlags extends CommonFlags {
  stat?: boolean;
  nameOnly?: boolean;
  color?: 'auto' | 'always' | 'never';
}

/** `paths` are those after `--`. */
export async function diff(
  first: string | undefined,
  second: string | undefined,
  paths: readonly string[],
  flags: DiffFlags,
): Promise<void> {
  const context = createContext(flags);
  const userRules = userRulesOf(context);
  const { stored, name: range } = await openNamed(context, first, second, isRange);
  await using opened = stored;
  const { ledger, session } = opened;
  const [from, to] = await resolveRange(ledger, range);
  // What was applied is the project's own, unless a range says from where on.
  const base = range === undefined ? await baseTreeOf(session.record, ledger) : from.tree;
  const whole = await ledger.changes(base, to.tree, { renames: true });
  const changeSet = { ...whole, changes: filterByPaths(whole.changes, paths) };
  if (context.json) {
    const row = {
      type: 'changes',
      at: new Date().toISOString(),
      session: session.record.id,
      from: from.id,
      to: to.id,
      base: changeSet.base,
      final: changeSet.final,
      changes: (await reviewItems(changeSet, ledger, { userRules })).map(toSummary),
    };
    context.out.write(`${toInertJson(row)}\n`);
    return;
  }
  if (flags.nameOnly) {
    for (const { path } of changeSet.changes) context.out.write(`${showPath(path)}\n`);
    return;
  }
  await printChangeSet(changeSet, ledger, withColour(context.out, flags.color), {
    stat: flags.stat === true,
    userRules,
    title: `Changes from ${base === from.tree ? `#${from.trailers.seq}` : 'what was applied'} to #${to.trailers.seq}`,
  });
}

function isRange(word: string): boolean {
  return looksLikeEntry(word) || looksLikeRange(word);
}

/** `A..B`, `A..` and `A` (up to the newest), `..B` (from the base). */
async function resolveRange(ledger: LedgerReader, range: string | undefined): Promise<[Entry, Entry]> {
  const [from = '', to = ''] = range?.split('..', 2) ?? [];
  const first = async () => (await ledger.entries())[0] ?? ledger.head();
  return [
    from === '' ? await first() : await ledger.resolve(from),
    to === '' ? await ledger.head() : await ledger.resolve(to),
  ];
}

/** With `always` the patch goes out as to a terminal, for a pager: coloured, and with nothing in it that a terminal obeys. */
function withColour(out: Screen, color: DiffFlags['color'] = 'auto'): Screen {
  if (color === 'auto') return out;
  const { write, setStatus, isTerminal, columns } = out;
  return {
    write,
    setStatus,
    columns,
    isTerminal: isTerminal || color === 'always',
    style: color === 'always' ? colours : plain,
  };
}
