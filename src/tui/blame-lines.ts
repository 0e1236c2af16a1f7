/** The lines of a file with who wrote them, as text for people. */
import { decodePath, showPath } from '../base/path-bytes.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import type { BlamedLine } from '../ledger/blame.ts';
import { describeStep, type TimelineStep } from '../session/timeline.ts';
import { cutToScreen, padText, toOneLine } from './cut-text.ts';
import { textWidth } from './review/cells.ts';
import type { Screen } from './style.ts';

/** What stands for lines that were there before the session. */
const OWN = 'project';
const MOST_WHO = 28;
const NARROW = 80;

interface BlameView {
  lines: readonly BlamedLine[];
  /** Number of the first of them. */
  from: number;
  path: string;
  steps: ReadonlyMap<string, TimelineStep>;
}

/** Each line after the entry that wrote it (named where a run of its lines begins), then the entries with their prompts. */
export function formatBlame(view: BlameView, screen: Screen): string {
  const isNarrow = screen.isTerminal && screen.columns < NARROW;
  const who = view.lines.map((line) => whoOf(line, view.steps, isNarrow));
  const width = Math.min(isNarrow ? 8 : MOST_WHO, Math.max(0, ...who.map(textWidth)));
  const digits = String(view.from + view.lines.length).length;
  const rows = view.lines.map((line, index) => {
    const isNew = index === 0 || who[index] !== who[index - 1] || line.entry !== view.lines[index - 1]?.entry;
    const margin = padText(isNew ? (who[index] ?? '') : '', width);
    const number = String(view.from + index).padStart(digits);
    const text = escapeForTerminal(decodePath(Buffer.from(line.text, 'latin1')).replace(/\r?\n$/, ''));
    const paint = line.entry === undefined ? screen.style.dim : screen.style.cyan;
    return `${paint(margin)}  ${screen.style.dim(`${number} │`)} ${text}\n`;
  });
  return rows.join('') + legend(view, screen);
}

function whoOf({ entry }: BlamedLine, steps: BlameView['steps'], isNarrow: boolean): string {
  if (entry === undefined) return OWN;
  const number = `#${entry.trailers.seq}`;
  const step = steps.get(entry.id);
  return isNarrow || !step ? number : `${number} ${toOneLine(describeStep(step))}`;
}

/** The entries that wrote something, in their order. */
function legend({ lines, path, steps }: BlameView, screen: Screen): string {
  const counts = new Map<string, number>();
  for (const { entry } of lines) if (entry) counts.set(entry.id, (counts.get(entry.id) ?? 0) + 1);
  const written = [...counts]
    .map(([id, count]) => ({ step: steps.get(id), count }))
    .filter((each): each is { step: TimelineStep; count: number } => each.step !== undefined)
    .sort((a, b) => a.step.entry.trailers.seq - b.step.entry.trailers.seq);
  if (written.length === 0) return `\n${screen.style.dim(`No entry wrote a line of ${showPath(path)}.`)}\n`;
  return `\n${written.map((each) => legendLine(each, screen)).join('')}`;
}

function legendLine({ step, count }: { step: TimelineStep; count: number }, screen: Screen): string {
  const { entry, turn } = step;
  const head = `#${entry.trailers.seq}`.padStart(5);
  const lines = count === 1 ? '1 line' : `${count} lines`;
  const prompt = turn && turn.prompt !== '' ? `\n       turn ${turn.turn}: ${toOneLine(turn.prompt)}` : '';
  const text = `${head}  ${entry.id.slice(0, 10)}  ${toOneLine(describeStep(step))}  (${lines})`;
  return `${text
    .concat(prompt)
    .split('\n')
    .map((line) => cutToScreen(line, screen))
    .join('\n')}\n`;
}
