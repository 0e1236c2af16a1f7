/** The edit tool: parts of a file, all or nothing. */
import { escapeForTerminal } from '../base/terminal-text.ts';
import { cutLine, headOfBytes } from './budget.ts';
import { defineTool, refuse } from './define-tool.ts';
import { findMatches, type Match, type MatchManner } from './edit-match.ts';
import {
  diffOf,
  type FileBefore,
  putFile,
  readBefore,
  refuseChanged,
  refuseUnread,
  warnOfOmission,
} from './file-change.ts';
import { editInterface } from './interface/edit.ts';
import { showNearestRegion } from './nearest-region.ts';
import { decodeOrRefuse } from './read.ts';
import { encodeTextFile, splitLines, type TextFile } from './text-file.ts';
import type { Tool, ToolContext, ToolResult } from './tool.ts';
import type { ToolState } from './tool-state.ts';
import { type Located, locate, refuseMissing } from './workspace-path.ts';

interface Edit {
  old_string: string;
  new_string: string;
  replace_all?: boolean | undefined;
}

type Input = { path: string; edits?: Edit[] | undefined } & { [Key in keyof Edit]?: Edit[Key] | undefined };

/** An edit with its places in the file. */
interface PlacedEdit {
  edit: Edit;
  /** `edits[2]`, or nothing when there is only one. */
  name: string;
  manner: MatchManner;
  matches: Match[];
}

export function createEditTool(state: ToolState): Tool {
  return defineTool(editInterface, async (input, context) => {
    const edits = editsOf(input);
    const { path } = await locate(context.sandbox, input.path);
    return await state.fileLocks.run(path, () => editFile(context, state, input.path, edits));
  });
}

function editsOf(input: Input): Edit[] {
  const hasSingle = input.old_string !== undefined || input.new_string !== undefined;
  if (hasSingle === (input.edits !== undefined)) {
    throw refuse('Give either "edits", or "old_string" and "new_string", and not both.', exampleHint());
  }
  if (input.edits !== undefined) return input.edits;
  if (input.old_string === undefined || input.new_string === undefined) {
    throw refuse('Both "old_string" and "new_string" are needed.', exampleHint());
  }
  return [{ old_string: input.old_string, new_string: input.new_string, replace_all: input.replace_all }];
}

function exampleHint(): string {
  return `Example of a valid input: ${JSON.stringify(editInterface.example)}`;
}

async function editFile(
  context: ToolContext,
  state: ToolState,
  path: string,
  edits: Edit[],
): Promise<ToolResult> {
  const located = await locate(context.sandbox, path);
  const creates = edits.length === 1 && edits[0]?.old_string === '';
  const before = await readBefore(context, state, located);
  if (before === undefined) {
    if (!creates) throw await refuseMissing(context.sandbox, located);
    return await createFile(context, state, located, edits[0]?.new_string ?? '');
  }
  if (before.freshness === 'unread') throw refuseUnread(located);
  refuseSenseless(located, edits);
  return await changeFile(context, state, located, before, edits);
}

async function createFile(
  context: ToolContext,
  state: ToolState,
  located: Located,
  content: string,
): Promise<ToolResult> {
  const bytes = encodeTextFile(content, { hasBom: false, hasCrlf: false });
  const wrote = await putFile(context, state, located, bytes);
  const lines = splitLines(content).length;
  const diff = diffOf(located.shown, undefined, bytes);
  return {
    ok: true,
    text: `Created ${located.shown} (${lines} lines).`,
    ...(diff === undefined ? {} : { diff }),
    ...wrote,
    meta: { changed: true, created: true, bytes: bytes.length },
  };
}

function refuseSenseless(located: Located, edits: Edit[]): void {
  edits.forEach((edit, index) => {
    const name = nameOf(edits, index);
    if (edit.old_string === '') {
      throw refuse(
        `${name}old_string is empty, which only creates a new file, but ${located.shown} exists.`,
        'Quote the text to replace; to replace everything, use write.',
      );
    }
    if (edit.old_string === edit.new_string) {
      throw refuse(`${name}old_string and new_string are the same: there is nothing to change.`);
    }
  });
}

function nameOf(edits: Edit[], index: number): string {
  return edits.length === 1 ? '' : `edits[${index}]: `;
}

