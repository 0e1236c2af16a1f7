/** Which key does what. The help and the footer are made of this table, so that they can't say anything else. */
import { acceptSafe, confirmAll, editHunk, startRange, undo } from './acts.ts';
import { commentHere, decideFile, decideHere, goToOpen, toggleLines } from './decide.ts';
import { askToLeave, openFilter, openHelp, openSearch } from './menus.ts';
import {
  backOut,
  enter,
  fold,
  foldAll,
  moveHunk,
  moveOtherFile,
  page,
  scrollSideways,
  switchLayout,
  switchPane,
  toEdge,
  up,
  whoWrote,
} from './moves.ts';
import { searchOn } from './search.ts';
import type { ReviewView } from './view.ts';

export interface Binding {
  keys: readonly string[];
  /** Of the keys, as the help shows them. */
  shown: string;
  help: string;
  group: 'Decide' | 'Move' | 'Look' | 'Leave';
  act: (view: ReviewView) => void;
}

export const BINDINGS: readonly Binding[] = [
  {
    keys: ['a'],
    shown: 'a',
    help: 'accept the hunk or the range; in the tree the file or folder',
    group: 'Decide',
    act: (view) => decideHere(view, 'accept'),
  },
  { keys: ['r'], shown: 'r', help: 'reject it', group: 'Decide', act: (view) => decideHere(view, 'reject') },
  {
    keys: [' '],
    shown: 'space',
    help: 'take or leave the line under the cursor',
    group: 'Decide',
    act: toggleLines,
  },
  {
    keys: ['x'],
    shown: 'x',
    help: 'not decided after all',
    group: 'Decide',
    act: (view) => decideHere(view, 'undecided'),
  },
  {
    keys: ['A'],
    shown: 'A',
    help: 'accept the whole file; in the tree everything that is listed',
    group: 'Decide',
    act: (view) => decideAll(view, 'accept'),
  },
  { keys: ['R'], shown: 'R', help: 'reject it', group: 'Decide', act: (view) => decideAll(view, 'reject') },
  {
    keys: ['S'],
    shown: 'S',
    help: 'accept everything that carries no risk',
    group: 'Decide',
    act: acceptSafe,
  },
  {
    keys: ['V'],
    shown: 'V',
    help: 'begin a range of lines; escape ends it',
    group: 'Decide',
    act: startRange,
  },
  { keys: ['e'], shown: 'e', help: 'edit the hunk in your editor', group: 'Decide', act: editHunk },
  {
    keys: ['c'],
    shown: 'c',
    help: 'comment for the agent: right after r on that, else on the hunk',
    group: 'Decide',
    act: commentHere,
  },
  {
    keys: ['u'],
    shown: 'u',
    help: 'undo the last decision',
    group: 'Decide',
    act: (view) => undo(view, 'undo'),
  },
  { keys: ['U', 'ctrl-r'], shown: 'U', help: 'redo it', group: 'Decide', act: (view) => undo(view, 'redo') },

  { keys: ['j', 'down'], shown: 'j ↓', help: 'down', group: 'Move', act: (view) => up(view, 1) },
  { keys: ['k', 'up'], shown: 'k ↑', help: 'up', group: 'Move', act: (view) => up(view, -1) },
  {
    keys: ['pagedown', 'ctrl-f', 'ctrl-d'],
    shown: 'PgDn',
    help: 'a page down',
    group: 'Move',
    act: (view) => page(view, 1),
  },
  {
    keys: ['pageup', 'ctrl-b', 'ctrl-u'],
    shown: 'PgUp',
    help: 'a page up',
    group: 'Move',
    act: (view) => page(view, -1),
  },
  { keys: ['g', 'home'], shown: 'g', help: 'to the top', group: 'Move', act: (view) => toEdge(view, -1) },
  { keys: ['G', 'end'], shown: 'G', help: 'to the end', group: 'Move', act: (view) => toEdge(view, 1) },
  { keys: [']'], shown: ']', help: 'next hunk', group: 'Move', act: (view) => moveHunk(view, 1) },
  { keys: ['['], shown: '[', help: 'hunk before', group: 'Move', act: (view) => moveHunk(view, -1) },
  { keys: ['}', 'J'], shown: '}', help: 'next file', group: 'Move', act: (view) => moveOtherFile(view, 1) },
  {
    keys: ['{', 'K'],
    shown: '{',
    help: 'file before',
    group: 'Move',
    act: (view) => moveOtherFile(view, -1),
  },
  { keys: ['.'], shown: '.', help: 'next that is not decided', group: 'Move', act: goToOpen },
  { keys: ['tab', 'shift-tab'], shown: 'tab', help: 'between tree and file', group: 'Move', act: switchPane },
  { keys: ['enter'], shown: 'enter', help: 'into the file; fold or unfold', group: 'Move', act: enter },
  {
    keys: ['h', 'left'],
    shown: 'h ←',
    help: 'scroll left; fold the folder, or back to the tree',
    group: 'Move',
    act: (view) => scrollSideways(view, -1),
  },
  {
    keys: ['l', 'right'],
    shown: 'l →',
    help: 'scroll right; unfold the folder, or into the file',
    group: 'Move',
    act: (view) => scrollSideways(view, 1),
  },
  {
    keys: ['/'],
    shown: '/',
    help: 'search: names in the tree, lines in a file',
    group: 'Move',
    act: openSearch,
  },
  {
    keys: ['n'],
    shown: 'n',
    help: 'next that was searched',
    group: 'Move',
    act: (view) => searchOn(view, 1),
  },
  { keys: ['N'], shown: 'N', help: 'the one before', group: 'Move', act: (view) => searchOn(view, -1) },

  { keys: ['w'], shown: 'w', help: 'which step wrote this line?', group: 'Look', act: whoWrote },
  {
    keys: ['f'],
    shown: 'f',
    help: 'filter: not decided, at risk, by step, by name',
    group: 'Look',
    act: openFilter,
  },
  {
    keys: ['z'],
    shown: 'z',
    help: 'fold or unfold the hunk, the folder, the lines between',
    group: 'Look',
    act: fold,
  },
  { keys: ['Z'], shown: 'Z', help: 'all of them', group: 'Look', act: foldAll },
  { keys: ['s'], shown: 's', help: 'side by side, or one column', group: 'Look', act: switchLayout },
  {
    keys: ['m'],
    shown: 'm',
    help: 'mouse on or off',
    group: 'Look',
    act: (view) => void view.effects.push({ kind: 'mouse' }),
  },
  {
    keys: ['ctrl-l'],
    shown: '^L',
    help: 'draw the screen anew',
    group: 'Look',
    act: (view) => void view.effects.push({ kind: 'redraw' }),
  },
  { keys: ['?'], shown: '?', help: 'this help', group: 'Look', act: (view) => openHelp(view, BINDINGS) },
  {
    keys: ['escape'],
    shown: 'esc',
    help: 'end the range, the search, the filter; back to the tree',
    group: 'Look',
    act: backOut,
  },

  {
    keys: ['ctrl-z'],
    shown: '^Z',
    help: 'to the shell for a moment',
    group: 'Leave',
    act: (view) => void view.effects.push({ kind: 'suspend' }),
  },
  {
    keys: ['q', 'ctrl-c'],
    shown: 'q',
    help: 'leave: apply, keep for later, or discard',
    group: 'Leave',
    act: askToLeave,
  },
];

const BY_KEY: ReadonlyMap<string, Binding> = new Map(
  BINDINGS.flatMap((binding) => binding.keys.map((key) => [key, binding] as const)),
);

export function bindingOf(key: string): Binding | undefined {
  return BY_KEY.get(key);
}

function decideAll(view: ReviewView, choice: 'accept' | 'reject'): void {
  if (view.focus === 'file') decideFile(view, choice);
  else confirmAll(view, choice);
}
