/** Acts on the review as a whole, and those that begin something. */
import { showPath } from '../../base/path-bytes.ts';
import { decideItems } from './decide.ts';
import type { ReviewView } from './view.ts';

/** Accepts or rejects everything that is listed, after a question. */
export function confirmAll(view: ReviewView, choice: 'accept' | 'reject'): void {
  const items = view.state.visible;
  const risky = items.filter(({ risk }) => risk.length > 0).length;
  const what = view.filterText === '' ? 'everything' : `everything that is listed (${view.filterText})`;
  view.overlay = {
    kind: 'question',
    title: `${choice === 'accept' ? 'Accept' : 'Reject'} ${what}?`,
    lines: [
      `${items.length.toLocaleString('en-US')} files${choice === 'accept' && risky > 0 ? `, ${risky.toLocaleString('en-US')} of them carry a risk` : ''}.`,
      'Nothing is written to the project by it.',
    ],
    choices: [
      {
        key: 'y',
        text: `yes, ${choice} them`,
        act: () => decideItems(view, items, choice, ` ${items.length.toLocaleString('en-US')} files`),
      },
    ],
  };
}

/** Accepts what carries no risk; the rest stays as it is. */
export function acceptSafe(view: ReviewView): void {
  const safe = view.state.visible.filter(({ risk, refused }) => risk.length === 0 && refused === undefined);
  const left = view.state.visible.length - safe.length;
  if (safe.length === 0) view.message = 'Everything here carries a risk.';
  else
    decideItems(
      view,
      safe,
      'accept',
      ` ${safe.length.toLocaleString('en-US')} without risk, ${left} left to you`,
    );
}

export function startRange(view: ReviewView): void {
  const { file } = view;
  if (view.focus !== 'file' || file === undefined) view.message = 'A range of lines is chosen in a file.';
  else if (file.anchor !== undefined) file.anchor = undefined;
  else {
    file.anchor = file.cursor;
    view.message = 'Move, then a or space takes the lines, r leaves them.';
  }
}

export function editHunk(view: ReviewView): void {
  const { file } = view;
  const hunk = file?.hunkAtCursor;
  if (view.focus !== 'file' || file === undefined || hunk === undefined)
    view.message = 'Only a hunk can be edited.';
  else if (file.item.refused !== undefined) view.message = `It can't be applied: ${file.item.refused}.`;
  else view.effects.push({ kind: 'edit', file, hunk });
}

/** Takes back the last decision, or what was taken back; shows where that was. */
export function undo(view: ReviewView, what: 'undo' | 'redo'): void {
  const paths = what === 'undo' ? view.state.undo() : view.state.redo();
  if (paths === undefined) {
    view.message = what === 'undo' ? 'There is nothing to take back.' : 'There is nothing to do again.';
    return;
  }
  view.isChanged = true;
  view.refreshTree();
  const [path] = paths;
  if (paths.length === 1 && path !== undefined) view.selectPath(path);
  const named = paths.length === 1 ? showPath(path ?? '') : `${paths.length.toLocaleString('en-US')} files`;
  view.message = `${what === 'undo' ? 'Taken back' : 'Done again'}: ${named}.`;
}
