/** What opens over the review: help, filter, search, the question at the end. */
import { showPath } from '../../base/path-bytes.ts';
import type { Binding } from './bindings.ts';
import { type Choice, openPrompt } from './overlay.ts';
import { searchOn } from './search.ts';
import type { ReviewView } from './view.ts';

/** A step of the session that changed files, to filter by. */
export interface ReviewStep {
  /** On one line, not escaped. */
  text: string;
  paths: ReadonlySet<string>;
}

export function openHelp(view: ReviewView, bindings: readonly Binding[]): void {
  const lines = ['Deciding writes nothing to the project: leaving asks.'];
  for (const group of ['Decide', 'Move', 'Look', 'Leave'] as const) {
    lines.push('', group);
    for (const { shown, help } of bindings.filter((each) => each.group === group)) {
      lines.push(`  ${shown.padEnd(7)}${help}`);
    }
  }
  view.overlay = { kind: 'text', title: 'Keys', lines, top: 0, choices: [] };
}

/** A text to read; escape closes it. */
export function openPanel(
  view: ReviewView,
  title: string,
  lines: readonly string[],
  choices: readonly Choice[] = [],
): void {
  view.overlay = { kind: 'text', title, lines, top: 0, choices };
}

export function openSearch(view: ReviewView): void {
  const label = view.focus === 'tree' ? 'Search names: ' : 'Search lines: ';
  view.prompt = openPrompt(label, '', (text) => {
    view.search = text;
    if (text !== '') searchOn(view, 1);
  });
}

export function openFilter(view: ReviewView): void {
  const undecided = () =>
    new Set(view.state.items.filter((item) => view.isOpen(item)).map(({ change }) => change.path));
  view.overlay = {
    kind: 'question',
    title: 'Show only',
    lines: [],
    choices: [
      {
        key: 'u',
        text: 'what is not decided',
        act: () => view.setFilter({ paths: undecided() }, 'not decided'),
      },
      { key: 'r', text: 'what carries a risk', act: () => view.setFilter({ risk: true }, 'at risk') },
      { key: 's', text: 'what one step changed ...', act: () => void view.effects.push({ kind: 'steps' }) },
      {
        key: 't',
        text: 'names that hold a text ...',
        act: () => {
          view.prompt = openPrompt('Names that hold: ', '', (text) =>
            view.setFilter(text === '' ? {} : { text }, text === '' ? '' : `name holds ${showPath(text)}`),
          );
        },
      },
      { key: 'a', text: 'everything again', act: () => view.setFilter({}, '') },
    ],
  };
}

/** The steps to choose one from. */
export function openSteps(view: ReviewView, steps: readonly ReviewStep[]): void {
  if (steps.length === 0) {
    view.message = 'No step of this session changed a file that is left.';
    return;
  }
  view.overlay = {
    kind: 'list',
    title: 'Changed by',
    entries: steps.map(
      ({ text, paths }) => `${text}  (${paths.size === 1 ? '1 file' : `${paths.size} files`})`,
    ),
    cursor: 0,
    act: (index) => {
      const step = steps[index];
      if (step !== undefined) view.setFilter({ paths: step.paths }, step.text);
    },
  };
}

/** Apply, keep, discard: nothing is written before it is answered. */
export function askToLeave(view: ReviewView): void {
  const { accepted, rejected, partial, undecided, files } = view.state.counts;
  const number = (count: number) => count.toLocaleString('en-US');
  const leave = (outcome: 'apply' | 'keep' | 'discard') => () =>
    void view.effects.push({ kind: 'leave', outcome });
  const landing = accepted + partial;
  const isNothing = undecided === files && view.state.decisions.length === 0;
  if (isNothing) {
    leave('keep')();
    return;
  }
  view.overlay = {
    kind: 'question',
    title: 'Leave the review',
    lines: [
      `${number(accepted)} accepted, ${number(partial)} in part, ${number(rejected)} rejected, ${number(undecided)} not decided.`,
    ],
    choices: [
      ...(landing > 0
        ? [
            {
              key: 'a',
              text: `apply ${landing === 1 ? 'the accepted change' : `the ${number(landing)} accepted changes`}`,
              act: leave('apply'),
            },
          ]
        : []),
      { key: 'k', text: 'keep the decisions for later', act: leave('keep'), isForInterrupt: true },
      { key: 'd', text: 'discard the decisions', act: leave('discard') },
    ],
  };
}
