/**
 * One piece of work, composed: a sandbox on a copy of the project, a ledger of what happens in it, prompts and
 * commands, the change set, apply. Whoever starts a session owns it and ends it; then the guest, its disk and every
 * process are gone, and the ledger and the conversation stay.
 */
import { identifyRoot } from '../apply/host-root.ts';
import { CleanupStack } from '../base/cleanup-stack.ts';
import { SafeCoderError, toSafeCoderError } from '../base/errors.ts';
import type { Emit, EventBody, IsolationInfo, Usage } from '../base/events.ts';
import { once, throwIfCancelled } from '../base/lifetime.ts';
import type { HostPath } from '../base/path-bytes.ts';
import type { SpawnEnd } from '../guest/guest.ts';
import type { Entry } from '../ledger/ledger.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import type { Decision } from '../review/decision.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { openSandbox } from '../sandbox/open.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { type AgentOptions, AgentWork } from './agent-work.ts';
import { type Applied, applyChanges } from './apply-changes.ts';
import { listChanges, summarizeChanges } from './changes.ts';
import { digestInput, EntryRecorder, type Recorded, warnAboutSkipped } from './entry-recorder.ts';
import { launchSpec } from './launch-spec.ts';
import { ProjectCopy } from './project-copy.ts';
import { RunFolder, sweepRunFolders } from './run-folder.ts';
import {
  createEmit,
  exitCodeOf,
  type LeftOut,
  type SessionEnding,
  type SessionOptions,
  type SessionParts,
} from './session-parts.ts';
import { type SessionFolder, SessionStore } from './store.ts';
import { type ExecRequest, endOf, ToldOutput } from './told-output.ts';

export class Session implements AsyncDisposable {
  readonly sandbox: Sandbox;
  readonly ledger: LedgerWriter;
  readonly #options: SessionOptions;
  readonly #folder: SessionFolder;
  readonly #run: RunFolder;
  readonly #copy: ProjectCopy;
  readonly #initial: Entry;
  readonly #recorder: EntryRecorder;
  readonly #agent: AgentWork;
  readonly #emit: Emit;
  #execs = 0;
  #reviewed: { tree: string; items: ReviewItem[] } | undefined;
  #applied: Applied = { applied: [], conflicts: [] };
  #ending: SessionEnding = { ok: true, reason: 'done' };

