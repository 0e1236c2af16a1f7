/** A session's timeline as lines for people. */
import { showDuration } from '../config/quantities.ts';
import type { StepChanges } from '../session/step-changes.ts';
import { describeStep, type TimelineStep, type TimelineTurn } from '../session/timeline.ts';
import { cutToScreen, toOneLine } from './cut-text.ts';
import type { Screen } from './style.ts';

/** Below this width an entry's facts go on a line of their own, and times and ids are left out. */
const NARROW = 72;
/** From this width on, and where no terminal cuts lines, the entry's id is shown. */
const WIDE = 110;

export interface LogLine {
  step: TimelineStep;
  changes: StepChanges;
}

/** The heading of a turn: its prompt on one line. */
export function formatTurn({ turn, prompt }: TimelineTurn, screen: Screen): string {
  const text = `Turn ${turn}  ${toOneLine(prompt)}`.trimEnd();
  return `${screen.style.bold(cutToScreen(text, screen))}\n`;
}

/** One entry, on one line where the screen is wide enough. */
export function formatEntry(line: LogLine, screen: Screen): string {
  const { entry } = line.step;
  const isFailure = entry.trailers.ok === false || (entry.trailers.exitCode ?? 0) !== 0;
  const what = toOneLine(describeStep(line.step));
  const number = `#${entry.trailers.seq}`.padStart(5);
  const facts = factsOf(line);
  if (screen.isTerminal && screen.columns < NARROW) {
    const second = facts.filter((fact) => fact !== '').join(' · ');
    const tail = second === '' ? '' : `${screen.style.dim(cutToScreen(`      ${second}`, screen))}\n`;
    return `${paint(cutToScreen(`${number} ${what}`, screen), screen, isFailure)}\n${tail}`;
  }
  const [duration = '', exit = '', changed = '', ...notes] = facts;
  const isWide = !screen.isTerminal || screen.columns >= WIDE;
  const columns = [
    number,
    ...(isWide ? [entry.id.slice(0, 10)] : []),
    timeOf(entry.at),
    duration.padStart(9),
    exit.padEnd(8),
    changed.padEnd(18),
    [what, ...notes.map((note) => `(${note})`)].join(' '),
  ];
  return `${paint(cutToScreen(columns.join('  ').trimEnd(), screen), screen, isFailure)}\n`;
}

function factsOf({ step: { entry }, changes }: LogLine): string[] {
  const { durationMs, exitCode, ok, skipped, gitChanged } = entry.trailers;
  return [
    durationMs === undefined ? '' : showDuration(durationMs),
    exitCode === undefined ? (ok === false ? 'failed' : '') : `exit ${exitCode}`,
    describeChanged(changes),
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
    ...(gitChanged ? ['.git changed'] : []),
  ];
}

function describeChanged({ paths, lines }: StepChanges): string {
  if (paths.length === 0) return '';
  const files = `${paths.length} ${paths.length === 1 ? 'file' : 'files'}`;
  return lines ? `${files} +${lines.added} -${lines.removed}` : files;
}

function paint(text: string, screen: Screen, isFailure: boolean): string {
  return isFailure ? screen.style.red(text) : text;
}

/** Hours, minutes and seconds as clocks here show them. */
function timeOf(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => `${n}`.padStart(2, '0')).join(':');
}
