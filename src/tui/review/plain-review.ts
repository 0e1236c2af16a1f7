/**
 * The review as questions and answers, one line after another: for terminals that can't move a cursor, and for people who listen to
 * theirs. The letters are those of `git add -p`, as far as both mean the same.
 */
import { createInterface } from 'node:readline';
import { isSafeCoderError } from '../../base/errors.ts';
import { showPath } from '../../base/path-bytes.ts';
import { escapeForTerminal } from '../../base/terminal-text.ts';
import { NO_NEWLINE } from '../../diff/text-diff.ts';
import { fromJsonBytes } from '../../review/decision.ts';
import type { FileHunks, ReviewHunk } from '../../review/file-hunks.ts';
import type { HunkSource } from '../../review/hunk-source.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import type { ReviewState } from '../../review/review-state.ts';
import { editorOf, judgeEdit, runEditor, sideOf } from './edit-hunk.ts';
import { fileNotes } from './file-notes.ts';
import { lineText } from './line-text.ts';
import { letterOf } from './tree-frame.ts';
import { hunkStatus, type ReviewOutcome } from './view.ts';

export interface PlainReview {
  state: ReviewState;
  source: Pick<HunkSource, 'hunksOf'>;
  /** Called after every decision; when it returns, the decisions are on the disk. */
  save: () => void;
  environment: Record<string, string | undefined>;
  input: NodeJS.ReadableStream;
  write: (text: string) => void;
  signal: AbortSignal;
}

const HUNK_HELP = `y  accept this hunk
n  reject it
a  accept this hunk and all that follow in the file
d  reject this hunk and all that follow in the file
s  single lines: choose which to take
e  edit the hunk in your editor (VISUAL or EDITOR)
c  comment on it, for the agent
j  leave it undecided
q  leave the review
`;
const FILE_HELP = `y  accept this file
n  reject it
c  comment on it, for the agent
j  leave it undecided
q  leave the review
`;

/** Asks about everything that is not decided yet. The end of input leaves and keeps. Throws the signal's reason. */
export async function reviewInPlain(review: PlainReview): Promise<ReviewOutcome> {
  using lines = new LineInput(review);
  const { state, write } = review;
  const talk = new Talk(review, lines);
  for (const [index, item] of state.items.entries()) {
    if (state.statusOf(item.change.path) === 'accepted' || state.statusOf(item.change.path) === 'rejected')
      continue;
    if ((await talk.askFile(item, index)) === 'leave') break;
  }
  const { accepted, partial, rejected, undecided } = state.counts;
  write(`\n${accepted} accepted, ${partial} in part, ${rejected} rejected, ${undecided} not decided.\n`);
  if (state.decisions.length === 0) return 'keep';
  const landing = accepted + partial;
  for (;;) {
    const question =
      landing > 0
        ? `a apply what is accepted (${landing}), k keep for later, d discard [a,k,d]? `
        : 'k keep for later, d discard [k,d]? ';
    const answer = await lines.ask(question);
    if (answer === undefined || answer === 'k' || answer === '') return 'keep';
    if (answer === 'a' && landing > 0) return 'apply';
    if (answer === 'd') return 'discard';
  }
}

type Next = 'go on' | 'leave';

class Talk {
  readonly #review: PlainReview;
  readonly #lines: LineInput;

  constructor(review: PlainReview, lines: LineInput) {
    this.#review = review;
    this.#lines = lines;
  }

  async askFile(item: ReviewItem, index: number): Promise<Next> {
    const { state, source, write } = this.#review;
    const { path } = item.change;
    const hunks = await source.hunksOf(item);
    state.learn(path, hunks);
    write(
      `\nFile ${index + 1} of ${state.items.length}: ${letterOf(item)} ${showPath(path)}, +${item.added} -${item.removed}\n`,
    );
    for (const { text } of fileNotes(item, hunks)) write(`  ${escapeForTerminal(text)}\n`);
    const isWhole = hunks.kind !== 'text' || hunks.hunks.length === 0 || item.refused !== undefined;
    return isWhole ? this.#askWhole(path) : this.#askHunks(path, hunks);
  }