async function changeFile(
  context: ToolContext,
  state: ToolState,
  located: Located,
  before: FileBefore,
  edits: Edit[],
): Promise<ToolResult> {
  const file = decodeOrRefuse(located, before.bytes);
  const isChanged = before.freshness === 'changed';
  const placed = edits.map((edit, index) => place(located, file, edit, nameOf(edits, index), isChanged));
  const text = applyAll(file.text, placed);
  const bytes = encodeTextFile(text, file);
  if (bytes.equals(before.bytes)) {
    return {
      ok: true,
      text: `No change: the edits leave ${located.shown} as it is.`,
      meta: { changed: false },
    };
  }
  const wrote = await putFile(context, state, located, bytes);
  const diff = diffOf(located.shown, before.bytes, bytes);
  const count = placed.reduce((sum, one) => sum + one.matches.length, 0);
  const notes = notesOf(file, placed);
  if (isChanged)
    notes.push(
      'Note: the file had changed since it was read; the edits still matched exactly once and were applied.',
    );
  return {
    ok: true,
    text: [
      `Edited ${located.shown} (${count} replacement${count === 1 ? '' : 's'}).`,
      ...notes,
      showDiff(diff),
    ].join('\n'),
    ...(diff === undefined ? {} : { diff }),
    ...wrote,
    meta: { changed: true, created: false, bytes: bytes.length, replacements: count },
  };
}

/** Leaves out the two lines that repeat the path. */
function showDiff(diff: string | undefined): string {
  if (diff === undefined) return '(the change is too large to show as a diff)';
  const lines = diff
    .split('\n')
    .slice(2)
    .map((line) => cutLine(line));
  return headOfBytes(escapeForTerminal(lines.join('\n')), 40 * 1024);
}

function place(located: Located, file: TextFile, edit: Edit, name: string, isChanged: boolean): PlacedEdit {
  const old = file.hasCrlf ? edit.old_string.replaceAll('\r\n', '\n') : edit.old_string;
  const found = findMatches(file.text, old, edit.new_string);
  if (isChanged && (found.manner !== 'exact' || found.matches.length !== 1)) throw refuseChanged(located);
  if (found.matches.length === 0) throw refuseNotFound(located, file, old, name);
  if (!found.isComplete) {
    throw refuse(
      `${name}old_string was found ${found.matches.length} times or more in ${located.shown}.`,
      'Quote more of the place that is meant, or use sed in bash for that many.',
    );
  }
  if (found.matches.length > 1 && edit.replace_all !== true) {
    throw refuseAmbiguous(located, file, found.matches, name);
  }
  return { edit, name, manner: found.manner, matches: withoutOverlap(found.matches) };
}

function withoutOverlap(matches: Match[]): Match[] {
  let end = -1;
  return matches.filter((match) => {
    if (match.start < end) return false;
    end = match.end;
    return true;
  });
}

function refuseNotFound(located: Located, file: TextFile, old: string, name: string): Error {
  const region = showNearestRegion(file.text, old);
  const numbered = /^\s*\d+\t/.test(old) ? ' Leave out the line numbers that the read tool shows.' : '';
  return refuse(
    `${name}old_string was not found in ${located.shown}.${numbered}`,
    region === undefined
      ? 'Nothing similar is there either: read the file again.'
      : `The most similar place is:\n${region}\nQuote the file exactly.`,
  );
}

function refuseAmbiguous(located: Located, file: TextFile, matches: Match[], name: string): Error {
  const numbers = matches.slice(0, 20).map((match) => lineNumberAt(file.text, match.start));
  const more = matches.length > 20 ? ', …' : '';
  return refuse(
    `${name}old_string was found ${matches.length} times in ${located.shown}, at lines ${numbers.join(', ')}${more}.`,
    'Add lines around it until it is unique, or set replace_all to true.',
  );
}

function lineNumberAt(text: string, at: number): number {
  let number = 1;
  for (let next = text.indexOf('\n'); next !== -1 && next < at; next = text.indexOf('\n', next + 1))
    number += 1;
  return number;
}

function applyAll(text: string, placed: PlacedEdit[]): string {
  const all = placed.flatMap(({ matches, name }) => matches.map((match) => ({ ...match, name })));
  all.sort((a, b) => a.start - b.start || a.end - b.end);
  let out = '';
  let at = 0;
  let last = '';
  for (const match of all) {
    if (match.start < at) {
      throw refuse(
        `${last.replace(': ', '')} and ${match.name.replace(': ', '')} overlap at line ${lineNumberAt(text, match.start)}: they would change the same text.`,
        'Join them into one edit. Nothing was changed.',
      );
    }
    out += text.slice(at, match.start) + match.replacement;
    at = match.end;
    last = match.name;
  }
  return out + text.slice(at);
}

function notesOf(file: TextFile, placed: PlacedEdit[]): string[] {
  return placed.flatMap(({ edit, name, manner, matches }) => {
    const notes: string[] = [];
    const first = matches[0];
    if (manner !== 'exact' && first !== undefined) {
      const really = cutLine(file.text.slice(first.start, first.end), 1000);
      notes.push(
        `Note: ${name}old_string differed in ${manner}; what was really replaced is ${JSON.stringify(really)}.`,
      );
    }
    const warning = warnOfOmission(edit.new_string, file.text);
    if (warning !== undefined) notes.push(name + warning);
    return notes;
  });
}
