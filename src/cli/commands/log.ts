/** `log`: a session's timeline, from its ledger. */
import { isSafeCoderError, SafeCoderError } from '../../base/errors.ts';
import { type HostPath, type RelPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { fileHistory } from '../../ledger/file-history.ts';
import type { Entry, LedgerReader } from '../../ledger/ledger.ts';
import { StepCounter } from '../../session/step-changes.ts';
import { readTimeline, type TimelineTurn } from '../../session/timeline.ts';
import { formatEntry, formatTurn, type LogLine } from '../../tui/log-lines.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';
import { entryRow } from '../entry-row.ts';
import { expectedSigner } from '../ledger-signing.ts';
import { parseProjectPath } from '../project-path.ts';
import { type OpenedStoredSession, openStored } from '../stored-session.ts';

interface LogFlags extends CommonFlags {
  verify?: boolean;
  /** `-n`: only the last so many. */
  number?: number;
  turn?: number;
  tool?: string;
  file?: string;
}

export async function log(id: string | undefined, flags: LogFlags): Promise<void> {
  const context = createContext(flags);
  await using stored = await openStored(context, id);
  try {
    await list(context, stored, flags);
  } catch (error) {
    if (!flags.verify || !isSafeCoderError(error, 'ledger/damaged')) throw error;
    // The verification names all that is wrong, not only what the list met first.
    await verify(context, stored);
    throw error;
  }
  if (flags.verify) await verify(context, stored);
}

async function list(context: Context, { ledger, session }: OpenedStoredSession, flags: LogFlags) {
  const entries = await ledger.entries();
  const byId = new Map(entries.map((entry) => [entry.id, entry]));
  const file =
    flags.file === undefined ? undefined : parseProjectPath(flags.file, session.record.project as HostPath);
  const wanted = await selectEntries(ledger, entries, { ...flags, file });
  const isWhole = wanted.size === entries.length;
  const { items } = await readTimeline(session.folder, entries);
  const counter = new StepCounter(ledger);
  const write = context.json ? jsonWriter(context, session.record.id) : textWriter(context);
  /** The turn under way: told before its first entry, and without one only in a list of everything. */
  let turn: TimelineTurn | undefined;
  const tellTurn = () => {
    if (turn) write.turn(turn);
    turn = undefined;
  };
  for (const item of items) {
    if (item.type === 'turn') {
      if (isWhole) tellTurn();
      turn = item.turn;
    }
    if (item.type !== 'step' || !wanted.has(item.step.entry.id)) continue;
    if (turn && turn !== item.step.turn && !isWhole) turn = undefined;
    tellTurn();
    const parent = byId.get(item.step.entry.parent ?? '');
    const changes = parent ? await counter.count(parent, item.step.entry) : { paths: [] };
    write.entry({ step: item.step, changes });
  }
  if (isWhole) tellTurn();
}

/** Ids of the entries to show. */
async function selectEntries(
  ledger: LedgerReader,
  entries: readonly Entry[],
  { turn, tool, file, number }: Pick<LogFlags, 'turn' | 'tool' | 'number'> & { file: RelPath | undefined },
) {
  let wanted = entries.filter(
    ({ trailers }) =>
      (turn === undefined || trailers.turn === turn) && (tool === undefined || trailers.tool === tool),
  );
  if (file !== undefined) {
    const touched = await entriesOfFile(ledger, entries, file);
    wanted = wanted.filter((entry) => touched.has(entry.id));
  }
  return new Set(wanted.slice(number === undefined ? 0 : -number).map((entry) => entry.id));
}

/** A file that is gone has a history too: that of the last entry which had it, and the entry that took it away. */
async function entriesOfFile(ledger: LedgerReader, entries: readonly Entry[], path: RelPath) {
  const touched = new Set<string>();
  let next: Entry | undefined;
  for (const entry of entries.toReversed()) {
    if ((await ledger.fileAt(entry.tree, path)) !== undefined) {
      if (next) touched.add(next.id);
      for await (const step of fileHistory(ledger, path, entry)) touched.add(step.entry.id);
      return touched;
    }
    next = entry;
  }
  throw new SafeCoderError('usage/no-such-path', `No entry holds a file ${showPath(path)}.`, {
    hint: 'Name it relative to the project, e.g. --file src/main.ts',
  });
}

interface Writer {
  turn(turn: TimelineTurn): void;
  entry(line: LogLine): void;
}

function textWriter({ out }: Context): Writer {
  return {
    turn: (turn) => out.write(formatTurn(turn, out)),
    entry: (line) => out.write(formatEntry(line, out)),
  };
}

function jsonWriter({ out }: Context, session: string): Writer {
  return {
    turn: ({ at, ...rest }) => out.write(`${toInertJson({ type: 'turn', at, session, ...rest })}\n`),
    entry: ({ step, changes: { paths, lines } }) => {
      const row = { ...entryRow(session, step), changed: paths, ...(lines && { lines }) };
      out.write(`${toInertJson(row)}\n`);
    },
  };
}

/** Says what the verification found. Throws `ledger/damaged` with all faults when there are any. */
async function verify(context: Context, { ledger, session }: OpenedStoredSession): Promise<void> {
  const { json, out } = context;
  const { id } = session.record;
  const isOver = session.record.endedAt !== undefined && session.owner === undefined;
  const { head } = session.record;
  const signer = await expectedSigner(context);
  const verdict = await ledger.verify({
    isOver,
    ...(head === undefined ? {} : { recordedHead: head }),
    ...(signer === undefined ? {} : { signer }),
  });
  if (json) {
    const row = { type: 'verify', at: new Date().toISOString(), session: id, ...verdict };
    out.write(`${toInertJson(row)}\n`);
  } else if (verdict.ok) {
    out.write(`✓ Verified ${verdict.entries} entries: every object is there and matches its id.\n`);
    const { state, signer, upTo } = verdict.signatures;
    if (state !== 'none') out.write(`✓ Signed up to #${upTo ?? 0} with the key ${signer ?? '(unknown)'}.\n`);
  }
  if (verdict.ok) return;
  const { faults } = verdict;
  throw new SafeCoderError('ledger/damaged', `The ledger of session ${id} is damaged: ${faults[0]}`, {
    hint: faults.slice(1, 10).join('\n'),
    details: { faults },
  });
}
