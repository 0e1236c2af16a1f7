/** What a running session writes to the project and takes back, and what that means for later change sets. */
import type { ApplyResult } from '../apply/apply.ts';
import { undo as undoApply } from '../apply/undo.ts';
import { toSafeCoderError } from '../base/errors.ts';
import type { Emit } from '../base/events.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import { type Applied, type ApplyRequest, applyChanges } from './apply-changes.ts';
import { baseTreeOf, begunWith, moveBaseBack, takenBack } from './base-tree.ts';
import type { EntryRecorder } from './entry-recorder.ts';
import { landChanges, type Review } from './land-changes.ts';
import type { SessionParts } from './session-parts.ts';

export class ProjectWrites {
  readonly #parts: SessionParts;
  readonly #recorder: EntryRecorder;
  readonly #state: HostPath;
  readonly #now: () => Date;
  /** All that was applied, and what conflicted then. */
  all: Applied = { applied: [], conflicts: [], marked: [] };

  constructor(parts: SessionParts, recorder: EntryRecorder, options: { state: HostPath; now: () => Date }) {
    this.#parts = parts;
    this.#recorder = recorder;
    this.#state = options.state;
    this.#now = options.now;
  }

  /** Tree of what the change set is compared with. */
  base(): Promise<string> {
    return baseTreeOf(this.#parts.folder.record, this.#parts.ledger);
  }

  /** Tree of the project as the session found it. */
  beganWith(): Promise<string> {
    return begunWith(this.#parts.folder.record, this.#parts.ledger);
  }

  /** What {@link apply} asks for. */
  request(review: Review, signal: AbortSignal): ApplyRequest {
    const { folder, ledger, copy, emit } = this.#parts;
    return {
      session: folder.record.id,
      project: copy.root,
      rootId: folder.record.root,
      reader: ledger,
      ...review,
      state: this.#state,
      emit,
      signal,
    };
  }

  /**
   * Writes the selected changes; what landed is no change any more. `shown` is what a look ahead showed. Throws `apply/*`;
   * conflicts are a result.
   */
  async apply(review: Review, signal: AbortSignal, shown?: ApplyRequest['shown']): Promise<Applied> {
    const { folder, ledger, conversation } = this.#parts;
    const done = await applyChanges({ ...this.request(review, signal), ...(shown && { shown }) });
    const stage = { folder, ledger, base: await this.base(), now: this.#now() };
    const entry = await this.#recorder.alone(() => landChanges(stage, review, done));
    if (entry) conversation.catchUp([entry]);
    this.all = {
      applied: [...this.all.applied, ...done.applied],
      conflicts: [...this.all.conflicts, ...done.conflicts],
      marked: [...this.all.marked, ...done.marked],
    };
    return done;
  }

  /** Takes back the newest apply; what it brought is a change again. Throws `apply/*`. */
  async undo(signal: AbortSignal): Promise<ApplyResult> {
    const { folder, ledger, copy } = this.#parts;
    const done = await undoApply({
      root: copy.root,
      ...(folder.record.root && { rootId: folder.record.root }),
      stateDir: this.#state,
      session: folder.record.id,
      readBlob: (oid) => ledger.readBlob(oid),
      signal,
    });
    const back = takenBack(done);
    if (back) await this.#recorder.alone(() => moveBaseBack(folder, ledger, back, this.#now()));
    return done;
  }
}

/** The ledger is whole either way; while it borrows, the project's own objects must stay. */
export async function settleLedger(ledger: LedgerWriter, emit: Emit): Promise<void> {
  try {
    await ledger.settle();
  } catch (error) {
    const { message } = toSafeCoderError(error);
    emit({
      type: 'warning',
      code: 'ledger/borrowed',
      message: `The ledger still needs objects of the project's own git: ${message}`,
      hint: "Keep the project's .git as long as you keep this session.",
    });
  }
}
