/**
 * A session's events as plain streaming text. Everything that a model or a guest wrote passes one of the two
 * escaping calls here before it reaches the terminal.
 */
import type { EventBody, IsolationInfo } from '../base/events.ts';
import { showPath } from '../base/path-bytes.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import { showDuration } from '../config/quantities.ts';
import { describeInput } from '../tools/describe-input.ts';
import { ProgressLine } from './progress.ts';
import type { Screen } from './style.ts';
import { WordWrap, wrapWords } from './word-wrap.ts';

/** Live output lines shown of one tool call before the rest is only counted. */
const MOST_OUTPUT_LINES = 30;
const MOST_DIFF_LINES = 40;

/** What a sandbox goes through while it starts, for people. */
const PHASES: Record<string, string> = {
  launch: 'Starting the sandbox',
  greet: 'Waiting for the guest',
  'copy-in': 'Putting the project in',
  prove: 'Proving the isolation',
};

export const NOT_ISOLATED = 'NOT ISOLATED: demo mode, tools run on this machine';

interface LiveOutput {
  lines: number;
  partial: string;
  hidden: number;
  label: string;
}

export interface PrinterOptions {
  screen: Screen;
  /** Where progress and warnings go; the screen itself in a chat, standard error in `run`. */
  notes: Screen;
  /** Only replies, no tool calls. */
  quiet: boolean;
}

export class EventPrinter {
  readonly #screen: Screen;
  readonly #notes: Screen;
  readonly #quiet: boolean;
  readonly #progress: ProgressLine;
  readonly #output = new Map<string, LiveOutput>();
  /** The call whose line was printed last: what follows under it needs no name. */
  #latest = '';
  #isMidLine = false;
  readonly #wrap: WordWrap | undefined;

  constructor(options: PrinterOptions) {
    this.#screen = options.screen;
    this.#notes = options.notes;
    this.#quiet = options.quiet;
    this.#progress = new ProgressLine(options.notes);
    if (options.screen.isTerminal) this.#wrap = new WordWrap(() => options.screen.columns);
  }

