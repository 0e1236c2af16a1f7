/** The review on a screen: takes the terminal, draws, answers what the view asks for, saves what is decided, gives it back. */
import { toSafeCoderError } from '../../base/errors.ts';
import { fromJsonBytes } from '../../review/decision.ts';
import type { HunkSource } from '../../review/hunk-source.ts';
import type { ReadBlob } from '../../review/read-sides.ts';
import type { ReviewItem } from '../../review/review-item.ts';
import type { ReviewState } from '../../review/review-state.ts';
import { decidePart, recordEdit } from './decide.ts';
import { type Edited, editorOf, judgeEdit, runEditor, sideOf } from './edit-hunk.ts';
import type { FileView } from './file-view.ts';
import { makeFrame } from './frame.ts';
import { Highlighter } from './highlighter.ts';
import { takeInput } from './input.ts';
import type { Input } from './keys.ts';
import { languageOf } from './languages.ts';
import { paletteOf } from './look.ts';
import { openPanel, openSteps, type ReviewStep } from './menus.ts';
import { findFile, seekText } from './search.ts';
import { ReviewTerminal } from './terminal.ts';
import { type Effect, hunkStatus, type ReviewOutcome, ReviewView } from './view.ts';

/** Who wrote a line, for people; not escaped. */
export interface LineOrigin {
  lines: string[];
  /** The step, to narrow the review to what it changed. */
  step?: ReviewStep;
}

export interface TerminalReview {
  /** What is reviewed; it is changed by the review. */
  state: ReviewState;
  /** In the top corner: the session's name. */
  title: string;
  source: Pick<HunkSource, 'hunksOf'>;
  readBlob: ReadBlob;
  /** Called after every change of a decision; when it returns, the decisions are on the disk. */
  save: () => void;
  /** Which step wrote a line (of the new file, or of the old one), or the file without one. */
  whoWrote: (item: ReviewItem, line: number | undefined, isOld: boolean) => Promise<LineOrigin>;
  /** The session's steps that changed files of this review. */
  steps: () => Promise<ReviewStep[]>;
  input: NodeJS.ReadStream;
  output: NodeJS.WriteStream;
  environment: Record<string, string | undefined>;
  mouse: boolean;
  signal: AbortSignal;
}

/**
 * Lets a person decide, full-screen, on a real terminal that nobody else reads meanwhile (a line editor must be closed or paused).
 * Writes nothing but what `save` writes: `apply` asks the caller to apply `state.decisions`, `keep` to leave them for later,
 * `discard` to forget them. The terminal is given back as it was, also on a failure. Throws the signal's reason.
 */
export async function reviewInTerminal(review: TerminalReview): Promise<ReviewOutcome> {
  await using desk = new Desk(review);
  return await desk.outcome;
}

class Desk implements AsyncDisposable {
  readonly #review: TerminalReview;
  readonly #view: ReviewView;
  readonly #terminal: ReviewTerminal;
  readonly #highlighter = new Highlighter();
  readonly outcome: Promise<ReviewOutcome>;
  #settle: (outcome: ReviewOutcome) => void = () => undefined;
  #fail: (error: unknown) => void = () => undefined;
  /** Typed and not taken yet. */
  readonly #typed: Input[] = [];
  #isDrawing = false;
  #isLent = false;
  #isDisposed = false;
  /** Counts what would make an answer stale: a search ends when a key comes. */
  #inputs = 0;

