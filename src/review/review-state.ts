/** The state of a review: what is decided, what is shown, and how to take it back. No I/O; whoever shows it saves it. */
import { SafeCoderError } from '../base/errors.ts';
import {
  type DecidedParts,
  decidePart,
  type Part,
  type PartChoice,
  partsOf,
  type ReviewStatus,
  statusOf,
} from './decide-part.ts';
import { type Decision, type DecisionFile, MAX_COMMENT_CHARS } from './decision.ts';
import type { FileHunks } from './file-hunks.ts';
import { matchesFilter, type ReviewFilter } from './review-filter.ts';
import type { ReviewItem } from './review-item.ts';

export interface ReviewCounts {
  files: number;
  undecided: number;
  accepted: number;
  rejected: number;
  partial: number;
}

/** One act of the person: all that it changed. */
interface Step {
  changes: { path: string; before: Decision | undefined; after: Decision | undefined }[];
}

type DecisionFields = Pick<Decision, 'comment' | 'onConflict' | 'resolution'>;

export class ReviewState {
  readonly items: readonly ReviewItem[];
  /** Id of the final tree that is reviewed. */
  readonly tree: string;
  /** Paths of decisions that the state began with and that are about no item. */
  readonly dropped: readonly string[];
  readonly #byPath: ReadonlyMap<string, ReviewItem>;
  readonly #decisions = new Map<string, Decision>();
  /** What can be decided in the files that were looked at. */
  readonly #parts = new Map<string, DecidedParts>();
  readonly #counts: ReviewCounts;
  #done: Step[] = [];
  #undone: Step[] = [];
  #filter: ReviewFilter = {};
  #visible: readonly ReviewItem[] | undefined;

