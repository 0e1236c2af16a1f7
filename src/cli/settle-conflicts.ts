/** Conflicts, one by one, on a terminal: both sides are shown, and a person says what shall be there. */
import type { Conflict } from '../apply/conflict.ts';
import type { ConflictContents } from '../apply/conflict-contents.ts';
import { type RelPath, showPath } from '../base/path-bytes.ts';
import { escapeForTerminal } from '../base/terminal-text.ts';
import { formatHunks } from '../diff/patch.ts';
import { diffText } from '../diff/text-diff.ts';
import { type Decision, toJsonBytes } from '../review/decision.ts';
import { editorOf, runEditor } from '../tui/review/edit-hunk.ts';
import { ask } from './confirm.ts';
import type { Context } from './context.ts';

type Settlement = Pick<Decision, 'onConflict' | 'resolution'>;

const KEYS = { m: 'mine', t: 'theirs', k: 'markers', e: 'edit' } as const;
const HELP = {
  mine: 'm: keep yours',
  theirs: "t: take the agent's",
  markers: 'k: both, with markers',
  edit: 'e: edit',
} as const;
const MAX_SHOWN_LINES = 200;

/** Asks about each conflict that something can be done about; what is answered with Enter stays a conflict. */
export async function settleConflicts(
  context: Context,
  conflicts: readonly Conflict[],
  read: (path: RelPath) => Promise<ConflictContents>,
): Promise<Map<RelPath, Settlement>> {
  const settled = new Map<RelPath, Settlement>();
  for (const conflict of conflicts) {
    if (conflict.choices.length === 0) continue;
    const answer = await settleOne(context, conflict, await read(conflict.path));
    if (answer) settled.set(conflict.path, answer);
  }
  return settled;
}

async function settleOne(
  context: Context,
  { path, reason, choices }: Conflict,
  contents: ConflictContents,
): Promise<Settlement | undefined> {
  const { err } = context;
  err.write(`\n${err.style.bold(showPath(path))}: ${reason}\n`);
  err.write(showSides(contents));
  const offered = [...choices.map((choice) => HELP[choice]), 'Enter: leave it alone'].join(', ');
  for (;;) {
    const key = (await ask(`${offered} > `, context)).trim().toLowerCase().slice(0, 1);
    if (key === '') return undefined;
    const choice = Object.hasOwn(KEYS, key) ? KEYS[key as keyof typeof KEYS] : undefined;
    if (choice === undefined || !choices.includes(choice)) continue;
    if (choice !== 'edit') return { onConflict: choice };
    const edited = await edit(context, path, contents);
    if (edited) return edited;
  }
}

async function edit(
  { err, environment }: Context,
  path: RelPath,
  { withMarkers, mine, theirs }: ConflictContents,
): Promise<Settlement | undefined> {
  const editor = editorOf(environment);
  if (editor === undefined) {
    err.write('No editor is set. Set VISUAL or EDITOR, for example: export EDITOR=nano\n');
    return undefined;
  }
  const given = withMarkers ?? mine ?? theirs ?? Buffer.alloc(0);
  const { bytes, failure } = await runEditor(editor, given, path);
  const isLeft = withMarkers !== undefined && /^(?:<{7}|>{7}) /m.test(bytes.toString('latin1'));
  if (failure === undefined && !isLeft) return { onConflict: 'edit', resolution: toJsonBytes(bytes) };
  err.write(
    failure === undefined
      ? 'Conflict markers are left in it; it was not taken.\n'
      : `It was not taken: ${failure}\n`,
  );
  return undefined;
}

function showSides({ base, mine, theirs }: ConflictContents): string {
  const none = Buffer.alloc(0);
  return [
    'What you changed:\n',
    showDifference(base ?? none, mine),
    'What the agent changed:\n',
    showDifference(base ?? none, theirs),
  ].join('');
}

function showDifference(base: Buffer, side: Buffer | undefined): string {
  if (side === undefined) return '  no file is there\n';
  const diff = diffText(base, side);
  if (diff.kind !== 'text')
    return `  ${diff.kind === 'binary' ? 'binary' : 'too large to show'}, ${side.length} bytes\n`;
  const lines = Buffer.from(formatHunks(diff.hunks), 'latin1').toString().split('\n').slice(0, -1);
  const shown = lines.slice(0, MAX_SHOWN_LINES).map((line) => `  ${escapeForTerminal(line)}\n`);
  if (lines.length > MAX_SHOWN_LINES) shown.push(`  … and ${lines.length - MAX_SHOWN_LINES} more lines\n`);
  return shown.join('') || '  nothing\n';
}
