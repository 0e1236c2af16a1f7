/**
 * One piece of work, composed: a sandbox on a copy of the project, a ledger of what happens in it, prompts and
 * commands, the change set, apply. Whoever starts a session owns it and ends it; then the guest, its disk and every
 * process are gone, and the ledger and the conversation stay.
 */
import type { ApplyResult } from '../apply/apply.ts';
import { CleanupStack } from '../base/cleanup-stack.ts';
import { type SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit, EventBody, IsolationInfo, Usage } from '../base/events.ts';
import { once } from '../base/lifetime.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { SpawnEnd } from '../guest/guest.ts';
import type { Entry } from '../ledger/ledger.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import { compileUserRules, type UserRules } from '../policy/risk/user-rules.ts';
import type { Decision } from '../review/decision.ts';
import type { ReviewItem } from '../review/review-item.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { type AgentOptions, AgentWork } from './agent-work.ts';
import type { Applied, ApplyRequest } from './apply-changes.ts';
import { listChanges, summarizeChanges } from './changes.ts';
import { EntryRecorder, type Recorded, warnAboutSkipped } from './entry-recorder.ts';
import { acceptState, hasVerdict } from './land-changes.ts';
import { openAgain, openNew } from './open-session.ts';
import { ProjectWrites, settleLedger } from './project-writes.ts';
import { type RewindParts, type RewindScope, type RolledBack, rollBack, takeSnapshot } from './rewind.ts';
import { runCommand } from './run-command.ts';
import type { LeftOut, SessionEnding, SessionOptions, SessionParts } from './session-parts.ts';
import type { StoredSession } from './store.ts';
import type { ExecRequest } from './told-output.ts';