  constructor(items: readonly ReviewItem[], options: { tree: string; decisions?: readonly Decision[] }) {
    this.items = items;
    this.tree = options.tree;
    this.#byPath = new Map(items.map((item) => [item.change.path as string, item]));
    this.#counts = { files: items.length, undecided: items.length, accepted: 0, rejected: 0, partial: 0 };
    const dropped: string[] = [];
    for (const decision of options.decisions ?? []) {
      if (this.#byPath.has(decision.path)) this.#set(decision.path, decision);
      else dropped.push(decision.path);
    }
    this.dropped = dropped;
  }

  get counts(): Readonly<ReviewCounts> {
    return this.#counts;
  }

  get canUndo(): boolean {
    return this.#done.length > 0;
  }

  get canRedo(): boolean {
    return this.#undone.length > 0;
  }

  itemOf(path: string): ReviewItem | undefined {
    return this.#byPath.get(path);
  }

  decisionOf(path: string): Decision | undefined {
    return this.#decisions.get(path);
  }

  /** The saved form without its envelope, in the order of the items. */
  get decisions(): Decision[] {
    return this.items.flatMap(({ change }) => this.#decisions.get(change.path) ?? []);
  }

  /** What is saved, and what `--decisions FILE` reads. */
  toFile(): DecisionFile {
    return { version: 1, tree: this.tree, decisions: this.decisions };
  }

  /** Of a file that was never looked at and is partly decided it says `partial`, be it that all its parts are decided alike. */
  statusOf(path: string): ReviewStatus {
    return statusOf(this.#decisions.get(path), this.#parts.get(path));
  }

  /**
   * Decides whole files; comments are kept. What apply refuses is not accepted; those paths are returned. One step of undo.
   */
  decide(paths: readonly string[], choice: 'accept' | 'reject' | 'undecided'): string[] {
    const refused: string[] = [];
    const step: Step = { changes: [] };
    for (const path of paths) {
      if (choice === 'accept' && this.#item(path).refused !== undefined) refused.push(path);
      else this.#record(step, path, wholeDecision(path, choice, fieldsOf(this.#decisions.get(path))));
    }
    this.#commit(step);
    return refused;
  }

  /** Decides one hunk, some of its lines, the mode or the rename of a file whose hunks these are. Throws as a plan would. */
  decidePart(path: string, hunks: FileHunks, part: Part, choice: PartChoice): void {
    const parts = this.learn(path, hunks);
    const item = this.#item(path);
    if (item.refused !== undefined && choice !== 'reject' && choice !== 'undecided') {
      throw new SafeCoderError('apply/refused', `It can't be applied: ${item.refused}.`, {
        hint: 'Reject it.',
      });
    }
    const step: Step = { changes: [] };
    this.#record(step, path, decidePart(path, this.#decisions.get(path), parts, part, choice));
    this.#commit(step);
  }

  /** Sets or, with an empty text, removes the comment on a file, or on one of its hunks. It is cut to 10,000 characters. */
  comment(path: string, whole: string, on?: { hunks: FileHunks; hunk: string }): void {
    const text = whole.slice(0, MAX_COMMENT_CHARS);
    if (on !== undefined) {
      this.decidePart(path, on.hunks, { hunk: on.hunk }, { comment: text });
      return;
    }
    this.#amend(path, { comment: text === '' ? undefined : text });
  }

  /** What to do if the host's file changed as well; undecided without a choice. A resolution goes with `edit`, and only there. */
  decideConflict(path: string, choice: Pick<Decision, 'onConflict' | 'resolution'>): void {
    if ((choice.onConflict === 'edit') !== (choice.resolution !== undefined)) {
      throw new SafeCoderError('bug', 'A resolution goes with an edit, and an edit with a resolution.');
    }
    this.#amend(path, { onConflict: choice.onConflict, resolution: choice.resolution });
  }

  /** Tells the state what can be decided in a file, so that its status is exact. */
  learn(path: string, hunks: FileHunks): DecidedParts {
    const known = this.#parts.get(path);
    if (known !== undefined) return known;
    const before = this.statusOf(path);
    const parts = partsOf(this.#item(path).change, hunks);
    this.#parts.set(path, parts);
    this.#recount(before, this.statusOf(path));
    return parts;
  }

  /** Takes the last step back; the paths that it changed, or undefined when there is none. */
  undo(): string[] | undefined {
    const step = this.#done.pop();
    if (step === undefined) return undefined;
    // Backwards: a path may be named more than once.
    for (const { path, before } of step.changes.toReversed()) this.#set(path, before);
    this.#undone.push(step);
    return step.changes.map(({ path }) => path);
  }

  redo(): string[] | undefined {
    const step = this.#undone.pop();
    if (step === undefined) return undefined;
    for (const { path, after } of step.changes) this.#set(path, after);
    this.#done.push(step);
    return step.changes.map(({ path }) => path);
  }

  get filter(): ReviewFilter {
    return this.#filter;
  }

  set filter(filter: ReviewFilter) {
    this.#filter = filter;
    this.#visible = undefined;
  }

  /** The items that the filter lets through, in their order. */
  get visible(): readonly ReviewItem[] {
    this.#visible ??= this.items.filter((item) =>
      matchesFilter(item, this.statusOf(item.change.path), this.#filter),
    );
    return this.#visible;
  }

  #amend(path: string, fields: { [Name in keyof DecisionFields]: DecisionFields[Name] | undefined }): void {
    const old = this.#decisions.get(path);
    const next: Decision = {
      ...(old ?? { path: this.#item(path).change.path, decision: 'partial', hunks: [] }),
    };
    for (const name of ['comment', 'onConflict', 'resolution'] as const) {
      if (!(name in fields)) continue;
      delete next[name];
      if (fields[name] !== undefined) Object.assign(next, { [name]: fields[name] });
    }
    const step: Step = { changes: [] };
    this.#record(step, path, isNothing(next) ? undefined : next);
    this.#commit(step);
  }

  #item(path: string): ReviewItem {
    const item = this.#byPath.get(path);
    if (item === undefined)
      throw new SafeCoderError('bug', 'A decision is about a path that is not reviewed.');
    return item;
  }

  #record(step: Step, path: string, after: Decision | undefined): void {
    const before = this.#decisions.get(path);
    if (before === after) return;
    this.#set(path, after);
    step.changes.push({ path, before, after });
  }

  #commit(step: Step): void {
    if (step.changes.length === 0) return;
    this.#done.push(step);
    this.#undone = [];
  }

  #set(path: string, decision: Decision | undefined): void {
    const before = this.statusOf(path);
    if (decision === undefined) this.#decisions.delete(path);
    else this.#decisions.set(path, decision);
    this.#recount(before, this.statusOf(path));
  }

  #recount(before: ReviewStatus, after: ReviewStatus): void {
    this.#counts[before] -= 1;
    this.#counts[after] += 1;
    if (before !== after && this.#filter.status !== undefined) this.#visible = undefined;
  }
}

function fieldsOf(decision: Decision | undefined): DecisionFields {
  if (decision === undefined) return {};
  const { comment, onConflict, resolution } = decision;
  return {
    ...(comment !== undefined && { comment }),
    ...(onConflict !== undefined && { onConflict }),
    ...(resolution !== undefined && { resolution }),
  };
}

function wholeDecision(
  path: string,
  choice: 'accept' | 'reject' | 'undecided',
  fields: DecisionFields,
): Decision | undefined {
  if (choice !== 'undecided') return { path, decision: choice, ...fields };
  return Object.keys(fields).length === 0 ? undefined : { path, decision: 'partial', hunks: [], ...fields };
}

function isNothing(decision: Decision): boolean {
  return (
    decision.decision === 'partial' &&
    decision.hunks.length === 0 &&
    decision.mode === undefined &&
    decision.rename === undefined &&
    Object.keys(fieldsOf(decision)).length === 0
  );
}