  private constructor(options: SessionOptions, parts: SessionParts) {
    this.#options = options;
    this.#folder = parts.folder;
    this.#run = parts.run;
    this.#copy = parts.copy;
    this.#initial = parts.initial;
    this.#emit = parts.emit;
    this.sandbox = parts.sandbox;
    this.ledger = parts.ledger;
    this.#recorder = new EntryRecorder(parts.sandbox, parts.ledger, options.now ?? (() => new Date()));
    this.#agent = new AgentWork({
      sandbox: parts.sandbox,
      recorder: this.#recorder,
      folder: parts.folder,
      copy: parts.copy,
      ledger: parts.ledger,
      emit: parts.emit,
      settings: options.settings,
      model: options.model,
      now: options.now ?? (() => new Date()),
    });
  }

  /**
   * Copies the project in, starts the guest, proves its isolation and writes the initial entry. Throws what those throw;
   * on any throw nothing is left running and no session is left behind.
   */
  static async start(options: SessionOptions): Promise<Session> {
    const now = options.now ?? (() => new Date());
    sweepRunFolders(options.directories.state, Date.now());
    await using started = new CleanupStack();
    const copy = started.use(ProjectCopy.open(options.project, options));
    const { face, title } = options;
    const folder = new SessionStore(options.directories.state).create(
      {
        project: copy.root,
        root: identifyRoot(copy.root),
        face,
        title: title.slice(0, 500),
        ...(options.model ? { model: options.model.id } : {}),
      },
      now(),
    );
    started.defer(() => folder[Symbol.dispose]());
    const discard = folder.discard.bind(folder);
    try {
      const emit = createEmit(options, folder, now);
      const run = started.use(RunFolder.create(options.directories.state));
      const ledger = started.use(await copy.createLedger(folder));
      const spec = launchSpec(options, run, copy.root);
      const source = copy.source(ledger, run.path, emit);
      const sandbox = started.use(
        await openSandbox({ backend: options.backend, spec, source, signal: options.signal, emit }),
      );
      const initial = await copy.commitInitial(ledger, sandbox.isolation, now());
      folder.update({ isolation: sandbox.isolation, base: initial.tree });
      emit({
        type: 'session.start',
        path: copy.root,
        isolation: sandbox.isolation,
        ...(options.model ? { model: options.model.id } : {}),
        base: initial.tree,
        withheld: copy.withheld,
      });
      for (const warning of copy.warnings()) emit(warning);
      const session = new Session(options, { folder, run, copy, ledger, sandbox, initial, emit });
      started.release();
      return session;
    } catch (error) {
      discard();
      throw error;
    }
  }

  get id(): string {
    return this.#folder.record.id;
  }

  get project(): HostPath {
    return this.#copy.root;
  }

  get isolation(): IsolationInfo {
    return this.sandbox.isolation;
  }

  get usage(): Usage {
    return this.#agent.usage;
  }

  /** Where this session's record, events, conversation and ledger are. */
  get folder(): HostPath {
    return this.#folder.folder;
  }

  /** One turn of the agent. Never throws; afterwards a sweep has recorded what background jobs did. */
  async prompt(text: string, options: AgentOptions): Promise<SessionEnding> {
    // A chat is known by what was asked first.
    if (this.#agent.turns === 0) this.#folder.update({ title: text.slice(0, 500) });
    this.#ending = await this.#agent.turn(text, options);
    await this.#sweepQuietly();
    return this.#ending;
  }

  /**
   * Runs a command outside the agent's turns (`exec`, `shell`, `!command`), captures, records and tells it as events; its
   * output is told too, besides what `onOutput` does with it, when `isTold`. Throws `cancelled` after the command was
   * killed and recorded, `guest/*`, `ledger/*`.
   */
  async exec(
    tool: 'exec' | 'shell',
    options: ExecRequest,
    signal: AbortSignal,
  ): Promise<{ end: SpawnEnd; recorded: Recorded }> {
    const { attach, isTold, onOutput, ...spawn } = options;
    this.#execs += 1;
    const call = `${tool}-${this.#execs}`;
    const input = { command: spawn.argv.join(' ') };
    const told = isTold ? new ToldOutput(call, this.#emit) : undefined;
    const started = performance.now();
    const process = await this.sandbox.exec(
      {
        ...spawn,
        onOutput: (chunk, channel) => {
          told?.add(chunk, channel);
          return onOutput?.(chunk, channel);
        },
      },
      signal,
    );
    this.#emit({ type: 'tool.start', call, tool, input });
    told?.start();
    attach?.(process);
    const end = await endOf(process);
    told?.end();
    const durationMs = Math.round(performance.now() - started);
    const exitCode = end && exitCodeOf(end);
    const ok = exitCode === 0 && !signal.aborted;
    const facts = { tool, call, ok, durationMs, ...(exitCode === undefined ? {} : { exitCode }) };
    const recorded = await this.#recorder.record(
      {
        title: `Agent executed: ${tool}`,
        kind: 'tool',
        turn: this.#agent.turns,
        inputSha256: digestInput(input),
        ...facts,
      },
      { sweep: true },
    );
    const { entry, changed, capture } = recorded;
    this.#emit({
      type: 'tool.end',
      ...facts,
      entry: entry.id,
      seq: entry.trailers.seq,
      changed,
      text: '',
      skipped: capture.skipped,
    });
    throwIfCancelled(signal);
    if (end === undefined)
      throw new SafeCoderError('bug', 'An execution that nobody cancelled ended as cancelled.');
    return { end, recorded };
  }

  /** Reads everything again with the guest frozen, then compares base and final tree. Throws `guest/*`, `ledger/*`. */
  async changes(): Promise<ReviewItem[]> {
    await this.#sweep();
    return this.recordedChanges();
  }

  /** The change set of what the ledger holds; works also when the guest is lost. */
  async recordedChanges(): Promise<ReviewItem[]> {
    const { tree } = await this.ledger.head();
    // Asked for at the review and again at the end: a tree that did not change has the same changes.
    if (this.#reviewed?.tree !== tree) {
      const items = await listChanges(this.ledger, this.#initial.tree, tree, (path) =>
        this.#copy.isIgnored(path),
      );
      this.#reviewed = { tree, items };
    }
    return this.#reviewed.items;
  }

  /** Writes the selected changes to the project. Throws `apply/*`; conflicts are a result. */
  async apply(
    items: readonly ReviewItem[],
    decisions: readonly Decision[],
    signal: AbortSignal,
  ): Promise<Applied> {
    const done = await applyChanges({
      session: this.id,
      project: this.#copy.root,
      rootId: this.#folder.record.root,
      reader: this.ledger,
      items,
      decisions,
      state: this.#options.directories.state,
      emit: this.#emit,
      signal,
    });
    this.#applied = {
      applied: [...this.#applied.applied, ...done.applied],
      conflicts: [...this.#applied.conflicts, ...done.conflicts],
    };
    return done;
  }

  /** Why the session ended, so far; its own end may add a failure. */
  get ending(): SessionEnding {
    return this.#ending;
  }

  /** Overrides why the session ended, for `session.end` and the record. */
  conclude(ending: SessionEnding): void {
    this.#ending = ending;
  }

  emit(event: EventBody): void {
    this.#emit(event);
  }

  /** Tells of a failure as an event of this session, which then does not end well. */
  fail(error: unknown): SafeCoderError {
    const failure = toSafeCoderError(error);
    const { code, message, hint } = failure;
    this.#emit({ type: 'error', code, message, ...(hint === undefined ? {} : { hint }) });
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
    const never = this.#copy.snapshot.skipped.filter(({ path }) => !paths.has(path));
    return { ...found, skipped: [...never.map(({ path, reason }) => ({ path, reason })), ...found.skipped] };
  }

  /** Ends the guest, makes the ledger stand alone, emits `session.end`. Idempotent; never hides an earlier error. */
  readonly end = once(async () => {
    await using stack = new CleanupStack();
    stack.use(this.#copy);
    stack.use(this.#folder);
    stack.use(this.ledger);
    stack.use(this.#run);
    stack.use(this.sandbox);
    const entries = await this.ledger.entries();
    const head = entries.at(-1) ?? this.#initial;
    const items = await this.recordedChanges();
    // What tools keep outside the workspace goes with a VM; elsewhere it has to be taken away.
    if (this.isolation.level !== 'vm') await this.#agent[Symbol.asyncDispose]();
    await this.sandbox.end();
    await this.#settle();
    this.#recordEnd(head);
    this.#emit({
      type: 'session.end',
      ...this.#ending,
      changes: summarizeChanges(items),
      applied: this.#applied.applied,
      conflicts: this.#applied.conflicts.map(({ path }) => path),
      ...this.#allLeftOut,
      ledger: { head: head.id, entries: entries.length },
      usage: this.usage,
    });
  });

  /** A record that can't be written leaves the session listed as interrupted; its end is told all the same. */
  #recordEnd(head: Entry): void {
    try {
      this.#folder.update({
        endedAt: (this.#options.now?.() ?? new Date()).toISOString(),
        reason: this.#ending.reason,
        usage: this.usage,
        final: head.tree,
      });
    } catch (error) {
      this.fail(error);
    }
  }

  /** The ledger is whole either way; while it borrows, the project's own objects must stay. */
  async #settle(): Promise<void> {
    try {
      await this.ledger.settle();
    } catch (error) {
      const { message } = toSafeCoderError(error);
      this.#emit({
        type: 'warning',
        code: 'ledger/borrowed',
        message: `The ledger still needs objects of the project's own git: ${message}`,
        hint: "Keep the project's .git as long as you keep this session.",
      });
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
