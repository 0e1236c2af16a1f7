/** "Which step wrote this?" for the review: the ledger's answer with the session's prompts and calls. */
import { isSafeCoderError } from '../base/errors.ts';
import type { HostPath } from '../base/path-bytes.ts';
import { type Blame, blameFile } from '../ledger/blame.ts';
import type { Entry, LedgerReader } from '../ledger/ledger.ts';
import type { ReviewItem } from '../review/review-item.ts';
import { describeStep, readTimeline, type Timeline, type TimelineStep } from '../session/timeline.ts';
import type { ReviewStep } from '../tui/review/menus.ts';
import type { LineOrigin } from '../tui/review/review-in-terminal.ts';

const MOST_PROMPT_LINES = 12;

/** Answers from a stored session; what was read once is kept. */
export class LineOrigins {
  readonly #ledger: LedgerReader;
  readonly #folder: HostPath;
  readonly #items: readonly ReviewItem[];
  readonly #blames = new Map<string, Promise<Blame>>();
  #timeline: Promise<Timeline> | undefined;
  #steps: Promise<(ReviewStep & { entry: Entry })[]> | undefined;

  constructor(ledger: LedgerReader, folder: HostPath, items: readonly ReviewItem[]) {
    this.#ledger = ledger;
    this.#folder = folder;
    this.#items = items;
  }

  /** The session's steps that changed one of the reviewed files, oldest first. Throws `ledger/*`. */
  steps(): Promise<(ReviewStep & { entry: Entry })[]> {
    this.#steps ??= this.#readSteps();
    return this.#steps;
  }

  /** Who wrote a line, as text. A line that is gone, and a file without lines, get all steps that changed the file. */
  async whoWrote({ change }: ReviewItem, line: number | undefined, isOld: boolean): Promise<LineOrigin> {
    if (line === undefined || isOld || change.after === undefined)
      return this.#whoChanged(change.path, isOld);
    const found = await this.#blame(change.path);
    const blamed = found?.lines[line - 1];
    if (blamed === undefined) return this.#whoChanged(change.path, false);
    if (blamed.entry === undefined) return { lines: ["The project's own: it was there before the session."] };
    const step = (await this.#readTimeline()).steps.get(blamed.entry.id);
    const steps = await this.steps();
    const own = steps.find(({ entry }) => entry.id === blamed.entry?.id);
    return { lines: step ? describe(step) : [blamed.entry.title], ...(own && { step: own }) };
  }

  async #whoChanged(path: string, isGone: boolean): Promise<LineOrigin> {
    const steps = (await this.steps()).filter(({ paths }) => paths.has(path));
    const head = isGone ? 'This line was taken out. Steps that changed the file:' : 'Steps that changed it:';
    const [only] = steps;
    return {
      lines: [head, ...steps.map(({ text }) => `  ${text}`)],
      ...(only !== undefined && steps.length === 1 && { step: only }),
    };
  }

  async #blame(path: ReviewItem['change']['path']): Promise<Blame | undefined> {
    const blame = this.#blames.get(path) ?? blameFile(this.#ledger, path);
    this.#blames.set(path, blame);
    try {
      return await blame;
    } catch (error) {
      // Binary, or a symlink: it has no lines that somebody wrote.
      if (isSafeCoderError(error, 'usage/bad-argument')) return undefined;
      throw error;
    }
  }

  #readTimeline(): Promise<Timeline> {
    this.#timeline ??= this.#ledger.entries().then((entries) => readTimeline(this.#folder, entries));
    return this.#timeline;
  }

  async #readSteps(): Promise<(ReviewStep & { entry: Entry })[]> {
    const timeline = await this.#readTimeline();
    const reviewed = new Set<string>(this.#items.map(({ change }) => change.path));
    const steps: (ReviewStep & { entry: Entry })[] = [];
    let tree: string | undefined;
    for (const entry of await this.#ledger.entries()) {
      const before = tree;
      tree = entry.tree;
      if (before === undefined || before === tree) continue;
      const { changes } = await this.#ledger.changes(before, tree, { renames: false });
      const paths = new Set<string>(changes.map(({ path }) => path).filter((path) => reviewed.has(path)));
      const step = timeline.steps.get(entry.id);
      const text = `#${entry.trailers.seq} ${step ? describeStep(step) : entry.title}`;
      if (paths.size > 0) steps.push({ text: text.replace(/\s+/g, ' ').slice(0, 200), paths, entry });
    }
    return steps;
  }
}

function describe(step: TimelineStep): string[] {
  const { entry, turn } = step;
  const lines = [
    `#${entry.trailers.seq}  ${describeStep(step)}`,
    `entry ${entry.id.slice(0, 12)}, ${entry.at.toISOString().replace('T', ' ').slice(0, 19)} UTC`,
  ];
  if (turn === undefined || turn.prompt === '') return lines;
  const prompt = turn.prompt.split('\n');
  lines.push(
    '',
    `Asked for in turn ${turn.turn}:`,
    ...prompt.slice(0, MOST_PROMPT_LINES).map((line) => `  ${line}`),
  );
  if (prompt.length > MOST_PROMPT_LINES) lines.push(`  ... ${prompt.length - MOST_PROMPT_LINES} more lines`);
  return lines;
}
