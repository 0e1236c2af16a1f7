/** `rollback` and `snapshot`: go back to an entry of a session that does not run, or name its last state. */
import { SafeCoderError } from '../../base/errors.ts';
import { showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { resolveEntry } from '../../session/resolve-entry.ts';
import type { RewindScope } from '../../session/rewind.ts';
import { rollBackStored, snapshotStored } from '../../session/stored-rewind.ts';
import { type CommonFlags, type Context, createContext } from '../context.ts';
import { findSession } from '../continue-session.ts';
import { describeRollback, namePaths } from '../describe-rollback.ts';
import { storedWriting } from '../ledger-signing.ts';
import { openStored } from '../stored-session.ts';

export interface RollbackFlags extends CommonFlags {
  session?: string;
  files?: boolean;
  conversation?: boolean;
}

export async function rollback(name: string, flags: RollbackFlags): Promise<void> {
  const context = createContext(flags);
  const scope = scopeOf(flags);
  const stored = findSession(context, flags.session);
  await announce(context, stored.record.id, name, scope);
  const at = new Date();
  const done = await rollBackStored(
    context.directories.state,
    stored,
    { name, scope, at },
    await storedWriting(context),
  );
  if (context.json) {
    const { entry, to, changed } = done;
    const facts = {
      entry: entry.id,
      seq: entry.trailers.seq,
      to: to.id,
      toSeq: to.trailers.seq,
      scope,
      changed,
    };
    const row = { type: 'rollback', at: at.toISOString(), session: stored.record.id, ...facts };
    context.out.write(`${toInertJson(row)}\n`);
    return;
  }
  const id = stored.record.id.slice(0, 8);
  context.err.write(
    `${context.err.style.green('✓')} ${describeRollback(done, scope)}\nThe project on disk is as it was. To go on from there: safe-coder resume ${id}\n`,
  );
}

/** What will be touched, before it is. */
async function announce(context: Context, id: string, name: string, scope: RewindScope): Promise<void> {
  if (context.json || context.quiet) return;
  await using stored = await openStored(context, id);
  const to = await resolveEntry(stored.ledger, name);
  const head = await stored.ledger.head();
  const { changes } = await stored.ledger.changes(head.tree, to.tree, { renames: false });
  const paths = changes.map(({ path }) => showPath(path));
  const files = scope === 'conversation' ? 'No file changes.' : namePaths(paths);
  context.err.write(
    `Session ${id.slice(0, 8)}, back to #${to.trailers.seq}: ${to.title}\n${files}\n${scope === 'files' ? 'The conversation stays.\n' : ''}`,
  );
}

export async function snapshot(label: string, flags: RollbackFlags): Promise<void> {
  const context = createContext(flags);
  const stored = findSession(context, flags.session);
  const at = new Date();
  const entry = await snapshotStored(
    context.directories.state,
    stored,
    label,
    at,
    await storedWriting(context),
  );
  const { seq } = entry.trailers;
  if (context.json) {
    const row = {
      type: 'snapshot',
      at: at.toISOString(),
      session: stored.record.id,
      entry: entry.id,
      seq,
      label,
    };
    context.out.write(`${toInertJson(row)}\n`);
  } else {
    context.err.write(`#${seq} ${entry.title} (session ${stored.record.id.slice(0, 8)})\n`);
  }
}

export function scopeOf({ files, conversation }: { files?: boolean; conversation?: boolean }): RewindScope {
  if (files && conversation) {
    throw new SafeCoderError('usage/bad-argument', '--files and --conversation exclude each other.', {
      hint: 'Without either, both go back.',
    });
  }
  if (files) return 'files';
  return conversation ? 'conversation' : 'both';
}