  async #askWhole(path: string): Promise<Next> {
    const { state, write } = this.#review;
    for (;;) {
      const answer = await this.#lines.ask('Accept this file [y,n,c,j,q,?]? ');
      if (answer === undefined || answer === 'q') return 'leave';
      if (answer === 'j' || answer === '') return 'go on';
      if (answer === 'y' || answer === 'n') {
        const [refused] = state.decide([path], answer === 'y' ? 'accept' : 'reject');
        this.#review.save();
        if (refused === undefined) return 'go on';
        write('It can not be applied; only n rejects it.\n');
      } else if (answer === 'c') await this.#comment((text) => state.comment(path, text));
      else write(FILE_HELP);
    }
  }

  async #askHunks(path: string, hunks: Extract<FileHunks, { kind: 'text' }>): Promise<Next> {
    const { state } = this.#review;
    for (const [index, hunk] of hunks.hunks.entries()) {
      if (hunkStatus(state.decisionOf(path), hunk.id) !== 'undecided') continue;
      this.#print(hunk, index, hunks.hunks.length);
      const next = await this.#askHunk(path, hunks, index);
      if (next !== 'go on') return next === 'leave' ? 'leave' : 'go on';
    }
    return 'go on';
  }

  #print(hunk: ReviewHunk, index: number, count: number): void {
    const { write } = this.#review;
    write(
      `Hunk ${index + 1} of ${count}: old line ${hunk.oldStart}, ${hunk.oldLines} lines; new line ${hunk.newStart}, ${hunk.newLines} lines\n`,
    );
    for (const line of hunk.lines) write(`${showLine(line)}\n`);
  }

  async #askHunk(
    path: string,
    hunks: Extract<FileHunks, { kind: 'text' }>,
    index: number,
  ): Promise<Next | 'next file'> {
    const { state, write } = this.#review;
    const hunk = hunks.hunks[index];
    if (hunk === undefined) return 'go on';
    const decide = (choice: Parameters<ReviewState['decidePart']>[3], id = hunk.id) => {
      state.decidePart(path, hunks, { hunk: id }, choice);
      this.#review.save();
    };
    for (;;) {
      const answer = await this.#lines.ask('Accept this hunk [y,n,a,d,s,e,c,j,q,?]? ');
      switch (answer) {
        case undefined:
        case 'q':
          return 'leave';
        case 'y':
        case 'n':
          decide(answer === 'y' ? 'accept' : 'reject');
          return 'go on';
        case 'a':
        case 'd':
          for (const { id } of hunks.hunks.slice(index)) decide(answer === 'a' ? 'accept' : 'reject', id);
          return 'next file';
        case 'j':
        case '':
          return 'go on';
        case 's':
          if (await this.#askLines(hunk, (lines) => decide({ lines }))) return 'go on';
          break;
        case 'e':
          if (await this.#edit(path, hunk, decide)) return 'go on';
          break;
        case 'c':
          await this.#comment((text) => decide({ comment: text }));
          break;
        default:
          write(HUNK_HELP);
      }
    }
  }

  async #askLines(hunk: ReviewHunk, take: (lines: number[]) => void): Promise<boolean> {
    const { write } = this.#review;
    const changed = [...hunk.lines.keys()].filter((at) => /^[-+]/.test(hunk.lines[at] ?? ''));
    for (const [number, at] of changed.entries()) write(`${number + 1}: ${showLine(hunk.lines[at] ?? '')}\n`);
    const answer = await this.#lines.ask('Lines to take, such as 1,3-5 (nothing: none)? ');
    if (answer === undefined) return false;
    const numbers = parseNumbers(answer, changed.length);
    if (numbers === undefined) {
      write(`That is no list of numbers from 1 to ${changed.length}.\n`);
      return false;
    }
    take(numbers.map((number) => changed[number - 1]).filter((at) => at !== undefined));
    return true;
  }

  async #edit(
    path: string,
    hunk: ReviewHunk,
    decide: (choice: 'accept' | 'reject' | { edit: Buffer }) => void,
  ): Promise<boolean> {
    const { state, write, environment } = this.#review;
    const editor = editorOf(environment);
    if (editor === undefined) {
      write('No editor is set. Set VISUAL or EDITOR, for example: export EDITOR=nano\n');
      return false;
    }
    const decision = state.decisionOf(path);
    const own =
      decision?.decision === 'partial' ? decision.hunks.find((each) => each.hunk === hunk.id) : undefined;
    let given = own?.decision === 'edit' ? fromJsonBytes(own.new) : sideOf(hunk, 'new');
    for (;;) {
      this.#lines.pause();
      const edited = judgeEdit(hunk, given, await runEditor(editor, given, path));
      this.#lines.resume();
      if (edited.kind === 'edited') decide({ edit: edited.bytes });
      else if (edited.kind === 'accept' || edited.kind === 'reject') decide(edited.kind);
      else if (edited.kind === 'unchanged') {
        write('Nothing was edited.\n');
        return false;
      } else {
        write(`The edit was not taken: ${edited.reason}.\n`);
        if (edited.bytes === undefined || (await this.#lines.ask('Open it again [y,n]? ')) !== 'y')
          return false;
        given = edited.bytes;
        continue;
      }
      return true;
    }
  }

  async #comment(keep: (text: string) => void): Promise<void> {
    const text = await this.#lines.ask('Comment, for the agent: ');
    if (text === undefined || text === '') return;
    try {
      keep(text);
      this.#review.save();
    } catch (error) {
      if (!isSafeCoderError(error, 'apply/refused')) throw error;
      this.#review.write(`${error.message}\n`);
    }
  }
}