export class Session implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly ledger: LedgerWriter;
  readonly #parts: SessionParts;
  readonly #userRules: UserRules;
  readonly #recorder: EntryRecorder;
  readonly #agent: AgentWork;
  readonly #writes: ProjectWrites;
  readonly #emit: Emit;
  readonly #now: () => Date;
  #execs = 0;
  #reviewed: { base: string; tree: string; items: ReviewItem[] } | undefined;
  #ending: SessionEnding = { ok: true, reason: 'done' };
  #lastFailure = '';

  private constructor(options: SessionOptions, parts: SessionParts) {
    const { sandbox, ledger, conversation, copy, emit, folder } = parts;
    this.#parts = parts;
    this.#userRules = compileUserRules(options.settings.risk.rules);
    this.#emit = emit;
    this.#now = options.now ?? (() => new Date());
    this.sandbox = sandbox;
    this.ledger = ledger;
    this.#recorder = new EntryRecorder(
      sandbox,
      ledger,
      this.#now,
      (entry) => conversation.catchUp([entry]),
      parts.network?.decisions,
    );
    const { state } = options.directories;
    this.#writes = new ProjectWrites(parts, this.#recorder, { state, now: this.#now });
    if (parts.found) this.#recorder.beginWith(parts.found);
    this.#agent = new AgentWork({
      sandbox,
      recorder: this.#recorder,
      conversation,
      copy,
      ledger,
      emit,
      settings: options.settings,
      model: options.model,
      now: this.#now,
      base: parts.initial,
      network: parts.network,
      ...(folder.record.usage ? { before: folder.record.usage } : {}),
    });
  }

  /** Starts a new session. Throws as {@link openNew}. */
  static async start(options: SessionOptions): Promise<Session> {
    return new Session(options, await openNew(options));
  }

  /** Goes on with a stored one; `options` say with which backend, settings and model. Throws as {@link openAgain}. */
  static async resume(
    options: Omit<SessionOptions, 'face' | 'title' | 'project'>,
    stored: StoredSession,
  ): Promise<Session> {
    const { face, title, project } = stored.record;
    const all = { ...options, face: face as SessionOptions['face'], title, project: project as HostPath };
    return new Session(all, await openAgain(all, stored));
  }

  get id(): string {
    return this.#parts.folder.record.id;
  }

  get project(): HostPath {
    return this.#parts.copy.root;
  }

  get isolation(): IsolationInfo {
    return this.sandbox.isolation;
  }

  get usage(): Usage {
    return this.#agent.usage;
  }

  /** Where this session's record, events, conversation and ledger are. */
  get folder(): HostPath {
    return this.#parts.folder.folder;
  }

  /** One turn of the agent. Never throws; afterwards a sweep has recorded what background jobs did. */
  async prompt(text: string, options: AgentOptions): Promise<SessionEnding> {
    // A chat is known by what was asked first.
    if (this.#agent.turns === 0) this.#parts.folder.update({ title: text.slice(0, 500) });
    this.#ending = await this.#agent.turn(text, options);
    if (!this.#ending.ok) this.#lastFailure = this.#ending.reason;
    await this.#sweepQuietly();
    return this.#ending;
  }

  /** A command outside the agent's turns: see {@link runCommand}. */
  exec(
    tool: 'exec' | 'shell',
    options: ExecRequest,
    signal: AbortSignal,
  ): Promise<{ end: SpawnEnd; recorded: Recorded }> {
    this.#execs += 1;
    const parts = { sandbox: this.sandbox, recorder: this.#recorder, emit: this.#emit };
    const call = `${tool}-${this.#execs}`;
    return runCommand(parts, { tool, call, turn: this.#agent.turns }, options, signal);
  }

  /** Names the state of now: see {@link takeSnapshot}. Not while a turn runs. */
  snapshot(label: string): Promise<Entry> {
    return takeSnapshot(this.#rewindParts, label, this.#agent.turns);
  }

  /** Goes back to an entry, by number, label or id: see {@link rollBack}. Not while a turn runs. */
  rollback(name: string, scope: RewindScope = 'both'): Promise<RolledBack> {
    return rollBack(this.#rewindParts, name, { scope, turn: this.#agent.turns, jobs: this.#agent.jobs });
  }

  /**
   * After a review in a session that goes on: the workspace is brought to what was accepted, and the next turn begins with
   * what was rejected and why. Undefined when all was accepted without a word. Throws as {@link acceptState}.
   */
  async acceptReview(
    items: readonly ReviewItem[],
    decisions: readonly Decision[],
  ): Promise<Recorded | undefined> {
    if (!hasVerdict(decisions)) return undefined;
    return acceptState(this.#rewindParts, { items, decisions }, this.#agent.turns);
  }

  get #rewindParts(): RewindParts {
    const { sandbox, ledger, conversation, emit } = this.#parts;
    return { sandbox, ledger, conversation, emit, recorder: this.#recorder, now: this.#now };
  }

  /** Reads everything again with the guest frozen, then compares base and final tree. Throws `guest/*`, `ledger/*`. */
  async changes(): Promise<ReviewItem[]> {
    await this.#sweep();
    return this.recordedChanges();
  }

  /** The change set of what the ledger holds; works also when the guest is lost. */
  async recordedChanges(): Promise<ReviewItem[]> {
    const { tree } = await this.ledger.head();
    const base = await this.#writes.base();
    const known = this.#reviewed;
    // Asked for at the review and again at the end: trees that did not change have the same changes.
    if (known?.tree === tree && known.base === base) return known.items;
    const isIgnored = (path: string) => this.#parts.copy.isIgnored(path);
    const items = await listChanges(this.ledger, base, tree, isIgnored, this.#userRules);
    this.#reviewed = { base, tree, items };
    return items;
  }

  /** What the session changed from its beginning to now, applied or not. */
  async #allChanges(tree: string): Promise<ReviewItem[]> {
    const begun = await this.#writes.beganWith();
    if (begun === (await this.#writes.base())) return this.recordedChanges();
    const isIgnored = (path: string) => this.#parts.copy.isIgnored(path);
    return listChanges(this.ledger, begun, tree, isIgnored, this.#userRules);
  }

  /** Writes the selected changes to the project: see {@link ProjectWrites.apply}. */
  apply(
    items: readonly ReviewItem[],
    decisions: readonly Decision[],
    signal: AbortSignal,
    shown?: ApplyRequest['shown'],
  ): Promise<Applied> {
    return this.#writes.apply({ items, decisions }, signal, shown);
  }

  /** What {@link apply} would ask for, to look ahead. */
  applyRequest(
    items: readonly ReviewItem[],
    decisions: readonly Decision[],
    signal: AbortSignal,
  ): ApplyRequest {
    return this.#writes.request({ items, decisions }, signal);
  }

  /** Takes back the newest apply: see {@link ProjectWrites.undo}. */
  undo(signal: AbortSignal): Promise<ApplyResult> {
    return this.#writes.undo(signal);
  }

  /** Why the session ended, so far; its own end may add a failure. */
  get ending(): SessionEnding {
    return this.#ending;
  }

  /** Overrides why the session ended, for `session.end` and the record. */
  conclude(ending: SessionEnding): void {
    this.#lastFailure = '';
    this.#ending = ending;
  }

  emit(event: EventBody): void {
    this.#emit(event);
  }

  /** Tells of a failure as an event of this session, which then does not end well. */
  fail(error: unknown): SafeCoderError {
    const failure = toSafeCoderError(error);
    const { code, message, hint } = failure;
    // What ended the turn is told already, and the next act often fails for the same reason.
    if (code !== this.#lastFailure) {
      this.#emit({ type: 'error', code, message, ...(hint === undefined ? {} : { hint }) });
    }
    this.#lastFailure = code;
    if (this.#ending.ok) this.#ending = { ok: false, reason: code };
    return failure;
  }

  /** What the guest holds and the ledger doesn't, as the last sweep found it. */
  get leftOut(): LeftOut {
    const { skipped, ignored, gitChanged } = this.#recorder.leftOut;
    return { skipped: skipped.map(({ path, reason }) => ({ path, reason })), ignored, gitChanged };
  }

  /** The same, with what did not even come along; that was told at the start. */
  get #allLeftOut(): LeftOut {
    const found = this.leftOut;
    const paths = new Set(found.skipped.map(({ path }) => path));
    const never = this.#parts.copy.snapshot.skipped.filter(({ path }) => !paths.has(path));
    return { ...found, skipped: [...never.map(({ path, reason }) => ({ path, reason })), ...found.skipped] };
  }

  /** Ends the guest, makes the ledger stand alone, emits `session.end`. Idempotent; never hides an earlier error. */
  readonly end = once(async () => {
    await using stack = new CleanupStack();
    stack.use(this.#parts.copy);
    stack.use(this.#parts.folder);
    stack.use(this.ledger);
    stack.use(this.#parts.run);
    stack.use(this.sandbox);
    const entries = await this.ledger.entries();
    const head = entries.at(-1) ?? (await this.ledger.head());
    const items = await this.#allChanges(head.tree);
    // What tools keep outside the workspace goes with a VM; elsewhere it has to be taken away.
    if (this.isolation.level !== 'vm') await this.#agent[Symbol.asyncDispose]();
    await this.#parts.network?.[Symbol.asyncDispose]();
    await this.sandbox.end();
    await settleLedger(this.ledger, this.#emit);
    await this.ledger.seal();
    this.#recordEnd(head);
    this.#emit({
      type: 'session.end',
      ...this.#ending,
      changes: summarizeChanges(items),
      applied: this.#writes.all.applied,
      conflicts: this.#writes.all.conflicts.map(({ path }) => path),
      marked: this.#writes.all.marked,
      ...this.#allLeftOut,
      ledger: { head: head.id, entries: entries.length },
      usage: this.usage,
    });
  });

  /** A record that can't be written leaves the session listed as interrupted; its end is told all the same. */
  #recordEnd(head: Entry): void {
    try {
      this.#parts.folder.update({
        endedAt: this.#now().toISOString(),
        reason: this.#ending.reason,
        usage: this.usage,
        final: head.tree,
        head: head.id,
        ignored: this.#recorder.leftOut.ignored,
      });
    } catch (error) {
      this.fail(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end();
  }

  #sweep(): Promise<Recorded | undefined> {
    const turn = this.#agent.turns;
    return this.#recorder.sweep({ title: `Sweep after turn ${turn}`, kind: 'sweep', turn });
  }

  /** The sweep at the end of a turn: a failure becomes the session's ending, and the next use of the guest fails anyway. */
  async #sweepQuietly(): Promise<void> {
    try {
      const swept = await this.#sweep();
      if (swept) warnAboutSkipped(this.#emit, swept.capture);
    } catch (error) {
      this.fail(error);
    }
  }
}
