/** `log`: a session's timeline, from its ledger. */
import { EXIT, SafeCoderError } from '../../base/errors.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { showDuration } from '../../config/quantities.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import type { Entry } from '../../ledger/ledger.ts';
import { readToolInputs } from '../../session/stored-inputs.ts';
import { describeInput } from '../../tui/event-printer.ts';
import { type CommonFlags, createContext } from '../context.ts';
import { openStored } from '../stored-session.ts';

export async function log(id: string | undefined, flags: CommonFlags & { verify?: boolean }): Promise<void> {
  const context = createContext(flags);
  await using stored = await openStored(context, id);
  const { ledger, session } = stored;
  const entries = await ledger.entries();
  const inputs = await readToolInputs(session.folder);
  let before: Entry | undefined;
  for (const entry of entries) {
    const changed =
      before && before.tree !== entry.tree
        ? await ledger.changes(before.tree, entry.tree, { renames: false })
        : undefined;
    const paths = changed?.changes.map((change) => change.path) ?? [];
    const input = inputs.get(entry.trailers.inputSha256 ?? '');
    if (context.json) context.out.write(`${toInertJson(toRow(session.record.id, entry, paths, input))}\n`);
    else context.out.write(`${describe(entry, paths.length, input)}\n`);
    before = entry;
  }
  if (flags.verify) await verify(stored, context.json, context.out.write);
}

async function verify(
  stored: Awaited<ReturnType<typeof openStored>>,
  json: boolean,
  write: (text: string) => void,
): Promise<void> {
  const verdict = await stored.ledger.verify();
  if (json) {
    const row = {
      type: 'verify',
      at: new Date().toISOString(),
      session: stored.session.record.id,
      ...verdict,
    };
    write(`${toInertJson(row)}\n`);
  } else if (verdict.ok) {
    write(`✓ Verified ${verdict.entries} entries: every object is there and matches its id.\n`);
  }
  if (!verdict.ok) {
    process.exitCode = EXIT.environment;
    throw new SafeCoderError(
      'ledger/damaged',
      `The ledger of session ${stored.session.record.id} is damaged: ${verdict.faults[0]}.`,
      {
        hint: verdict.faults.slice(1, 10).join('\n'),
        details: { faults: verdict.faults },
      },
    );
  }
}

function toRow(session: string, entry: Entry, changed: string[], input: unknown): Record<string, unknown> {
  const { id, tree, parent, title, at, trailers } = entry;
  return {
    type: 'entry',
    at: at.toISOString(),
    session,
    entry: id,
    tree,
    parent: parent ?? null,
    title,
    changed,
    ...(input === undefined ? {} : { input }),
    ...trailers,
  };
}

function describe(entry: Entry, changed: number, input: unknown): string {
  const { trailers } = entry;
  const parts = [
    `#${trailers.seq}`.padStart(5),
    entry.id.slice(0, 10),
    entry.at.toISOString().slice(11, 19),
    (trailers.durationMs === undefined ? '' : showDuration(trailers.durationMs)).padStart(10),
    (trailers.exitCode === undefined ? '' : `exit ${trailers.exitCode}`).padEnd(8),
    (changed === 0 ? '' : `${changed} changed`).padEnd(12),
    escapeForTerminal(`${entry.title} ${describeInput(input)}`.trim()),
  ];
  if (trailers.skipped.length > 0) parts.push(`(${trailers.skipped.length} skipped)`);
  return parts.join('  ').trimEnd();
}