/** `1,3-5` as numbers; undefined when it is none, or not from 1 to `most`. */
export function parseNumbers(text: string, most: number): number[] | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(/[\s,]+/).filter((each) => each !== '')) {
    const match = /^(\d{1,6})(?:-(\d{1,6}))?$/.exec(part);
    const from = Number(match?.[1]);
    const to = Number(match?.[2] ?? match?.[1]);
    if (match === null || from < 1 || to > most || from > to) return undefined;
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}

function showLine(line: string): string {
  if (line === NO_NEWLINE) return line;
  const text = lineText(line.slice(1));
  const isCrlf = text.endsWith('\r');
  return line.charAt(0) + escapeForTerminal(isCrlf ? text.slice(0, -1) : text) + (isCrlf ? ' (CR)' : '');
}

/** Lines that are typed, one for each question; several that came at once answer several questions. */
class LineInput implements Disposable {
  readonly #review: PlainReview;
  readonly #queue: string[] = [];
  #waiting: ((line: string | undefined) => void) | undefined;
  #isEnded = false;
  #lines: ReturnType<typeof createInterface> | undefined;

  constructor(review: PlainReview) {
    this.#review = review;
    this.#lines = this.#open();
  }

  #open(): ReturnType<typeof createInterface> {
    const lines = createInterface({ input: this.#review.input, terminal: false });
    lines.on('line', (line) => {
      if (this.#waiting === undefined) this.#queue.push(line);
      else this.#settle(line);
    });
    lines.on('close', () => {
      if (lines !== this.#lines) return;
      this.#isEnded = true;
      this.#settle(undefined);
    });
    return lines;
  }

  /** The answer without blanks around it; undefined at the end of input. Throws the signal's reason. */
  async ask(question: string): Promise<string | undefined> {
    const { signal, write } = this.#review;
    signal.throwIfAborted();
    write(question);
    const next = this.#queue.shift();
    if (next !== undefined || this.#isEnded) return next?.trim();
    return new Promise((resolve, reject) => {
      const abort = () => reject(signal.reason);
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting = (line) => {
        signal.removeEventListener('abort', abort);
        resolve(line?.trim());
      };
    });
  }

  #settle(line: string | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }

  /** Another program reads the terminal. */
  pause(): void {
    const lines = this.#lines;
    this.#lines = undefined;
    lines?.close();
    this.#review.input.pause();
  }

  resume(): void {
    this.#lines = this.#open();
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    this.#lines?.close();
    this.#review.input.pause();
  }
}