  /** Prints an event. Never throws on any content. */
  print(event: EventBody): void {
    if (event.type === 'progress') {
      if (!this.#quiet) this.#progress.show({ ...event, phase: PHASES[event.phase] ?? event.phase });
      return;
    }
    this.#progress.clear();
    switch (event.type) {
      case 'session.start':
        this.#sessionStart(event.isolation, event.withheld);
        break;
      case 'message.delta':
        this.#text(escapeForTerminal(event.text));
        break;
      case 'message':
        if (event.role === 'assistant') this.finishLine();
        break;
      case 'tool.start':
        this.#toolStart(event.call, event.tool, event.input);
        break;
      case 'tool.output':
        this.#toolOutput(event.call, event.text);
        break;
      case 'tool.end':
        this.#toolEnd(event);
        break;
      case 'retry':
        this.#note(describeRetry(event));
        break;
      case 'warning':
      case 'error':
        this.#note(event.hint ? `${event.message}\n  ${event.hint}` : event.message, event.type === 'error');
        break;
      case 'egress':
        if (event.decision === 'denied')
          this.#note(`Network: ${event.host}:${event.port} denied (${event.rule}).`);
        break;
      default:
        // turn.start, turn.end, session.end, reasoning: the face around us tells those in its own words.
        break;
    }
  }

  /** Ends a line that is still open, so that the next thing starts on its own. */
  finishLine(): void {
    this.#progress.clear();
    if (this.#isMidLine) this.#screen.write(`${this.#wrap?.end() ?? ''}\n`);
    this.#wrap?.restart();
    this.#isMidLine = false;
  }

  #text(text: string): void {
    if (text === '') return;
    this.#screen.write(this.#wrap?.push(text) ?? text);
    this.#isMidLine = !text.endsWith('\n');
  }

  #note(text: string, isError = false): void {
    this.finishLine();
    const { style } = this.#notes;
    const [mark, paint] = isError ? ['Error: ', style.red] : ['! ', style.dim];
    const safe = escapeForTerminal(text);
    const broken = this.#notes.isTerminal
      ? wrapWords(`${mark}${safe}`, this.#notes.columns, '  ')
      : `${mark}${safe}`;
    this.#notes.write(`${paint(mark)}${broken.slice(mark.length)}\n`);
  }

  #sessionStart(isolation: IsolationInfo, withheld: string[]): void {
    const { style } = this.#notes;
    if (isolation.level === 'demo') this.#notes.write(`${style.red(NOT_ISOLATED)}\n`);
    if (this.#quiet) return;
    if (isolation.level !== 'demo') {
      const how = isolation.accel === 'tcg' ? 'emulated: no usable KVM here' : isolation.accel;
      const proved = isolation.proof.checks.length;
      this.#notes.write(
        `${style.green('✓')} Isolated: ${isolation.level}, ${isolation.backend} (${how}), ${proved} checks passed\n`,
      );
    }
    if (withheld.length > 0) {
      const shown = withheld.slice(0, 12).map(showPath).join(', ');
      const more = withheld.length > 12 ? ` and ${withheld.length - 12} more` : '';
      this.#notes.write(
        `${style.dim('Withheld from the sandbox:')} ${shown}${more} ${style.dim('(--share PATH lets one in)')}\n`,
      );
    }
  }

  #toolStart(call: string, tool: string, input: unknown): void {
    if (this.#quiet) return;
    this.finishLine();
    const label = `${escapeForTerminal(tool)} ${escapeForTerminal(describeInput(input))}`.trim();
    this.#output.set(call, { lines: 0, partial: '', hidden: 0, label });
    this.#latest = call;
    const { style } = this.#screen;
    this.#screen.write(
      `${style.cyan('●')} ${style.bold(escapeForTerminal(tool))} ${escapeForTerminal(describeInput(input))}\n`,
    );
  }

  #toolOutput(call: string, text: string): void {
    const state = this.#output.get(call);
    if (!state || this.#quiet) return;
    const lines = (state.partial + text).split('\n');
    state.partial = (lines.pop() ?? '').slice(-4096);
    for (const line of lines) this.#outputLine(state, line);
  }

  #outputLine(state: LiveOutput, line: string): void {
    state.lines += 1;
    if (state.lines > MOST_OUTPUT_LINES) {
      state.hidden += 1;
      return;
    }
    this.finishLine();
    const afterReturn = line.replace(/\r$/, '').split('\r').at(-1) ?? '';
    const width = Math.max(20, this.#screen.columns - 4);
    const safe = escapeForTerminal(afterReturn);
    this.#screen.write(
      `  ${this.#screen.style.dim(`│ ${safe.length > width ? `${safe.slice(0, width - 1)}…` : safe}`)}\n`,
    );
  }

  #toolEnd(event: Extract<EventBody, { type: 'tool.end' }>): void {
    const state = this.#output.get(event.call);
    this.#output.delete(event.call);
    if (this.#quiet) return;
    if (state?.partial) this.#outputLine(state, state.partial);
    this.finishLine();
    const { style } = this.#screen;
    if (state?.hidden) this.#screen.write(`  ${style.dim(`│ … ${state.hidden} more lines`)}\n`);
    if (event.diff) this.#diff(event.diff);
    if (!event.ok && event.exitCode === undefined) {
      this.#screen.write(`  ${style.red(escapeForTerminal(event.text.split('\n')[0] ?? ''))}\n`);
    }
    const name = this.#latest === event.call ? [] : [state?.label ?? escapeForTerminal(event.tool)];
    const parts = [
      ...name,
      event.exitCode === undefined ? (event.ok ? 'ok' : 'failed') : `exit ${event.exitCode}`,
    ];
    parts.push(showDuration(event.durationMs), `#${event.seq}`);
    if (event.changed.length > 0) parts.push(`${event.changed.length} changed`);
    if (event.skipped?.length) parts.push(`${event.skipped.length} skipped`);
    const line = `└ ${parts.join(' · ')}`;
    this.#screen.write(`  ${event.ok ? style.dim(line) : style.red(line)}\n`);
  }

  #diff(diff: string): void {
    const lines = diff
      .trimEnd()
      .split('\n')
      .filter((line) => !/^(---|\+\+\+|Index:|={10})/.test(line));
    const { style } = this.#screen;
    for (const line of lines.slice(0, MOST_DIFF_LINES)) {
      const safe = escapeForTerminal(line);
      const shown = line.startsWith('+')
        ? style.green(safe)
        : line.startsWith('-')
          ? style.red(safe)
          : style.dim(safe);
      this.#screen.write(`  ${shown}\n`);
    }
    if (lines.length > MOST_DIFF_LINES)
      this.#screen.write(`  ${style.dim(`… ${lines.length - MOST_DIFF_LINES} more lines`)}\n`);
  }
}

function describeRetry(event: Extract<EventBody, { type: 'retry' }>): string {
  return `The model did not answer (${event.reason}); trying again in ${showDuration(event.waitMs)} (attempt ${event.attempt}).`;
}