  constructor(review: TerminalReview) {
    this.#review = review;
    this.outcome = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#fail = reject;
    });
    const { input, output, environment, mouse } = review;
    this.#terminal = new ReviewTerminal({
      input,
      output,
      palette: paletteOf(environment),
      mouse,
      onInput: (inputs) => this.#guard(() => this.#take(inputs)),
      onResize: () => this.#guard(() => this.#resize()),
      onEnd: () => this.#settle('keep'),
    });
    const { columns, rows } = this.#terminal;
    this.#view = new ReviewView(review.state, { title: review.title, columns, rows });
    review.signal.addEventListener('abort', this.#abort, { once: true });
    if (review.signal.aborted) this.#abort();
    this.#terminal.open();
    this.#guard(() => this.#draw());
  }

  readonly #abort = (): void => this.#fail(this.#review.signal.reason);

  /** A failure ends the review; it must not end the process with the terminal still ours. */
  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(inputs: readonly Input[]): void {
    if (this.#isLent) return;
    this.#inputs += 1;
    this.#typed.push(...inputs);
    this.#drain();
  }

  /** Keys mean what they are typed at: those for a file that is still being read wait for it. */
  #drain(): void {
    for (let input = this.#typed[0]; input !== undefined && !this.#isWaiting; input = this.#typed[0]) {
      this.#typed.shift();
      if (input.kind === 'ground') {
        this.#terminal.palette = { ...this.#terminal.palette, isLight: input.light > 0.5 };
      }
      if (this.#view.isTooSmall) {
        if (input.kind === 'key' && (input.key === 'q' || input.key === 'ctrl-c')) this.#settle('keep');
      } else takeInput(this.#view, input);
      // What was asked for may change what the next key means, or end it all.
      if (this.#typed.length > 0 && this.#view.effects.some(({ kind }) => kind !== 'load')) break;
    }
    this.#draw();
    if (this.#typed.length > 0 && !this.#isWaiting) setImmediate(() => this.#guard(() => this.#drain()));
  }

  get #isWaiting(): boolean {
    const { file, focus, prompt, overlay } = this.#view;
    if (focus === 'tree' || prompt !== undefined || overlay !== undefined) return false;
    return file !== undefined && file.hunks === undefined && file.failure === undefined;
  }

  #resize(): void {
    this.#view.columns = this.#terminal.columns;
    this.#view.rows = this.#terminal.rows;
    this.#view.rearrange();
    this.#draw();
  }

  /** Draws now, then saves, then asks for what is missing. */
  #draw(): void {
    this.#isDrawing = false;
    if (this.#isLent || this.#isDisposed) return;
    this.#terminal.draw(makeFrame(this.#view, this.#terminal.palette.depth === 'many'));
    if (this.#view.isChanged) {
      this.#view.isChanged = false;
      this.#review.save();
    }
    this.#askForColours();
    const effects = this.#view.effects.splice(0);
    for (const effect of effects) void this.#answer(effect).catch(this.#fail);
  }

  #drawSoon(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    setImmediate(() => this.#guard(() => this.#draw()));
  }

  #askForColours(): void {
    const { file } = this.#view;
    const language = file && languageOf(file.item.change.path);
    if (file === undefined || language === undefined || this.#terminal.palette.depth === 'none') return;
    for (const { key, lines } of file.takeWanted()) {
      void this.#highlighter.colour(language, lines).then((tokens) => {
        file.setColours(key, tokens);
        if (file === this.#view.file) this.#drawSoon();
      });
    }
  }

  async #answer(effect: Effect): Promise<void> {
    switch (effect.kind) {
      case 'load':
        await this.#load(effect.file);
        break;
      case 'loadOld':
        await this.#loadOld(effect.file);
        break;
      case 'edit':
        await this.#edit(effect.file, effect.hunk);
        break;
      case 'who':
        await this.#who(effect);
        break;
      case 'steps':
        openSteps(this.#view, await this.#review.steps());
        break;
      case 'searchFiles':
        await this.#searchFiles(effect.direction);
        break;
      case 'mouse':
        this.#terminal.setMouse(!this.#terminal.isMouseOn);
        this.#view.message = this.#terminal.isMouseOn
          ? 'Mouse on: wheel and clicks. Hold shift to select text.'
          : 'Mouse off: the terminal selects text.';
        break;
      case 'redraw':
        this.#terminal.forgetDrawn();
        break;
      case 'suspend':
        await this.#lend(async () => {
          process.kill(0, 'SIGTSTP');
        });
        break;
      case 'leave':
        this.#settle(effect.outcome);
        return;
    }
    this.#drawSoon();
  }

  async #load(file: FileView): Promise<void> {
    try {
      this.#view.showFile(file, await this.#review.source.hunksOf(file.item));
    } catch (error) {
      file.fail(toSafeCoderError(error).message);
    }
    if (this.#typed.length > 0) this.#drain();
  }

  async #loadOld(file: FileView): Promise<void> {
    const { before } = file.item.change;
    if (before === undefined || file.hasOldLines) return;
    file.setOld(await this.#review.readBlob(before.oid));
    this.#view.scrollFile();
  }

  async #who({ file, line, isOld }: Extract<Effect, { kind: 'who' }>): Promise<void> {
    const { lines, step } = await this.#review.whoWrote(file.item, line, isOld);
    const choices =
      step === undefined
        ? []
        : [
            {
              key: 'f',
              text: 'show only what this step changed',
              act: () => this.#view.setFilter({ paths: step.paths }, step.text),
            },
          ];
    openPanel(
      this.#view,
      line === undefined ? 'Who changed this file?' : 'Who wrote this line?',
      lines,
      choices,
    );
  }

  async #searchFiles(direction: 1 | -1): Promise<void> {
    const started = this.#inputs;
    const found = await findFile(this.#view, direction, this.#review.source, () => this.#inputs !== started);
    if (this.#inputs !== started) return;
    this.#view.message = '';
    if (found === undefined) this.#view.message = 'It is nowhere else.';
    else {
      this.#view.selectPath(found.item.change.path);
      const { file } = this.#view;
      if (file === undefined) return;
      if (file.hunks === undefined) this.#view.showFile(file, found.hunks);
      seekText(this.#view, direction, direction === 1 ? -1 : file.rows.length);
    }
  }

  async #edit(file: FileView, index: number): Promise<void> {
    const view = this.#view;
    const hunk = file.textHunks[index];
    const editor = editorOf(this.#review.environment);
    if (hunk === undefined) return;
    if (editor === undefined) {
      view.message = 'No editor is set. Set VISUAL or EDITOR, for example: export EDITOR=nano';
      return;
    }
    const decision = view.state.decisionOf(file.item.change.path);
    const own =
      decision?.decision === 'partial' ? decision.hunks.find((each) => each.hunk === hunk.id) : undefined;
    const given =
      view.drafts.get(hunk.id) ?? (own?.decision === 'edit' ? fromJsonBytes(own.new) : sideOf(hunk, 'new'));
    const result = await this.#lend(() => runEditor(editor, given, file.item.change.path));
    this.#recordEdit(file, hunk.id, judgeEdit(hunk, given, result));
  }

  #recordEdit(file: FileView, id: string, edited: Edited): void {
    const view = this.#view;
    view.drafts.delete(id);
    if (edited.kind === 'refused') {
      if (edited.bytes !== undefined) view.drafts.set(id, edited.bytes);
      const kept = edited.bytes === undefined ? '' : ' What you typed is kept: e opens it again.';
      view.message = `The edit was not taken: ${edited.reason}.${kept}`;
    } else if (edited.kind === 'edited') recordEdit(view, file, id, edited.bytes);
    else if (edited.kind === 'unchanged') {
      const status = hunkStatus(view.state.decisionOf(file.item.change.path), id);
      view.message = `Nothing was edited.${status === 'undecided' ? ' The hunk is not decided.' : ''}`;
    } else {
      decidePart(view, file, id, edited.kind);
      view.message = `That is the ${edited.kind === 'accept' ? 'new' : 'old'} side: the hunk is ${edited.kind}ed.`;
    }
  }

  async #lend<T>(work: () => Promise<T>): Promise<T> {
    this.#isLent = true;
    try {
      return await this.#terminal.lend(work);
    } finally {
      this.#isLent = false;
      this.#view.columns = this.#terminal.columns;
      this.#view.rows = this.#terminal.rows;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    this.#review.signal.removeEventListener('abort', this.#abort);
    this.#terminal[Symbol.dispose]();
    await this.#highlighter[Symbol.asyncDispose]();
  }
}
