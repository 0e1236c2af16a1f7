/** `show`: one entry, what ran and what it changed. */
import { SafeCoderError } from '../../base/errors.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { showDuration } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { type CommonFlags, createContext } from '../context.ts';
import { printChangeSet } from '../print-change-set.ts';
import { looksLikeEntry, openStored } from '../stored-session.ts';

export async function show(first: string, second: string | undefined, flags: CommonFlags): Promise<void> {
  const context = createContext(flags);
  await using stored = await openFor(context, first, second);
  const entry = await stored.ledger.resolve(stored.name);
  const parent = entry.parent === undefined ? undefined : await stored.ledger.resolve(entry.parent);
  const changeSet = parent
    ? await stored.ledger.changes(parent.tree, entry.tree, { renames: true })
    : undefined;
  if (context.json) {
    const { at, ...rest } = entry;
    const row = {
      type: 'entry',
      at: at.toISOString(),
      session: stored.session.record.id,
      ...rest,
      changes: changeSet?.changes ?? [],
    };
    context.out.write(`${toInertJson(row)}\n`);
    return;
  }
  const { trailers } = entry;
  context.out.write(`#${trailers.seq} ${entry.id}\n${escapeForTerminal(entry.title)}\n`);
  const facts: [string, string | undefined][] = [
    ['at', entry.at.toISOString()],
    ['turn', trailers.turn > 0 ? String(trailers.turn) : undefined],
    ['call', trailers.call],
    ['exit', trailers.exitCode?.toString()],
    ['took', trailers.durationMs === undefined ? undefined : showDuration(trailers.durationMs)],
    ['model', trailers.model],
    ['isolation', trailers.isolation],
    ['proof', trailers.proof],
    ['ignored', trailers.ignored > 0 ? `${trailers.ignored} files` : undefined],
    ['.git', trailers.gitChanged ? 'changed in the guest; never applied' : undefined],
  ];
  for (const [name, value] of facts)
    if (value !== undefined) context.out.write(`${name.padStart(10)}  ${escapeForTerminal(value)}\n`);
  for (const { path, reason, detail } of trailers.skipped) {
    context.out.write(
      `${'skipped'.padStart(10)}  ${escapeForTerminal(path)}: ${reason}${detail ? ` (${escapeForTerminal(detail)})` : ''}\n`,
    );
  }
  if (changeSet && changeSet.changes.length > 0) {
    context.out.write('\n');
    await printChangeSet(changeSet, stored.ledger, context.out, { stat: false });
  }
}

/** `show ENTRY`, `show ID ENTRY`, or `show ID` for its newest entry. */
async function openFor(context: ReturnType<typeof createContext>, first: string, second: string | undefined) {
  if (second !== undefined) return Object.assign(await openStored(context, first), { name: second });
  if (looksLikeEntry(first)) return Object.assign(await openStored(context, undefined), { name: first });
  try {
    return Object.assign(await openStored(context, first), { name: 'HEAD' });
  } catch (error) {
    if (!(error instanceof SafeCoderError) || error.code !== 'session/not-found') throw error;
    return Object.assign(await openStored(context, undefined), { name: first });
  }
}
