/** `undo`: take back what was applied. */
import type { ApplyResult } from '../../apply/apply.ts';
import { previewUndo, redo, type UndoOptions, undo as undoApply } from '../../apply/undo.ts';
import { EXIT, type ExitCode, SafeCoderError } from '../../base/errors.ts';
import type { EventBody } from '../../base/events.ts';
import { type HostPath, showPath } from '../../base/path-bytes.ts';
import { toInertJson } from '../../headless/json-lines.ts';
import { settleInterrupted } from '../../session/apply-changes.ts';
import { takenBack } from '../../session/base-tree.ts';
import { unlandStored } from '../../session/land-stored.ts';
import { SessionStore } from '../../session/store.ts';
import { afterWriting } from '../after-writing.ts';
import { formatPlan } from '../apply-plan.ts';
import { confirm } from '../confirm.ts';
import { type CommonFlags, type Context, createContext, withSignals } from '../context.ts';
import { createFace } from '../start-session.ts';
import { type OpenedStoredSession, openStored } from '../stored-session.ts';

export interface UndoFlags extends CommonFlags {
  yes?: boolean;
  dryRun?: boolean;
  redo?: boolean;
  onConflict?: 'mine' | 'theirs' | 'markers';
}

export async function undo(id: string | undefined, flags: UndoFlags): Promise<void> {
  const context = createContext(flags);
  const face = createFace(context);
  const session = new SessionStore(context.directories.state).find(id, context.project);
  const { record } = session;
  const emit = (event: EventBody) =>
    face.show({ ...event, at: new Date().toISOString(), session: record.id });
  await settleInterrupted(context.directories.state, emit);
  await using ledger = new LazyLedger(context, record.id);
  const options: UndoOptions = {
    root: record.project as HostPath,
    ...(record.root && { rootId: record.root }),
    stateDir: context.directories.state,
    session: record.id,
    readBlob: (oid) => ledger.readBlob(oid),
    ...(flags.onConflict && { choice: flags.onConflict }),
  };
  const { shown, ...found } = await previewUndo(options, flags.redo ? 'redo' : 'undo');
  if (!context.json) context.err.write(formatPlan({ ...found, shown }, context.err.style));
  if (flags.dryRun) {
    if (context.json) print(context, 'undo.preview', record.id, found);
    process.exitCode = codeOf(found);
    return;
  }
  const question = `${flags.redo ? 'Do this again' : 'Take this back'} in ${showPath(record.project)}?`;
  if (found.actions.length > 0 && !(await confirm(context, question, flags.yes === true))) return;
  process.exitCode = await withSignals(async (signal) => {
    const done = await (flags.redo ? redo : undoApply)({ ...options, shown, signal });
    for (const message of done.warnings) emit({ type: 'warning', code: 'apply/note', message });
    const back = takenBack(done);
    if (back)
      await afterWriting(context, record.id, () => unlandStored(context.directories.state, session, back));
    if (context.json) {
      const { applied: undone, record: _, reversed: __, warnings: ___, ...facts } = done;
      print(context, flags.redo ? 'redone' : 'undone', record.id, {
        [flags.redo ? 'redone' : 'undone']: undone,
        ...facts,
      });
    } else tell(context, done, flags.redo === true);
    return codeOf(done);
  });
}

function print(context: Context, type: string, session: string, facts: object): void {
  context.out.write(`${toInertJson({ type, at: new Date().toISOString(), session, ...facts })}\n`);
}

function codeOf({ conflicts, marked }: Pick<ApplyResult, 'conflicts' | 'marked'>): ExitCode {
  return conflicts.length + marked.length > 0 ? EXIT.conflict : EXIT.done;
}

function tell({ err }: Context, { applied, conflicts, marked }: ApplyResult, isRedo: boolean): void {
  const files = applied.length === 1 ? '1 file is' : `${applied.length} files are`;
  const how = isRedo ? 'as applied' : 'as before';
  if (applied.length > 0) err.write(`${err.style.green('✓')} ${files} ${how}\n`);
  for (const path of marked)
    err.write(`${err.style.red('✗')} ${showPath(path)} holds conflict markers: settle them\n`);
  for (const { path, reason } of conflicts)
    err.write(`${err.style.red('✗')} ${showPath(path)} was left alone: ${reason}\n`);
  if (conflicts.some(({ choices }) => choices.length > 0))
    err.write('To settle conflicts: safe-coder undo --on-conflict mine|theirs|markers\n');
}

/** The session's ledger, opened when something of it is needed: taking back works without it. */
class LazyLedger implements AsyncDisposable {
  readonly #context: Context;
  readonly #session: string;
  #opened: OpenedStoredSession | undefined;

  constructor(context: Context, session: string) {
    this.#context = context;
    this.#session = session;
  }

  /** A blob, or undefined when the ledger is gone or damaged. */
  async readBlob(oid: string): Promise<Buffer | undefined> {
    try {
      this.#opened ??= await openStored(this.#context, this.#session);
      return await this.#opened.ledger.readBlob(oid);
    } catch (error) {
      // Without the blob an edited file is left alone, and named.
      if (error instanceof SafeCoderError && error.code.startsWith('ledger/')) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#opened?.[Symbol.asyncDispose]();
  }
}
