/** What is typed, given to whatever takes it: a prompt, what lies over the review, or the review. */
import { bindingOf } from './bindings.ts';
import type { Input } from './keys.ts';
import { insert, type Overlay, typeInto } from './overlay.ts';
import { clamp, type ReviewView } from './view.ts';

const WHEEL_ROWS = 3;

/** Changes the view by one input. What it asks for is in `view.effects`. */
export function takeInput(view: ReviewView, input: Input): void {
  if (input.kind === 'ground') return;
  view.message = '';
  if (input.kind === 'paste') {
    if (view.prompt !== undefined) view.prompt = insert(view.prompt, input.text);
    return;
  }
  if (input.kind === 'mouse') {
    if (view.prompt === undefined && view.overlay === undefined) pointAt(view, input);
    return;
  }
  if (view.prompt !== undefined) {
    const { prompt } = view;
    const next = typeInto(prompt, input.key);
    // Finishing a prompt may have opened another one.
    if (view.prompt === prompt) view.prompt = next;
  } else if (view.overlay !== undefined) typeOver(view, view.overlay, input.key);
  else {
    const { rejected } = view;
    bindingOf(input.key)?.act(view);
    if (view.rejected === rejected) view.rejected = undefined;
  }
}

function typeOver(view: ReviewView, overlay: Overlay, key: string): void {
  if (overlay.kind !== 'list') {
    const choice = overlay.choices.find(
      (each) => each.key === key || (each.isForInterrupt && key === 'ctrl-c'),
    );
    if (choice !== undefined) {
      view.overlay = undefined;
      choice.act();
      return;
    }
  }
  if (key === 'escape' || key === 'q' || key === 'ctrl-c') view.overlay = undefined;
  else if (overlay.kind === 'question') return;
  else if (overlay.kind === 'list' && key === 'enter') {
    view.overlay = undefined;
    overlay.act(overlay.cursor);
  } else {
    const by = STEPS[key];
    if (by === undefined) {
      if (overlay.kind === 'text') view.overlay = undefined;
    } else if (overlay.kind === 'list') overlay.cursor = clamp(overlay.cursor + by, overlay.entries.length);
    else overlay.top = clamp(overlay.top + by, overlay.lines.length);
  }
}

const STEPS: Record<string, number> = {
  j: 1,
  down: 1,
  k: -1,
  up: -1,
  ' ': 10,
  pagedown: 10,
  pageup: -10,
  g: -100_000,
  home: -100_000,
  G: 100_000,
  end: 100_000,
};

function pointAt(view: ReviewView, { act, column, row }: Extract<Input, { kind: 'mouse' }>): void {
  const { tree } = view.sizes;
  const isTree = column < tree;
  if (act !== 'click') {
    const by = act === 'wheel-up' ? -WHEEL_ROWS : WHEEL_ROWS;
    if (isTree) view.selectNode(view.treeCursor + by);
    else view.moveFile(by);
    return;
  }
  if (row < 1 || row >= view.rows - 1) return;
  if (isTree) {
    view.setFocus('tree');
    const index = view.treeTop + row - 1;
    if (index >= view.nodes.length) return;
    // A second click on a folder folds it.
    if (index === view.treeCursor && view.node?.item === undefined) bindingOf('z')?.act(view);
    else view.selectNode(index);
  } else if (view.file !== undefined) {
    view.setFocus('file');
    if (row >= 2) view.moveFile(view.file.top + row - 2 - view.file.cursor);
  }
}
