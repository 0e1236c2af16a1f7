/**
 * Executions into entries: what ran, what the workspace was afterwards. A result leaves here only when its entry is
 * safe on disk.
 */
import { createHash } from 'node:crypto';
import type { Emit } from '../base/events.ts';
import { parseRelPath, type RelPath } from '../base/path-bytes.ts';
import type { Entry, EntryInput } from '../ledger/ledger.ts';
import type { LedgerWriter } from '../ledger/writer.ts';
import type { Capture, Sandbox } from '../sandbox/sandbox.ts';

/** What an entry says besides what the capture found. */
export type EntryFacts = Omit<
  EntryInput,
  'at' | 'written' | 'removed' | 'skipped' | 'ignored' | 'gitChanged'
>;

export interface Recorded {
  entry: Entry;
  capture: Capture;
  /** Paths that this entry changed, sorted. */
  changed: string[];
}

/** The recorder to whoever has it alone. */
export interface LoneRecorder {
  /** As {@link EntryRecorder.sweep}. */
  sweep(facts: EntryFacts): Promise<Recorded | undefined>;
  /** Reads everything again; its result has to be appended, or the next entry lacks it. */
  capture(wrote: readonly string[]): Promise<Capture>;
  append(facts: EntryFacts, capture: Capture): Promise<Recorded>;
}

/** What was decided about the network and stands in no entry yet. */
export interface EgressDecisions {
  readonly isEmpty: boolean;
  /** Hands them over: they are forgotten here. */
  take(): string[];
}

const NO_NETWORK: EgressDecisions = { isEmpty: true, take: () => [] };

export class EntryRecorder {
  readonly #sandbox: Sandbox;
  readonly #ledger: LedgerWriter;
  readonly #now: () => Date;
  readonly #onEntry: (entry: Entry) => void;
  readonly #egress: EgressDecisions;
  #tail: Promise<unknown> = Promise.resolve();

  /**
   * `onEntry` is told of each entry before anybody else is; what it throws is thrown as well. What was decided about the
   * network goes into the next entry.
   */
  constructor(
    sandbox: Sandbox,
    ledger: LedgerWriter,
    now: () => Date,
    onEntry: (entry: Entry) => void = () => undefined,
    egress: EgressDecisions = NO_NETWORK,
  ) {
    this.#egress = egress;
    this.#onEntry = onEntry;
    this.#sandbox = sandbox;
    this.#ledger = ledger;
    this.#now = now;
  }

  /** Captures and commits; calls queue up, entries are in the order of calls. Throws `ledger/*` and `guest/*`. */
  record(facts: EntryFacts, options: { sweep: boolean; wrote?: readonly string[] }): Promise<Recorded> {
    return this.#queue(async () => {
      const capture = await this.#capture(options.sweep, options.wrote ?? []);
      return { ...(await this.#append(facts, capture)), capture };
    });
  }

  /** A sweep that becomes an entry only when it found something that no entry has yet. */
  sweep(facts: EntryFacts): Promise<Recorded | undefined> {
    return this.#queue(() => this.#sweep(facts));
  }

  /** Runs `work` once everything asked for before is recorded; what is asked for meanwhile waits for its end. */
  alone<T>(work: (recorder: LoneRecorder) => Promise<T>): Promise<T> {
    return this.#queue(() =>
      work({
        sweep: (facts) => this.#sweep(facts),
        capture: (wrote) => this.#capture(true, wrote),
        append: async (facts, capture) => ({ ...(await this.#append(facts, capture)), capture }),
      }),
    );
  }

  async #sweep(facts: EntryFacts): Promise<Recorded | undefined> {
    const capture = await this.#capture(true, []);
    if (
      capture.written.length === 0 &&
      capture.removed.length === 0 &&
      !this.#isNews(capture) &&
      this.#egress.isEmpty
    )
      return undefined;
    return { ...(await this.#append(facts, capture)), capture };
  }

  /** What the last sweep left out of the ledger, all of it. */
  leftOut: Pick<Capture, 'skipped' | 'ignored' | 'gitChanged'> = {
    skipped: [],
    ignored: { count: 0, examples: [] },
    gitChanged: false,
  };

  #lastSkipped = JSON.stringify([[], false]);

  /** What a reading before the first entry found, when the workspace was brought to where the session was. */
  beginWith(capture: Capture): void {
    const { skipped, ignored, gitChanged } = capture;
    this.leftOut = { skipped, ignored, gitChanged };
    this.#lastSkipped = JSON.stringify([skipped, gitChanged]);
  }

  /** Whether what a sweep left out differs from what the entry before named. */
  #isNews(capture: Capture): boolean {
    return JSON.stringify([capture.skipped, capture.gitChanged]) !== this.#lastSkipped;
  }

  async #capture(sweep: boolean, wrote: readonly string[]): Promise<Capture> {
    const alsoWrote = wrote.map(parseRelPath).filter((path): path is RelPath => path !== undefined);
    const capture = await this.#sandbox.capture(this.#ledger.blobSink(), { sweep, alsoWrote });
    const { skipped, ignored, gitChanged } = capture;
    if (sweep) this.leftOut = { skipped, ignored, gitChanged };
    return capture;
  }

  async #append(facts: EntryFacts, capture: Capture): Promise<{ entry: Entry; changed: string[] }> {
    const egress = this.#egress.take();
    const entry = await this.#ledger.append({
      ...facts,
      ...(egress.length > 0 ? { egress } : {}),
      at: this.#now(),
      written: capture.written.map(({ path, mode, oid }) => ({ path, mode, oid })),
      removed: capture.removed,
      skipped: capture.skipped,
      ignored: capture.ignored.count,
      gitChanged: capture.gitChanged,
    });
    this.#lastSkipped = JSON.stringify([capture.skipped, capture.gitChanged]);
    this.#onEntry(entry);
    return { entry, changed: [...capture.written.map((file) => file.path), ...capture.removed].sort() };
  }

  #queue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {
      // The caller of record() has the error; the queue goes on.
    });
    return result;
  }
}

/** Digest of a tool's input as the entry names it. */
export function digestInput(input: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(input) ?? 'null')
    .digest('hex');
}

/** Emits a warning once for everything that an execution left out. */
export function warnAboutSkipped(emit: Emit, capture: Capture): void {
  if (capture.skipped.length === 0) return;
  const first = capture.skipped.slice(0, 3).map(({ path, reason }) => `${path} (${reason})`);
  const more = capture.skipped.length > 3 ? ` and ${capture.skipped.length - 3} more` : '';
  emit({
    type: 'warning',
    code: 'ledger/skipped',
    message: `Not in the ledger: ${first.join(', ')}${more}.`,
  });
}
